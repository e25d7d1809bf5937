import { collectDefaultMetrics, type Gauge, Registry } from "prom-client";
import type { NodeState } from "../api.ts";
import type { Control } from "../control.ts";
import { type Count, Family, GaugeFamily } from "./metrics-cells.ts";
import { GAUGES, type GaugeSource } from "./metrics-gauges.ts";
import { classOf, type Families, NodeCells, ProcessCells, RouteCells } from "./metrics-series.ts";
import {
  type BootstrapKind,
  type KeyOf,
  type LegOutcome,
  METRICS,
  type WriteOutcome,
} from "./metrics-table.ts";

export type { BootstrapKind, LegOutcome, WriteOutcome };

export interface MetricsOptions {
  /** Names of the config. */
  readonly routes: readonly string[];
  readonly nodes: readonly string[];
  /** Codes of the error table. */
  readonly codes: readonly string[];
}

export function createMetrics(options: MetricsOptions): Metrics {
  return new Metrics(options);
}

/**
 * What the balancer counts. Every method is a few nanoseconds of plain arithmetic, and forgives names that are
 * gone: an attempt may end after its node was removed. Durations in seconds.
 */
export class Metrics {
  readonly #registry = new Registry();
  readonly #families = makeFamilies();
  readonly #routes = new Map<string, RouteCells>();
  readonly #nodes = new Map<string, NodeCells>();
  readonly #process: ProcessCells;
  readonly #problems = new Map<string, Count>();
  #watched: Pick<Control, "status" | "isReady"> | null = null;
  #scraped: GaugeSource | null = null;

  constructor({ routes, nodes, codes }: MetricsOptions) {
    this.#process = new ProcessCells(this.#families);
    for (const code of codes) this.#problems.set(code, this.#families.problems.count({ code }));
    this.setRoutes(routes);
    this.setNodes(nodes);
    this.#register();
  }

  // Clients

  requestIn(method: string): void {
    const { received } = this.#process;
    (received.get(method) ?? (received.get("OTHER") as Count)).value++;
  }

  /** @param status 0: the client left before there was an answer */
  readDone(route: string, status: number, seconds: number): void {
    this.#routes.get(route)?.done(status, seconds);
  }

  /** @param status what the client got; 0: it left before */
  writeDone(route: string, outcome: WriteOutcome, status: number, seconds: number): void {
    const cells = this.#routes.get(route);
    if (cells === undefined) return;
    cells.done(status, seconds);
    cells.writes[outcome].value++;
  }

  /** A read is tried on one more node. */
  retry(route: string): void {
    const cells = this.#routes.get(route);
    if (cells !== undefined) cells.retries.value++;
  }

  /** A reply made by the balancer; `code` is that of the error table. */
  problem(code: string): void {
    const count = this.#problems.get(code);
    if (count !== undefined) count.value++;
  }

  idempotency(outcome: "repeat" | "mismatch"): void {
    this.#process.idempotency[outcome].value++;
  }

  // Nodes

  readLeg(node: string, outcome: LegOutcome, seconds: number): void {
    const cells = this.#nodes.get(node);
    if (cells === undefined) return;
    cells.reads[outcome].value++;
    cells.readSeconds.observe(seconds);
  }

  /** One attempt at a write. */
  leg(node: string, outcome: LegOutcome, seconds: number): void {
    const cells = this.#nodes.get(node);
    if (cells === undefined) return;
    cells.writes[outcome].value++;
    cells.writeSeconds.observe(seconds);
  }

  /** An attempt at a write after the first starts. */
  legRetry(node: string): void {
    const cells = this.#nodes.get(node);
    if (cells !== undefined) cells.retries.value++;
  }

  /** A node's final answer to a record. */
  ack(node: string, status: number): void {
    const cells = this.#nodes.get(node);
    const count = cells && classOf(cells.acks, status);
    if (count !== undefined) count.value++;
  }

  nodeState(node: string, state: NodeState): void {
    const cells = this.#nodes.get(node);
    if (cells !== undefined) cells.states[state].value++;
  }

  healthCheck(node: string, ok: boolean): void {
    const cells = this.#nodes.get(node);
    if (cells !== undefined) (ok ? cells.checksOk : cells.checksFailed).value++;
  }

  bootstrap(node: string, kind: BootstrapKind, ok: boolean): void {
    const cells = this.#nodes.get(node);
    if (cells !== undefined) cells.bootstraps[kind][ok ? "ok" : "failed"].value++;
  }

  /** The node's answer to a record differs from the majority's. */
  divergence(node: string): void {
    const cells = this.#nodes.get(node);
    if (cells !== undefined) cells.divergent.value++;
  }

  ambiguous(node: string): void {
    const cells = this.#nodes.get(node);
    if (cells !== undefined) cells.ambiguous.value++;
  }

  quarantined(node: string): void {
    const cells = this.#nodes.get(node);
    if (cells !== undefined) cells.quarantines.value++;
  }

  // Journal

  /** A write's record is fsynced, `seconds` after it was handed to the journal. */
  journalAppend(seconds: number): void {
    this.#process.appendSeconds.observe(seconds);
  }

  /** One group commit. */
  journalCommit(records: number, bytes: number, seconds: number): void {
    this.#process.appends.value += records;
    this.#process.appendedBytes.value += bytes;
    this.#process.fsyncSeconds.observe(seconds);
    if (records > 0) this.#process.batch.observe(records);
  }

  journalPurged(records: number): void {
    this.#process.purged.value += records;
  }

  setAside(): void {
    this.#process.setAside.value++;
  }

  // The balancer

  reload(ok: boolean): void {
    this.#process.reloads[ok ? "ok" : "failed"].value++;
  }

  spans(outcome: "exported" | "dropped", spans: number): void {
    this.#process.spans[outcome].value += spans;
  }

  logDropped(lines: number): void {
    this.#process.logDropped.value += lines;
  }

  /** The series of routes that are gone disappear; those that stay keep their numbers. */
  setRoutes(names: readonly string[]): void {
    sync(this.#routes, names, (route) => new RouteCells(this.#families, route), this.#dropper("route"));
  }

  /** The same for nodes. */
  setNodes(names: readonly string[]): void {
    sync(this.#nodes, names, (node) => new NodeCells(this.#families, node), this.#dropper("node"));
  }

  /** Where gauges are read from; there are none before. */
  watch(control: Pick<Control, "status" | "isReady">): void {
    this.#watched = control;
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** The exposition, in Prometheus' text format. */
  async scrape(): Promise<string> {
    const control = this.#watched;
    this.#scraped = control && { status: control.status(), ready: control.isReady() };
    return await this.#registry.metrics();
  }

  #dropper(label: "route" | "node"): (name: string) => void {
    return (name) => {
      for (const family of Object.values(this.#families)) family.drop(label, name);
    };
  }

  #register(): void {
    for (const family of Object.values(this.#families)) registerIn(this.#registry, family);
    for (const key of Object.keys(GAUGES) as KeyOf<"gauge">[]) {
      const read = () => (this.#scraped === null ? [] : GAUGES[key](this.#scraped));
      registerIn(this.#registry, new GaugeFamily(METRICS[key], read));
    }
    collectDefaultMetrics({ register: this.#registry });
    // Private calls of Node.js that list every socket; nodejs_active_resources is the public one.
    for (const name of PRIVATE) this.#registry.removeSingleMetric(name);
  }
}

const PRIVATE = [
  "nodejs_active_handles",
  "nodejs_active_handles_total",
  "nodejs_active_requests",
  "nodejs_active_requests_total",
];

function makeFamilies(): Families {
  const rows = Object.entries(METRICS).filter(([, row]) => row.type !== "gauge");
  return Object.fromEntries(rows.map(([key, row]) => [key, new Family(row)])) as Families;
}

/** prom-client's registry takes anything with `get()`; its types know only its own four classes. */
function registerIn(registry: Registry, family: Family | GaugeFamily): void {
  registry.registerMetric(family as unknown as Gauge);
}

/** Makes `map` hold exactly `names`. */
function sync<T>(
  map: Map<string, T>,
  names: readonly string[],
  make: (name: string) => T,
  drop: (name: string) => void,
): void {
  for (const name of [...map.keys()].filter((known) => !names.includes(known))) {
    map.delete(name);
    drop(name);
  }
  for (const name of names) if (!map.has(name)) map.set(name, make(name));
}
