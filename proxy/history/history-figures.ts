import type { ClusterSeries, NodeSeries, NodeStatus, RouteSeries, RouteStatus, Status } from "../api.ts";
import type { Metrics } from "../metrics/metrics.ts";
import { NODE_STATES } from "../node-state.ts";
import { type Latency, LatencyWindow } from "./history-latency.ts";

/** Where durations are read from. */
export type Durations = Pick<Metrics, "routeSeconds" | "nodeSeconds">;

export interface Figures {
  readonly cluster: Readonly<Record<ClusterSeries, number>>;
  readonly nodes: ReadonlyMap<string, Readonly<Record<NodeSeries, number>>>;
  readonly routes: ReadonlyMap<string, Readonly<Record<RouteSeries, number>>>;
}

/** Turns what the balancer counts since its start into rates and percentiles of now. */
export class HistoryFigures {
  readonly #metrics: Durations;
  readonly #windows = new Map<string, LatencyWindow>();
  #before: { readonly status: Status; readonly at: number } | null = null;

  constructor(metrics: Durations) {
    this.#metrics = metrics;
  }

  /** Figures of the time since the last call. @param at ms since the epoch */
  take(status: Status, at: number): Figures {
    const used = new Set<string>();
    const latency = (key: string, of: Parameters<LatencyWindow["sample"]>[0]): Latency => {
      used.add(key);
      const window = this.#windows.get(key) ?? new LatencyWindow();
      this.#windows.set(key, window);
      return window.sample(of);
    };
    const figures = {
      cluster: this.#cluster(status, at, latency),
      nodes: new Map(status.nodes.map((node) => [node.name, this.#node(node, at, latency)])),
      routes: new Map(status.routes.map((route) => [route.name, this.#route(route, at, latency)])),
    };
    for (const key of [...this.#windows.keys()]) if (!used.has(key)) this.#windows.delete(key);
    this.#before = { status, at };
    return figures;
  }

  #cluster(status: Status, at: number, latency: Latencies): Figures["cluster"] {
    const { totals, nodes } = status;
    const before = this.#before?.status.totals;
    const seconds = (to: RouteStatus["to"]) =>
      status.routes
        .filter((route) => route.to === to)
        .flatMap(({ name }) => this.#metrics.routeSeconds(name));
    return {
      reads: this.#rate(totals.reads, before?.reads, at),
      readErrors: this.#rate(totals.readErrors, before?.readErrors, at),
      ...prefixed("read", latency("reads", seconds("one"))),
      writes: this.#rate(totals.writes, before?.writes, at),
      writeErrors: this.#rate(totals.writeErrors, before?.writeErrors, at),
      ...prefixed("write", latency("writes", seconds("all"))),
      inSync: status.inSync,
      lag: nodes.reduce((most, { lag }) => Math.max(most, lag), 0),
      journal: status.journalBytes / status.journalMaxBytes,
    };
  }

  #node(node: NodeStatus, at: number, latency: Latencies): Record<NodeSeries, number> {
    const { reads, writes } = this.#metrics.nodeSeconds(node.name);
    const before = this.#before?.status.nodes.find(({ name }) => name === node.name);
    return {
      state: NODE_STATES.indexOf(node.state),
      lag: node.lag,
      oldest: node.oldestUndelivered,
      reads: this.#rate(node.reads, before?.reads, at),
      ...prefixed("read", latency(`reads of ${node.name}`, reads)),
      writes: this.#rate(node.acks, before?.acks, at),
      ...prefixed("write", latency(`writes of ${node.name}`, writes)),
      errors: this.#rate(
        node.readErrors + node.ackErrors,
        before && before.readErrors + before.ackErrors,
        at,
      ),
    };
  }

  #route(route: RouteStatus, at: number, latency: Latencies): Record<RouteSeries, number> {
    const before = this.#before?.status.routes.find(({ name }) => name === route.name);
    return {
      requests: this.#rate(route.requests, before?.requests, at),
      errors: this.#rate(route.errors, before?.errors, at),
      ...latency(`route ${route.name}`, this.#metrics.routeSeconds(route.name)),
    };
  }

  /** A second; NaN for the first sample. A count that fell began anew with its node. */
  #rate(now: number, before: number | undefined, at: number): number {
    if (before === undefined || this.#before === null) return Number.NaN;
    const seconds = Math.max(0.001, (at - this.#before.at) / 1000);
    return Math.max(0, now - before) / seconds;
  }
}

type Latencies = (key: string, of: Parameters<LatencyWindow["sample"]>[0]) => Latency;

function prefixed<P extends string>(prefix: P, latency: Latency): Record<`${P}${keyof Latency}`, number> {
  const { P50, P90, P99 } = latency;
  return { [`${prefix}P50`]: P50, [`${prefix}P90`]: P90, [`${prefix}P99`]: P99 } as Record<
    `${P}${keyof Latency}`,
    number
  >;
}
