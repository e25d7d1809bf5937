/** Claims each request for a route, or refuses it; the reader and the broadcaster do the rest. */

import type { IncomingMessage, ServerResponse } from "node:http";
import type { AccessLine } from "./access-line.ts";
import { type Balancer, createBalancer } from "./balancer.ts";
import type { Broadcaster, WriteReply } from "./broadcaster.ts";
import type { Config, RouteConfig, WriteRoute } from "./config/config.ts";
import { LbError, statusFor } from "./errors.ts";
import type { Exchange } from "./exchange.ts";
import { hasBody } from "./http/bodiless.ts";
import type { Inspected } from "./http/framing.ts";
import { withoutNamed } from "./http/headers.ts";
import { sendProblem } from "./http/problem.ts";
import type { Log } from "./log.ts";
import type { Metrics, WriteOutcome } from "./metrics/metrics.ts";
import type { UpstreamNode } from "./node.ts";
import type { Reader } from "./reader.ts";
import type { StoredAnswer } from "./record.ts";
import type { Replies } from "./replies.ts";
import { type Match, RouteTable } from "./route-table.ts";
import type { Tracing } from "./tracing/tracing.ts";

/** Since the start; what `status` shows of a route. */
export interface RouteCounts {
  requests: number;
  errors: number;
  inFlight: number;
}

type WriteExchange = Omit<Exchange, "route"> & { readonly route: WriteRoute };

/** What is known of a request when it is over. */
type RequestEnd = Pick<AccessLine, "route" | "status" | "ms" | "node" | "seq" | "code">;

export interface RouterOptions {
  readonly config: Pick<Config, "routes" | "app">;
  readonly reader: Reader;
  readonly broadcaster: Broadcaster;
  readonly replies: Replies;
  readonly tracing: Tracing;
  readonly metrics: Metrics;
  readonly log: Log;
}

export class Router {
  readonly #options: RouterOptions;
  #table: RouteTable;
  #balancers: Map<string, Balancer>;
  readonly #counts = new Map<string, RouteCounts>();

  constructor(options: RouterOptions) {
    this.#options = options;
    this.#table = tableOf(options.config);
    this.#balancers = balancersOf(options.config.routes);
  }

  /** Requests that come from now on go by these routes. */
  reload(config: Pick<Config, "routes" | "app">): void {
    this.#table = tableOf(config);
    this.#balancers = balancersOf(config.routes);
  }

  /** One request from a client, fit to be forwarded. */
  handle(request: IncomingMessage, response: ServerResponse, received: Inspected): void {
    const startedAt = performance.now();
    this.#options.metrics.requestIn(received.method);
    const trace = this.#options.tracing.request(received);
    const { inspected } = trace;
    const match = this.#table.match(inspected.method, inspected.path);
    const asked = { request, response, inspected, trace, startedAt };
    if (match.kind !== "route") {
      this.#refuse(asked, match);
      return;
    }
    const { route } = match;
    const counts = this.counts(route.name);
    counts.requests++;
    counts.inFlight++;
    if (route.to === "one") this.#read({ ...asked, route });
    else void this.#write({ ...asked, route });
  }

  counts(route: string): RouteCounts {
    let counts = this.#counts.get(route);
    if (counts === undefined) {
      counts = { requests: 0, errors: 0, inFlight: 0 };
      this.#counts.set(route, counts);
    }
    return counts;
  }

  /** A request that the listener refused itself; null: not even readable. */
  refused(error: LbError, request: IncomingMessage | null): void {
    this.#options.metrics.problem(error.code, error.extra.limit);
    this.#options.log.request({
      client: request?.socket.remoteAddress ?? "",
      method: request?.method ?? "",
      target: request?.url ?? "",
      route: null,
      status: statusFor(error.code),
      ms: 0,
      code: error.code,
    });
  }

  /** What the reader calls when a read is over. */
  readDone(exchange: Exchange, error: LbError | null, node: UpstreamNode | null): void {
    const { request, response, inspected, route, startedAt } = exchange;
    if (error !== null) this.#problem(request, response, error, inspected.requestId);
    const left = error === null && node === null;
    const status = left ? 0 : response.statusCode;
    const ms = performance.now() - startedAt;
    this.#over(route.name, status);
    this.#options.metrics.readDone(route.name, status, ms / 1000);
    this.#tell(exchange, { route: route.name, status, ms, node: node?.name, code: error?.code });
  }

  #read(exchange: Exchange): void {
    const balancer = this.#balancers.get(exchange.route.name) as Balancer;
    this.#options.reader.read(exchange, balancer);
  }

  async #write(exchange: WriteExchange): Promise<void> {
    const { request, response, inspected, route, startedAt } = exchange;
    let outcome: WriteOutcome = "ok";
    let code: string | undefined;
    let seq: number | undefined;
    try {
      const reply = await this.#options.broadcaster.write(request, response, inspected, route);
      if (reply.repeat) outcome = "repeat";
      seq = reply.seq;
      sendReply(response, reply, route);
    } catch (thrown) {
      const error = this.#asLbError(thrown);
      outcome = outcomeOf(error);
      code = error.code;
      if (typeof error.extra.seq === "number") seq = error.extra.seq;
      this.#problem(request, response, error, inspected.requestId, seq);
    }
    const ms = performance.now() - startedAt;
    const status = code === "client_left" ? 0 : response.statusCode;
    this.#over(route.name, status);
    if (seq !== undefined) {
      const reply = { at: Date.now(), ms, status, code: code ?? null, repeat: outcome === "repeat" };
      this.#options.replies.note(seq, reply);
    }
    if (outcome === "repeat" || outcome === "mismatch") this.#options.metrics.idempotency(outcome);
    const seconds = ms / 1000;
    this.#options.metrics.writeDone(route.name, { policy: route.ack, outcome, status, seconds, seq });
    this.#tell(exchange, { route: route.name, status, ms, seq, code });
  }

  /** A request is over: its line in the log, and its span. */
  #tell({ inspected, trace }: Pick<Exchange, "inspected" | "trace">, end: RequestEnd): void {
    const line: AccessLine = {
      id: inspected.requestId,
      client: inspected.peer,
      method: inspected.method,
      target: inspected.target,
      route: end.route,
      status: end.status,
      ms: end.ms,
      node: end.node,
      seq: end.seq,
      code: end.code,
      trace: trace.id,
    };
    trace.end(line);
    this.#options.log.request(line);
  }

  #over(route: string, status: number): void {
    const counts = this.counts(route);
    counts.inFlight--;
    if (status >= 500) counts.errors++;
  }

  #asLbError(thrown: unknown): LbError {
    if (thrown instanceof LbError) return thrown;
    this.#options.log.bug("write path", thrown);
    return new LbError("internal_error", "an error that nobody expected", { cause: thrown });
  }

  #refuse(asked: Omit<Exchange, "route">, match: Exclude<Match, { kind: "route" }>): void {
    const { request, response, inspected } = asked;
    const error = match.kind === "no-route" ? noRoute() : wrongMethod(inspected.method, match.allow);
    this.#problem(request, response, error, inspected.requestId);
    this.#tell(asked, { route: null, status: statusFor(error.code), ms: 0, code: error.code });
  }

  #problem(
    request: IncomingMessage,
    response: ServerResponse,
    error: LbError,
    instance?: string,
    seq?: number,
  ): void {
    this.#options.metrics.problem(error.code, error.extra.limit);
    // What is left of the request's body is not read: the next request on this connection would start in it.
    if (!request.complete) response.shouldKeepAlive = false;
    sendProblem(response, error, {
      ...(instance === undefined ? {} : { instance }),
      ...(seq === undefined ? {} : { headers: ["lb-seq", String(seq)] }),
    });
  }
}

function noRoute(): LbError {
  return new LbError("no_route", "expected a path that a route takes, got another");
}

function wrongMethod(method: string, allowed: readonly string[]): LbError {
  const detail = `expected ${allowed.join(" or ")}, got ${method.slice(0, 16)}`;
  return new LbError("method_not_allowed", detail, { extra: { allow: allowed.join(", ") } });
}

function tableOf({ routes, app }: Pick<Config, "routes" | "app">): RouteTable {
  return new RouteTable(routes, [app.snapshot, app.digest]);
}

function balancersOf(routes: readonly RouteConfig[]): Map<string, Balancer> {
  const balancers = new Map<string, Balancer>();
  for (const route of routes)
    if (route.to === "one") balancers.set(route.name, createBalancer(route.balance));
  return balancers;
}

function sendReply(
  response: ServerResponse,
  { answer, seq, acks, repeat }: WriteReply,
  route: WriteRoute,
): void {
  if (response.destroyed) return;
  const { status, body } = answer;
  const headers = [...fieldsOf(answer, response.req.method === "HEAD"), "lb-seq", String(seq)];
  if (route.acksHeader && acks !== null) headers.push("lb-acks", acks);
  if (repeat) headers.push("lb-repeat", "1");
  response.writeHead(status, headers);
  response.end(body);
}

/** With its length: it was buffered, whatever framing the node chose. To HEAD a node tells what GET would give. */
function fieldsOf({ status, headers, body }: StoredAnswer, isHead: boolean): string[] {
  if (isHead) return [...headers];
  const fields = withoutNamed(headers, LENGTH);
  if (hasBody(status)) fields.push("Content-Length", String(body.byteLength));
  return fields;
}

const LENGTH = new Set(["content-length"]);

const OUTCOMES: Partial<Record<LbError["code"], WriteOutcome>> = {
  no_in_sync_node: "below_min",
  below_min_in_sync: "below_min",
  ack_timeout: "ack_timeout",
  idempotency_mismatch: "mismatch",
  client_left: "aborted",
  write_skipped: "repeat",
  answer_too_large: "failed",
  internal_error: "failed",
  journal_failed: "failed",
};

function outcomeOf(error: LbError): WriteOutcome {
  return OUTCOMES[error.code] ?? "refused";
}
