/**
 * The read path: one node picked, the request streamed to it, its answer streamed back. A read that failed
 * before any byte of the answer arrived is tried on the next node.
 */

import type { IncomingMessage, ServerResponse } from "node:http";
import { Readable } from "node:stream";
import type { Dispatcher } from "undici";
import type { Balancer } from "./balancer.ts";
import { LbError } from "./errors.ts";
import type { Inspected } from "./http/framing.ts";
import { wantBody } from "./http/http-server.ts";
import { failedOutcome, type LegOutcome, reasonOf } from "./leg.ts";
import type { UpstreamNode } from "./node.ts";
import type { NodePools } from "./pool.ts";
import { RetryBudget } from "./retry-budget.ts";
import type { LegTrace, RequestTrace } from "./tracing/tracing.ts";

/** What the read path needs to know of its route. */
export interface ReadSettings {
  readonly name: string;
  /** ms until a node must have begun its answer; for the whole read. */
  readonly firstByteTimeout: number;
  readonly timeout: number;
}

export interface ReaderOptions {
  /** The nodes that may answer now, in config order. */
  readonly inSync: () => readonly UpstreamNode[];
  readonly pools: (node: UpstreamNode) => NodePools;
  readonly events: ReadEvents;
  readonly limits: () => {
    readonly readBody: number;
    readonly readsOpen: number;
    readonly retryBudget: number;
  };
}

/** What the read path saw of a node; the owner decides what follows. */
export interface ReadEvents {
  leg(exchange: Exchange, end: ReadLegEnd): void;
  retried(route: string): void;
  /** The answer is through, or the client has its error; `error` null: a node's answer. */
  done(exchange: Exchange, error: LbError | null, node: UpstreamNode | null): void;
}

/** How one attempt at a read ended. */
export interface ReadLegEnd {
  readonly node: UpstreamNode;
  readonly outcome: LegOutcome;
  /** 1 for the first node that it was sent to. */
  readonly attempt: number;
  /** Monotonic ms. */
  readonly startedAt: number;
  /** Null: an answer came, or the client left. */
  readonly error: Error | null;
}

/** One request from a client, and where its answer goes. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly inspected: Inspected;
  readonly trace: RequestTrace;
  readonly route: ReadSettings;
  /** Monotonic ms. */
  readonly startedAt: number;
}

/** Methods that may be sent twice without harm (RFC 9110 §9.2.1). */
const SAFE = new Set(["GET", "HEAD", "OPTIONS"]);

export class Reader {
  readonly options: ReaderOptions;
  readonly budget: RetryBudget;
  open = 0;

  constructor(options: ReaderOptions) {
    this.options = options;
    this.budget = new RetryBudget(options.limits().retryBudget);
  }

  read(exchange: Exchange, balancer: Balancer): void {
    const { readsOpen, readBody } = this.options.limits();
    const length = exchange.inspected.contentLength ?? 0;
    if (length > readBody) {
      const detail = `expected at most ${readBody} bytes (limits.readBody), got ${length}`;
      this.options.events.done(exchange, new LbError("body_too_large", detail), null);
      return;
    }
    if (this.open >= readsOpen) {
      const detail = `expected at most ${readsOpen} reads at a time (limits.readsOpen), got one more`;
      this.options.events.done(exchange, new LbError("too_many_requests_open", detail), null);
      return;
    }
    this.open++;
    this.budget.deposit();
    wantBody(exchange.response, exchange.inspected);
    new Read(this, exchange, balancer).next();
  }
}

/** One read, over all its attempts. */
class Read {
  readonly reader: Reader;
  readonly exchange: Exchange;
  readonly #balancer: Balancer;
  readonly #tried: UpstreamNode[] = [];
  #leg: ReadLeg | null = null;
  #timedOut = false;
  /** Timed out at a node that stayed in the reads: one other node is tried, no more. */
  #slow = false;
  #over = false;

  constructor(reader: Reader, exchange: Exchange, balancer: Balancer) {
    this.reader = reader;
    this.exchange = exchange;
    this.#balancer = balancer;
    exchange.response.once("close", () => this.#clientLeft());
  }

  /** Sends it to a node that has not been tried, or ends it. */
  next(): void {
    const { options } = this.reader;
    const node = this.#balancer.pick(options.inSync(), this.#tried);
    if (node === undefined) {
      this.#fail();
      return;
    }
    this.#tried.push(node);
    const { inspected, request } = this.exchange;
    const pools = options.pools(node);
    const leg = new ReadLeg(this, node, pools, this.#tried.length);
    this.#leg = leg;
    node.readsInFlight++;
    pools.reads.dispatch(
      {
        method: request.method as Dispatcher.HttpMethod,
        path: inspected.target,
        headers: leg.trace.headers,
        body: inspected.hasBody ? Readable.from(limited(request, options.limits().readBody)) : null,
      },
      leg,
    );
  }

  /** The answer is through. */
  succeeded(node: UpstreamNode): void {
    this.#end(null, node);
  }

  /**
   * An attempt failed before the first byte of an answer: another node, if that is safe and allowed. The budget
   * is there for nodes that are slow: where the node left the reads meanwhile, nothing is multiplied by a retry.
   */
  failed(node: UpstreamNode, error: unknown, timedOut: boolean): void {
    if (this.#over) return;
    const slow = timedOut && node.state === "in-sync";
    const retry = this.#mayRetry(slow);
    this.#timedOut ||= timedOut;
    this.#slow ||= slow;
    if (retry) {
      this.reader.options.events.retried(this.exchange.route.name);
      this.next();
    } else this.#fail(error);
  }

  /** The request itself cannot go on: its body is over the limit. */
  refused(error: LbError): void {
    this.#end(error, null);
  }

  /** The answer broke off in the middle: the client must notice. */
  broke(node: UpstreamNode): void {
    this.exchange.response.destroy();
    this.#end(null, node);
  }

  #mayRetry(slow: boolean): boolean {
    const { request, inspected, route, startedAt } = this.exchange;
    if (inspected.hasBody || !SAFE.has(request.method ?? "")) return false;
    if (performance.now() - startedAt >= route.timeout) return false;
    if (!slow) return true;
    return !this.#slow && this.reader.budget.withdraw();
  }

  #fail(cause?: unknown): void {
    const { route } = this.exchange;
    const tried = this.#tried.map((node) => node.name).join(", ");
    if (tried === "") {
      this.#end(new LbError("no_in_sync_node", "no node is in-sync, so no node may answer a read"), null);
    } else if (this.#timedOut) {
      const detail = `expected an answer to begin within ${route.firstByteTimeout} ms, got none from ${tried}`;
      this.#end(new LbError("read_timeout", detail, { cause }), null);
    } else {
      this.#end(
        new LbError("all_nodes_failed", `expected an answer, got none from ${tried}`, { cause }),
        null,
      );
    }
  }

  #clientLeft(): void {
    if (this.#over) return;
    this.#leg?.abort();
    this.#end(null, null);
  }

  #end(error: LbError | null, node: UpstreamNode | null): void {
    if (this.#over) return;
    this.#over = true;
    this.reader.open--;
    this.reader.options.events.done(this.exchange, error, node);
  }
}

/** One attempt: undici's handler in its raw form. Streams the answer, with backpressure. */
class ReadLeg implements Dispatcher.DispatchHandler {
  readonly trace: LegTrace;
  readonly #read: Read;
  readonly #node: UpstreamNode;
  readonly #pools: NodePools;
  readonly #attempt: number;
  readonly #startedAt = performance.now();
  #timer: NodeJS.Timeout;
  #abort: (() => void) | null = null;
  #resume: (() => void) | null = null;
  #begun = false;
  #over = false;
  #timedOut = false;
  #aborted = false;

  constructor(read: Read, node: UpstreamNode, pools: NodePools, attempt: number) {
    this.#read = read;
    this.#node = node;
    this.#pools = pools;
    this.#attempt = attempt;
    this.trace = read.exchange.trace.leg(node, attempt);
    const { route, startedAt } = read.exchange;
    const left = route.timeout - (this.#startedAt - startedAt);
    this.#timer = setTimeout(expire, Math.min(route.firstByteTimeout, left), this);
  }

  abort(): void {
    this.#aborted = true;
    // First: undici reports the abort at once, and it is no failure of the node's.
    this.#finish("aborted");
    this.#abort?.();
  }

  /** The timer: no first byte in time; or, when the answer has begun, the rest of the whole read's time. */
  expire(): void {
    const { route, startedAt } = this.#read.exchange;
    const left = route.timeout - (performance.now() - startedAt);
    if (this.#begun && left > 0) {
      this.#timer = setTimeout(expire, left, this);
      return;
    }
    this.#timedOut = true;
    if (this.#abort !== null) this.#abort();
    else this.onError(new Error("no connection in time"));
  }

  onConnect(abort: () => void): void {
    if (this.#aborted || this.#timedOut) abort();
    else this.#abort = abort;
  }

  onHeaders(status: number, rawHeaders: Buffer[], resume: () => void, statusText: string): boolean {
    const { response, request } = this.#read.exchange;
    if (status < 200) {
      if (status === 103 && request.httpVersionMinor === 1)
        informational(response, this.#pools.answers.forClient(rawHeaders));
      return true;
    }
    this.#begun = true;
    this.#resume = resume;
    this.#node.aliveAt = performance.now();
    response.writeHead(status, statusText, this.#pools.answers.forClient(rawHeaders));
    return true;
  }

  onData(chunk: Buffer): boolean {
    const { response } = this.#read.exchange;
    if (response.write(chunk)) return true;
    response.once("drain", this.#resume ?? (() => {}));
    return false;
  }

  onComplete(): void {
    if (this.#over) return;
    this.#finish(this.#read.exchange.response.statusCode < 500 ? "ok" : "http_5xx");
    this.#read.exchange.response.end();
    this.#read.succeeded(this.#node);
  }

  onError(error: Error): void {
    if (this.#over) return;
    if (error instanceof LbError) this.#finish("aborted");
    else this.#finish(failedOutcome(error, this.#timedOut), error);
    if (error instanceof LbError) this.#read.refused(error);
    else if (this.#begun) this.#read.broke(this.#node);
    else this.#read.failed(this.#node, new Error(reasonOf(error)), this.#timedOut);
  }

  #finish(outcome: LegOutcome, error: Error | null = null): void {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#timer);
    this.#node.readsInFlight--;
    this.trace.end(outcome, this.#begun ? this.#read.exchange.response.statusCode : 0);
    const end = { node: this.#node, outcome, attempt: this.#attempt, startedAt: this.#startedAt, error };
    this.#read.reader.options.events.leg(this.#read.exchange, end);
  }
}

function expire(leg: ReadLeg): void {
  leg.expire();
}

/** 103 Early Hints go on to the client (RFC 9110 §15.2); other 1xx end at the balancer. */
function informational(response: ServerResponse, headers: readonly string[]): void {
  const hints: Record<string, string[]> = {};
  for (let index = 0; index < headers.length; index += 2) {
    const name = (headers[index] ?? "").toLowerCase();
    hints[name] = [...(hints[name] ?? []), headers[index + 1] ?? ""];
  }
  if (hints.link !== undefined) response.writeEarlyHints({ ...hints, link: hints.link });
}

/** The client's body, up to a limit; beyond it the attempt is cut off. */
async function* limited(request: IncomingMessage, most: number): AsyncGenerator<Buffer> {
  let size = 0;
  // The request must outlive the attempt: its connection still carries the answer.
  const chunks: AsyncIterable<Buffer> = request.iterator({ destroyOnReturn: false });
  for await (const chunk of chunks) {
    size += chunk.byteLength;
    if (size > most) throw new LbError("body_too_large", `expected at most ${most} bytes, got more`);
    yield chunk;
  }
}
