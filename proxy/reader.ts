/**
 * The read path: one node picked, the request streamed to it, its answer streamed back. A read that failed
 * before its answer began is tried on the next node.
 */

import type { Balancer } from "./balancer.ts";
import { LbError } from "./errors.ts";
import type { Exchange, ReadFailure } from "./exchange.ts";
import { wantBody } from "./http/http-server.ts";
import { bodyTooLarge } from "./http/limited-body.ts";
import { breakOff } from "./http/traffic-response.ts";
import type { LegOutcome } from "./leg.ts";
import type { UpstreamNode } from "./node.ts";
import type { NodePools } from "./pool.ts";
import { ReadLeg, type ReadLegOwner } from "./read-leg.ts";
import { RetryBudget } from "./retry-budget.ts";

export interface ReaderOptions {
  /** The nodes that may answer now, in config order. */
  readonly inSync: () => readonly UpstreamNode[];
  readonly pools: (node: UpstreamNode) => NodePools;
  readonly events: ReadEvents;
  readonly limits: () => {
    readonly readBody: number;
    readonly bodyTimeout: number;
    readonly readsOpen: number;
    readonly readConnections: number;
    readonly retryBudget: number;
  };
}

/** What the read path saw of a node; the owner decides what follows. */
export interface ReadEvents {
  /** Each attempt's end; `failure`: null where the node answered, or the client is why there is no answer. */
  leg(node: UpstreamNode, outcome: LegOutcome, startedAt: number, failure: ReadFailure | null): void;
  /** It goes to `node`, after another one failed it or had no connection free. */
  retried(route: string, node: UpstreamNode): void;
  /** The answer is through, or the client has its error; `error` null: a node's answer. */
  done(exchange: Exchange, error: LbError | null, node: UpstreamNode | null): void;
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
class Read implements ReadLegOwner {
  readonly reader: Reader;
  readonly exchange: Exchange;
  readonly #balancer: Balancer;
  readonly #tried: UpstreamNode[] = [];
  #leg: ReadLeg | null = null;
  #timedOut = false;
  /** Timed out at a node that stayed in the reads: one other node is tried, no more. */
  #slow = false;
  /** Waited for a connection for as long as it may. */
  #waited = false;
  #over = false;

  constructor(reader: Reader, exchange: Exchange, balancer: Balancer) {
    this.reader = reader;
    this.exchange = exchange;
    this.#balancer = balancer;
    exchange.response.once("close", () => this.#clientLeft());
  }

  /** Sends it to a node that has not been tried, or ends it. */
  next(): void {
    const node = this.#pick();
    if (node === undefined) {
      this.#fail();
      return;
    }
    const { events, pools } = this.reader.options;
    if (this.#tried.length > 0) events.retried(this.exchange.route.name, node);
    this.#tried.push(node);
    this.#leg = new ReadLeg(this, node, pools(node), this.#tried.length);
    this.#leg.start();
  }

  /** The node whose turn it is; one without a free connection only if no other has one, and then it waits once. */
  #pick(): UpstreamNode | undefined {
    const { inSync, pools } = this.reader.options;
    const node = this.#balancer.pick(inSync(), this.#tried);
    if (node === undefined || pools(node).reads.hasRoom) return node;
    const free = inSync().filter((other) => pools(other).reads.hasRoom);
    return this.#balancer.pick(free, this.#tried) ?? (this.#waited ? undefined : node);
  }

  get bodyLimits(): { readonly readBody: number; readonly bodyTimeout: number } {
    return this.reader.options.limits();
  }

  ended(node: UpstreamNode, outcome: LegOutcome, startedAt: number, reason: string | null): void {
    this.reader.options.events.leg(node, outcome, startedAt, reason === null ? null : this.#failed(reason));
  }

  #failed(reason: string): ReadFailure {
    const { inspected, trace, route } = this.exchange;
    return {
      id: inspected.requestId,
      trace: trace.id,
      route: route.name,
      attempt: this.#tried.length,
      reason,
    };
  }

  /** The answer is through. */
  succeeded(node: UpstreamNode): void {
    this.#end(null, node);
  }

  /** Nothing was sent, so that any other node will do, whatever the method; no load is multiplied by that. */
  unsent(timeUp: boolean): void {
    if (this.#over) return;
    this.#waited ||= timeUp;
    if (this.#isLate()) this.#fail();
    else this.next();
  }

  /**
   * An attempt failed before the first byte of an answer: another node, if that is safe and allowed. The budget
   * is there for nodes that are slow: where the node left the reads meanwhile, nothing is multiplied by a retry.
   */
  failed(node: UpstreamNode, outcome: LegOutcome, reason: string): void {
    if (this.#over) return;
    const slow = outcome === "timeout" && node.state === "in-sync";
    const retry = this.#mayRetry(slow);
    this.#timedOut ||= outcome === "timeout";
    this.#slow ||= slow;
    if (retry) this.next();
    else this.#fail(new Error(reason));
  }

  /** The request itself cannot go on: its body is over the limit. */
  refused(error: LbError): void {
    this.#end(error, null);
  }

  /** The answer broke off in the middle: the client must notice. */
  broke(node: UpstreamNode): void {
    breakOff(this.exchange.response);
    this.#end(null, node);
  }

  #mayRetry(slow: boolean): boolean {
    const { request, inspected } = this.exchange;
    if (inspected.hasBody || !SAFE.has(request.method ?? "") || this.#isLate()) return false;
    if (!slow) return true;
    return !this.#slow && this.reader.budget.withdraw();
  }

  #isLate(): boolean {
    const { route, startedAt } = this.exchange;
    return performance.now() - startedAt >= route.timeout;
  }

  #fail(cause?: unknown): void {
    this.#end(this.#failure(cause), null);
  }

  #failure(cause: unknown): LbError {
    const { firstByteTimeout } = this.exchange.route;
    const tried = this.#tried.map((node) => node.name).join(", ");
    if (tried === "")
      return new LbError("no_in_sync_node", "no node is in-sync, so no node may answer a read");
    if (this.#timedOut) {
      const detail = `expected an answer to begin within ${firstByteTimeout} ms, got none from ${tried}`;
      return new LbError("read_timeout", detail, { cause });
    }
    if (this.#waited) {
      const { readConnections } = this.reader.options.limits();
      const detail = `expected a connection to a node to be free within ${firstByteTimeout} ms, got none (limits.readConnections: ${readConnections} to each)`;
      return new LbError("no_free_connection", detail, { extra: { limit: "limits.readConnections" } });
    }
    return new LbError("all_nodes_failed", `expected an answer, got none from ${tried}`, { cause });
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
