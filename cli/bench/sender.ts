import { type Dispatcher, Pool } from "undici";
import { trusting } from "../certificate.ts";

export interface RequestOptions {
  readonly method: "GET" | "POST";
  readonly path: string;
  /** Name, value, name, value …: undici's cheapest form. */
  readonly headers: string[];
  readonly body?: string;
}

const TIMEOUT = "timeout";
const KEPT_BYTES = 2048;

/** One request on its way: one object per request, no promise. A subclass says what it was for. */
export abstract class Exchange implements Dispatcher.DispatchHandler {
  readonly options: RequestOptions;
  /** The answer's; 0 while there is none, or when it did not come whole. */
  status = 0;
  /** Why there is no whole answer. */
  failure: string | null = null;
  /** Bytes of it may have left; false: certainly none. */
  sent = false;
  sentAt = 0;
  endedAt = 0;
  bodyBytes = 0;
  /** The start of the answer's body; kept only when `keepsBody` says so. */
  body = "";
  headers: Readonly<Record<string, string | string[] | undefined>> = {};
  deadline = 0;
  sender: Sender | null = null;
  #controller: Dispatcher.DispatchController | null = null;
  #startedStatus = 0;

  constructor(options: RequestOptions) {
    this.options = options;
  }

  /** Called once, when it is over either way. */
  protected abstract ended(): void;

  protected keepsBody(status: number): boolean {
    return status >= 400;
  }

  get timedOut(): boolean {
    return this.failure === TIMEOUT;
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    // Given up on while it waited for a connection: a throw here takes it off the queue and keeps the connection.
    if (this.endedAt !== 0) throw new Error(TIMEOUT);
    this.#controller = controller;
    this.sent = true;
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Exchange["headers"],
  ): void {
    this.#startedStatus = status;
    this.headers = headers;
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.bodyBytes += chunk.length;
    if (this.body.length < KEPT_BYTES && this.keepsBody(this.#startedStatus))
      this.body += chunk.toString("latin1");
  }

  onResponseEnd(): void {
    this.status = this.#startedStatus;
    this.#finish();
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error & { code?: string }): void {
    if (this.endedAt !== 0) return;
    this.failure ??= error.code ?? error.name;
    this.#finish();
  }

  /** Ends it as timed out; what is on the wire is torn down. */
  expire(): void {
    this.failure = TIMEOUT;
    const controller = this.#controller;
    this.#finish();
    controller?.abort(new Error(TIMEOUT));
  }

  #finish(): void {
    this.endedAt = performance.now();
    this.#controller = null;
    this.sender?.over(this);
    this.ended();
  }
}

const SWEEP_MS = 100;

export interface SenderOptions {
  readonly connections: number;
  readonly timeoutMs: number;
  /** As `certificate` of the settings. */
  readonly certificate?: string | null;
}

/** A keep-alive pool to one origin, with a deadline for each request (waiting for a connection included). */
export class Sender {
  readonly #pool: Pool;
  readonly #timeoutMs: number;
  /** In the order sent, so that the oldest, whose deadline is first, comes first. */
  readonly #open = new Set<Exchange>();
  readonly #sweep: NodeJS.Timeout;

  constructor(origin: string, { connections, timeoutMs, certificate = null }: SenderOptions) {
    this.#timeoutMs = timeoutMs;
    this.#pool = new Pool(origin, {
      connections,
      // The sweep below is cheaper than two timers for each request, and sees those that wait for a connection.
      headersTimeout: 0,
      bodyTimeout: 0,
      connect: { timeout: timeoutMs, ...trusting(certificate) },
      keepAliveTimeout: 30_000,
    });
    this.#sweep = setInterval(() => this.#expireOverdue(), SWEEP_MS);
  }

  get inFlight(): number {
    return this.#open.size;
  }

  send(exchange: Exchange): void {
    exchange.sender = this;
    exchange.sentAt = performance.now();
    exchange.deadline = exchange.sentAt + this.#timeoutMs;
    this.#open.add(exchange);
    this.#pool.dispatch(exchange.options, exchange);
  }

  /** An exchange's own report that it has ended. */
  over(exchange: Exchange): void {
    this.#open.delete(exchange);
  }

  /** Tears down every connection; what is in flight ends as failed. */
  async close(): Promise<void> {
    clearInterval(this.#sweep);
    await this.#pool.destroy();
  }

  #expireOverdue(): void {
    const now = performance.now();
    for (const exchange of this.#open) {
      if (exchange.deadline > now) break;
      exchange.expire();
    }
  }
}
