/**
 * The read path: one node picked, the request streamed to it, its answer streamed back. A read that failed
 * before any byte of the answer arrived is tried on the next node.
 */

import type { IncomingMessage, ServerResponse } from "node:http";
import { Readable } from "node:stream";
import type { Dispatcher } from "undici";
import type { Balancer } from "./balancer.ts";
import { LbError } from "./errors.ts";
import { isWhole } from "./http/bodiless.ts";
import type { Inspected } from "./http/framing.ts";
import { wantBody } from "./http/http-server.ts";
import { failedOutcome, type LegOutcome, reasonOf } from "./leg.ts";
import type { UpstreamNode } from "./node.ts";
import type { NodePools } from "./pool.ts";
import { RetryBudget } from "./retry-budget.ts";

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

/** An attempt without a whole answer. */
export interface ReadFailure {
  readonly id: string;
  readonly route: string;
  /** 1 for the first of its read. */
  readonly attempt: number;
  readonly reason: string;
}

/** What the read path saw of a node; the owner decides what follows. */
export interface ReadEvents {
  /** Each attempt's end; `failure`: null where the node answered, or the client is why there is no answer. */
  leg(node: UpstreamNode, outcome: LegOutcome, startedAt: number, failure: ReadFailure | null): void;
  /** It goes to `node`, after another one failed it. */
  retried(route: string, node: UpstreamNode): void;
  /** The answer is through, or the client has its error; `error` null: a node's answer. */
  done(exchange: Exchange, error: LbError | null, node: UpstreamNode | null): void;
}

/** One request from a client, and where its answer goes. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly inspected: Inspected;
  readonly route: ReadSettings;
  /** Monotonic ms. */
  readonly startedAt: number;
}

/** Reason phrases that go on to the client. undici decodes them as UTF-8, so that others are not what was sent. */
const REASON = /^[\t\x20-\x7e]*$/;

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
      this.options.events.done(exchange, bodyTooLarge(detail), null);
      return;
    }
    if (this.open >= readsOpen) {
      const detail = `expected at most ${readsOpen} reads at a time (limits.readsOpen), got one more`;
      const error = new LbError("too_many_requests_open", detail, { extra: { limit: "limits.readsOpen" } });
      this.options.events.done(exchange, error, null);
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
    if (this.#tried.length > 0) options.events.retried(this.exchange.route.name, node);
    this.#tried.push(node);
    const { inspected, request } = this.exchange;
    const pools = options.pools(node);
    this.#leg = new ReadLeg(this, node, pools);
    node.readsInFlight++;
    pools.reads.dispatch(
      {
        method: request.method as Dispatcher.HttpMethod,
        path: inspected.target,
        headers: inspected.headers,
        body: inspected.hasBody ? Readable.from(limited(request, options.limits().readBody)) : null,
      },
      this.#leg,
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
    if (retry) this.next();
    else this.#fail(error);
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

  /** What is told of the attempt under way. */
  failure(reason: string): ReadFailure {
    const { inspected, route } = this.exchange;
    return { id: inspected.requestId, route: route.name, attempt: this.#tried.length, reason };
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
  readonly #read: Read;
  readonly #node: UpstreamNode;
  readonly #pools: NodePools;
  readonly #startedAt = performance.now();
  #timer: NodeJS.Timeout;
  #abort: (() => void) | null = null;
  #resume: (() => void) | null = null;
  #begun = false;
  #over = false;
  #timedOut = false;
  #aborted = false;

  constructor(read: Read, node: UpstreamNode, pools: NodePools) {
    this.#read = read;
    this.#node = node;
    this.#pools = pools;
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
    const headers = this.#pools.answers.forClient(status, rawHeaders);
    if (status < 200) {
      // Early Hints go on to the client (RFC 9110 §15.2); other 1xx end here.
      if (status === 103 && request.httpVersionMinor === 1) response.writeInformation(status, headers);
      return true;
    }
    this.#begun = true;
    this.#resume = resume;
    this.#node.aliveAt = performance.now();
    response.writeHead(status, REASON.test(statusText) ? statusText : "", headers);
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
    if (this.#begun && isWhole(this.#read.exchange.response.statusCode, error)) {
      this.onComplete();
      return;
    }
    if (error instanceof LbError) {
      this.#finish("aborted");
      this.#read.refused(error);
      return;
    }
    const reason = reasonOf(error);
    this.#finish(failedOutcome(error, this.#timedOut), reason);
    if (this.#begun) this.#read.broke(this.#node);
    else this.#read.failed(this.#node, new Error(reason), this.#timedOut);
  }

  #finish(outcome: LegOutcome, reason: string | null = null): void {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#timer);
    this.#node.readsInFlight--;
    const failure = reason === null ? null : this.#read.failure(reason);
    this.#read.reader.options.events.leg(this.#node, outcome, this.#startedAt, failure);
  }
}

function expire(leg: ReadLeg): void {
  leg.expire();
}

function bodyTooLarge(detail: string): LbError {
  return new LbError("body_too_large", detail, { extra: { limit: "limits.readBody" } });
}

/** The client's body, up to a limit; beyond it the attempt is cut off. */
async function* limited(request: IncomingMessage, most: number): AsyncGenerator<Buffer> {
  let size = 0;
  // The request must outlive the attempt: its connection still carries the answer.
  const chunks: AsyncIterable<Buffer> = request.iterator({ destroyOnReturn: false });
  for await (const chunk of chunks) {
    size += chunk.byteLength;
    if (size > most) throw bodyTooLarge(`expected at most ${most} bytes, got more`);
    yield chunk;
  }
}
