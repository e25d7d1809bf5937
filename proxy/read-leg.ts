import type { Dispatcher } from "undici";
import { LbError } from "./errors.ts";
import type { Exchange } from "./exchange.ts";
import { isWhole } from "./http/bodiless.ts";
import { LimitedBody } from "./http/limited-body.ts";
import { failedOutcome, type LegOutcome, reasonOf } from "./leg.ts";
import type { UpstreamNode } from "./node.ts";
import type { NodePools } from "./pool.ts";
import { ReadAnswer } from "./read-answer.ts";
import type { Claim } from "./read-pool.ts";
import type { LegTrace } from "./tracing/tracing.ts";

/** The read that an attempt belongs to: it decides what follows. */
export interface ReadLegOwner {
  readonly exchange: Exchange;
  /** What the request's body may have: bytes, and ms. */
  readonly bodyLimits: { readonly readBody: number; readonly bodyTimeout: number };
  /** The attempt's end, before what follows from it; `reason`: why the node gave no whole answer, else null. */
  ended(node: UpstreamNode, outcome: LegOutcome, startedAt: number, reason: string | null): void;
  /** The answer is through. */
  succeeded(node: UpstreamNode): void;
  /** It waited for a connection in vain: nothing was sent. `timeUp`: waiting has taken as long as it may. */
  unsent(timeUp: boolean): void;
  /** Nothing of an answer has gone to the client. */
  failed(node: UpstreamNode, outcome: LegOutcome, reason: string): void;
  /** The answer broke off in the middle. */
  broke(node: UpstreamNode): void;
  /** The request itself cannot go on. */
  refused(error: LbError): void;
}

/** One attempt at a read: undici's handler in its raw form. Streams the answer, with backpressure. */
export class ReadLeg implements Dispatcher.DispatchHandler, Claim {
  readonly #read: ReadLegOwner;
  readonly #node: UpstreamNode;
  readonly #pools: NodePools;
  readonly #trace: LegTrace;
  /** When it was sent, or began to wait for a connection. */
  #startedAt = performance.now();
  /** Of the wait for a connection, then of the node's first byte, then of the whole read. */
  #timer: NodeJS.Timeout | undefined;
  #sent = false;
  /** The client's, on its way to the node. */
  #body: LimitedBody | null = null;
  #abort: (() => void) | null = null;
  readonly #answer: ReadAnswer;
  #over = false;
  #timedOut = false;
  #aborted = false;

  /** @param attempt 1 for the first of its read */
  constructor(read: ReadLegOwner, node: UpstreamNode, pools: NodePools, attempt: number) {
    this.#read = read;
    this.#node = node;
    this.#pools = pools;
    this.#trace = read.exchange.trace.leg(node, attempt);
    this.#answer = new ReadAnswer(read.exchange.response);
  }

  /** Sends it, at once or when a connection is free. */
  start(): void {
    this.#node.readsInFlight++;
    this.#pools.reads.claim(this);
    if (!this.#sent) this.#setTimer();
  }

  granted(connections: Dispatcher): void {
    if (this.#timer !== undefined && !this.#mayStillGo()) return;
    this.#sent = true;
    this.#setTimer();
    const { inspected, request } = this.#read.exchange;
    if (inspected.hasBody)
      this.#body = new LimitedBody(request, this.#read.bodyLimits.readBody, () => this.#bodySent());
    connections.dispatch(
      {
        method: request.method as Dispatcher.HttpMethod,
        path: inspected.target,
        headers: this.#trace.headers,
        body: this.#body?.stream ?? null,
      },
      this,
    );
  }

  /** After a wait: the node has all its time from now on, if it may still answer reads (promise 5). */
  #mayStillGo(): boolean {
    clearTimeout(this.#timer);
    this.#startedAt = performance.now();
    if (this.#node.state === "in-sync") return true;
    this.#giveUp(false);
    return false;
  }

  abort(): void {
    this.#aborted = true;
    // First: undici reports the abort at once, and it is no failure of the node's.
    this.#finish(this.#sent ? "aborted" : "queued");
    this.#abort?.();
  }

  /** The timer: no connection, or no first byte in time; or, when the answer has begun, the whole read's time. */
  expire(): void {
    if (!this.#sent) {
      this.#giveUp(true);
      return;
    }
    const { response } = this.#read.exchange;
    const left = this.#timeLeft();
    if (this.#answer.status === 0 && this.#body?.waitsForClient) {
      this.#clientIsSlow(left);
      return;
    }
    if (this.#answer.begun && left <= 0 && response.writableNeedDrain) {
      // The client has not read what is there: it had its time, and the node is not why.
      this.abort();
      this.#read.broke(this.#node);
      return;
    }
    if (this.#answer.status > 0 && left > 0) {
      this.#answer.flush();
      this.#timer = setTimeout(expire, left, this);
      return;
    }
    this.#timedOut = true;
    if (this.#abort !== null) this.#abort();
    else this.onError(new Error("no connection to it in time"));
  }

  /** The node cannot answer before it has the body: nothing is its fault. @param left ms of the read's time */
  #clientIsSlow(left: number): void {
    const { bodyTimeout } = this.#read.bodyLimits;
    const more = Math.min(left, bodyTimeout - (performance.now() - this.#startedAt));
    if (more > 0) {
      this.#timer = setTimeout(expire, Math.min(more, this.#read.exchange.route.firstByteTimeout), this);
      return;
    }
    this.abort();
    const limit =
      left > 0 ? `${bodyTimeout} ms (limits.bodyTimeout)` : "the read's time (timeout of its route)";
    this.#read.refused(
      new LbError("body_timeout", `expected the whole body within ${limit}, got a part of it`),
    );
  }

  /** From now on the node has its time for the first byte. */
  #bodySent(): void {
    if (this.#over || this.#answer.status > 0) return;
    clearTimeout(this.#timer);
    this.#setTimer();
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
    this.#answer.head(status, statusText, headers, resume);
    this.#node.aliveAt = performance.now();
    return true;
  }

  onData(chunk: Buffer): boolean {
    return this.#answer.data(chunk);
  }

  onComplete(): void {
    if (this.#over) return;
    const answer = this.#answer;
    answer.begin();
    this.#finish(answer.status < 500 ? "ok" : "http_5xx");
    answer.end();
    this.#read.succeeded(this.#node);
  }

  onError(error: Error): void {
    if (this.#over) return;
    if (error instanceof LbError) {
      this.#finish("aborted");
      this.#read.refused(error);
    } else if (isWhole(this.#answer.status, error)) this.onComplete();
    else this.#failed(failedOutcome(error, this.#timedOut), reasonOf(error));
  }

  #setTimer(): void {
    const { firstByteTimeout } = this.#read.exchange.route;
    this.#timer = setTimeout(expire, Math.min(firstByteTimeout, this.#timeLeft()), this);
  }

  /** Of the whole read, in ms. */
  #timeLeft(): number {
    const { route, startedAt } = this.#read.exchange;
    return route.timeout - (performance.now() - startedAt);
  }

  #giveUp(timeUp: boolean): void {
    this.#finish("queued");
    this.#read.unsent(timeUp);
  }

  #failed(outcome: LegOutcome, reason: string): void {
    this.#finish(outcome, reason);
    if (this.#answer.begun) this.#read.broke(this.#node);
    else this.#read.failed(this.#node, outcome, reason);
  }

  #finish(outcome: LegOutcome, reason: string | null = null): void {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#timer);
    this.#node.readsInFlight--;
    this.#trace.end(outcome, this.#answer.begun ? this.#answer.status : 0);
    this.#read.ended(this.#node, outcome, this.#startedAt, reason);
    this.#pools.reads.release(this);
  }
}

function expire(leg: ReadLeg): void {
  leg.expire();
}
