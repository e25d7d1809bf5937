import type { Dispatcher } from "undici";
import { isWhole } from "./http/bodiless.ts";
import type { LegOutcome } from "./metrics/metrics.ts";
import type { NodePools } from "./pool.ts";

/** What came of sending one record to one node once. */
export type Attempt = { readonly ms: number } & (
  | {
      readonly kind: "answer";
      readonly status: number;
      readonly headers: readonly string[];
      readonly body: Uint8Array;
      /** The body went over the limit and was dropped; the status still stands. */
      readonly tooLarge: boolean;
    }
  /** Certainly no byte was sent. `refused`: nobody listens there. */
  | { readonly kind: "unsent"; readonly timedOut: boolean; readonly reason: string; readonly error: Error }
  /** Bytes may have been sent, and no whole answer came: the app may have carried it out. */
  | { readonly kind: "lost"; readonly timedOut: boolean; readonly reason: string; readonly error: Error }
);

export interface LegOptions {
  readonly method: string;
  readonly target: string;
  readonly headers: string[];
  readonly body: Uint8Array;
  /** ms for the whole attempt. */
  readonly timeout: number;
  /** Bytes of the answer's body that are kept. */
  readonly maxAnswer: number;
}

/** Sends one write to one node and buffers the answer. Never rejects: a failure is an attempt, too. */
export function sendLeg(pools: NodePools, options: LegOptions): Promise<Attempt> {
  return new Promise((resolve) => {
    const leg = new Leg(pools, options, resolve);
    pools.writes.dispatch(
      {
        method: options.method as Dispatcher.HttpMethod,
        path: options.target,
        headers: options.headers,
        body: options.body.byteLength > 0 ? options.body : null,
      },
      leg,
    );
  });
}

/** undici's handler in its raw form: headers arrive as buffers, and nothing is parsed that is not needed. */
class Leg implements Dispatcher.DispatchHandler {
  #sent = false;
  #abort: ((error?: Error) => void) | null = null;
  #timedOut = false;
  #status = 0;
  #headers: readonly string[] = [];
  #chunks: Buffer[] = [];
  #size = 0;
  readonly #startedAt = performance.now();
  readonly #timer: NodeJS.Timeout;
  readonly #pools: NodePools;
  readonly #options: LegOptions;
  readonly #resolve: (attempt: Attempt) => void;

  constructor(pools: NodePools, options: LegOptions, resolve: (attempt: Attempt) => void) {
    this.#pools = pools;
    this.#options = options;
    this.#resolve = resolve;
    this.#timer = setTimeout(() => this.#expire(), options.timeout);
  }

  onConnect(abort: (error?: Error) => void): void {
    if (this.#timedOut) {
      abort();
      return;
    }
    this.#sent = true;
    this.#abort = abort;
  }

  onHeaders(status: number, rawHeaders: Buffer[]): boolean {
    if (status >= 200) {
      this.#status = status;
      this.#headers = this.#pools.answers.forClient(status, rawHeaders);
    }
    return true;
  }

  onData(chunk: Buffer): boolean {
    this.#size += chunk.byteLength;
    if (this.#size <= this.#options.maxAnswer) this.#chunks.push(chunk);
    else this.#chunks = [];
    return true;
  }

  onComplete(): void {
    const tooLarge = this.#size > this.#options.maxAnswer;
    const [first] = this.#chunks;
    const body = this.#chunks.length === 1 && first !== undefined ? first : Buffer.concat(this.#chunks);
    const ms = this.#elapsed();
    this.#finish({ kind: "answer", status: this.#status, headers: this.#headers, body, tooLarge, ms });
  }

  onError(error: Error): void {
    if (isWhole(this.#status, error)) {
      this.onComplete();
      return;
    }
    const timedOut = this.#timedOut;
    const reason = timedOut ? this.#late() : reasonOf(error);
    const ms = this.#elapsed();
    this.#finish({ kind: this.#sent ? "lost" : "unsent", timedOut, reason, error, ms });
  }

  #expire(): void {
    this.#timedOut = true;
    this.#abort?.(new Error(this.#late()));
    // Still waiting for a connection: undici has nothing to abort yet, onConnect will do it.
    if (!this.#sent) this.onError(new Error(this.#late()));
  }

  #late(): string {
    return `no answer within ${this.#options.timeout} ms`;
  }

  #elapsed(): number {
    return performance.now() - this.#startedAt;
  }

  #finish(attempt: Attempt): void {
    clearTimeout(this.#timer);
    this.#resolve(attempt);
  }
}

export type { LegOutcome };

/** How a write's attempt without an answer ended. */
export function unanswered(attempt: Exclude<Attempt, { kind: "answer" }>): LegOutcome {
  if (attempt.kind === "unsent" && attempt.timedOut) return "queued";
  return failedOutcome(attempt.error, attempt.timedOut);
}

/** What went wrong, of an attempt that was not the last word: an answer to be retried, or none (status null). */
export function failureOf(attempt: Attempt): { status: number | null; reason: string } {
  if (attempt.kind === "answer") return { status: attempt.status, reason: `answered ${attempt.status}` };
  return { status: null, reason: attempt.reason };
}

/** Why an attempt has no answer. `connect`: nobody listens there; the node's process is gone, not slow. */
export function failedOutcome(error: unknown, timedOut: boolean): LegOutcome {
  if (timedOut) return "timeout";
  return codeOf(error) === "ECONNREFUSED" ? "connect" : "reset";
}

/** A short reason for logs and `status`: the system's code where there is one. */
export function reasonOf(error: unknown): string {
  const code = codeOf(error);
  const message = error instanceof Error ? error.message : String(error);
  if (code === "UND_ERR_SOCKET" && message === "bad upgrade")
    return "answered 101 Switching Protocols, which it was not asked for";
  return code === undefined || message.includes(code) ? message : `${code}: ${message}`;
}

function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const { code } = error as NodeJS.ErrnoException;
  if (typeof code === "string") return code;
  return error instanceof AggregateError ? codeOf(error.errors[0]) : codeOf(error.cause);
}
