import type { NodeState } from "../api.ts";
import type { Control } from "../control.ts";
import type { GroupCommit } from "../journal/journal.ts";
import { Exposition, type Scraped } from "./exposition.ts";
import { type Count, Family, type Histogram, ScrapedFamily } from "./metrics-cells.ts";
import { Named } from "./metrics-named.ts";
import { SCRAPED, type ScrapeSource } from "./metrics-scraped.ts";
import {
  classOf,
  type Families,
  NodeCells,
  ProcessCells,
  RouteCells,
  type RouteName,
} from "./metrics-series.ts";
import {
  type BootstrapKind,
  type LegOutcome,
  type Limit,
  METRICS,
  type MetricRow,
  type Policy,
  type ReadKey,
  type WriteOutcome,
} from "./metrics-table.ts";

export type { BootstrapKind, LegOutcome, Limit, Policy, WriteOutcome };

export interface MetricsOptions {
  /** Names of the config. */
  readonly routes: readonly RouteName[];
  readonly nodes: readonly string[];
  /** Codes of the error table. */
  readonly codes: readonly string[];
}

/** How a write ended for its client. */
export interface WriteDone {
  readonly policy: Policy;
  readonly outcome: WriteOutcome;
  /** What the client got; 0: it left before. */
  readonly status: number;
  readonly seconds: number;
  /** Undefined where nothing was recorded. */
  readonly seq: number | undefined;
}

/** Errors that only one limit can cause; others say theirs (LbError, `extra.limit`). */
const LIMIT_OF: Readonly<Record<string, Limit>> = {
  header_too_large: "limits.header",
  request_timeout: "limits.headerTimeout",
  body_timeout: "limits.bodyTimeout",
  journal_full: "journal.maxSize",
};

export function createMetrics(options: MetricsOptions): Metrics {
  return new Metrics(options);
}

/**
 * What the balancer counts. Every method is a few nanoseconds of plain arithmetic, and forgives names that are
 * gone: an attempt may end after its node was removed. Durations in seconds.
 */
export class Metrics {
  readonly #families = makeFamilies();
  readonly #exposition = new Exposition([...Object.values(this.#families), ...this.#scrapedFamilies()]);
  readonly #routes = new Named<RouteName, RouteCells>({
    make: (route) => new RouteCells(this.#families, route),
    stays: (cells, { to }) => cells.to === to,
    drop: (name) => this.#drop("route", name),
  });
  readonly #nodes = new Named<{ name: string }, NodeCells>({
    make: ({ name }) => new NodeCells(this.#families, name),
    stays: () => true,
    drop: (name) => this.#drop("node", name),
  });
  readonly #process: ProcessCells;
  readonly #problems = new Map<string, Count>();
  #watched: Pick<Control, "status" | "isReady"> | null = null;
  #scraped: ScrapeSource | null = null;

  constructor({ routes, nodes, codes }: MetricsOptions) {
    this.#process = new ProcessCells(this.#families);
    for (const code of codes) this.#problems.set(code, this.#families.problems.count({ code }));
    this.setRoutes(routes);
    this.setNodes(nodes);
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

  writeDone(route: string, { policy, outcome, status, seconds, seq }: WriteDone): void {
    const cells = this.#routes.get(route);
    if (cells === undefined) return;
    cells.done(status, seconds, seq);
    if (cells.writes !== null) cells.writes[policy][outcome].value++;
  }

  /** A write's ack policy held only after its client had a 504. */
  writeLate(policy: Policy): void {
    this.#process.writesLate[policy].value++;
  }

  /** A read is tried on one more node. */
  readRetry(route: string, node: string): void {
    const ofRoute = this.#routes.get(route)?.retries;
    if (ofRoute) ofRoute.value++;
    const ofNode = this.#nodes.get(node)?.readRetries;
    if (ofNode) ofNode.value++;
  }

  /** A reply made by the balancer; `code` is that of the error table, `limit` the one that refused it. */
  problem(code: string, limit?: string | number): void {
    const count = this.#problems.get(code);
    if (count !== undefined) count.value++;
    const refused = limit ?? LIMIT_OF[code];
    if (refused !== undefined && Object.hasOwn(this.#process.refusals, refused))
      this.refused(refused as Limit);
  }

  refused(limit: Limit): void {
    this.#process.refusals[limit].value++;
  }

  idempotency(outcome: "repeat" | "mismatch"): void {
    this.#process.idempotency[outcome].value++;
  }

  // Nodes

  readLeg(node: string, outcome: LegOutcome, seconds: number): void {
    const cells = this.#nodes.get(node);
    if (cells === undefined) return;
    cells.reads[outcome].value++;
    if (outcome !== "queued") cells.readSeconds.observe(seconds);
  }

  /** One attempt at a write. */
  writeLeg(node: string, outcome: LegOutcome, seconds: number, seq: number): void {
    const cells = this.#nodes.get(node);
    if (cells === undefined) return;
    cells.writes[outcome].value++;
    cells.writeSeconds.observe(seconds, seq);
  }

  /** An attempt at a write after the first starts. */
  writeRetry(node: string): void {
    const cells = this.#nodes.get(node);
    if (cells !== undefined) cells.writeRetries.value++;
  }

  /** A node's final answer to a record; `late`: the client had its reply, or its 504, before. */
  ack(node: string, status: number, policy: Policy, late: boolean): void {
    const cells = this.#nodes.get(node);
    if (cells === undefined) return;
    const count = classOf(cells.acks, status);
    if (count !== undefined) count.value++;
    if (late) cells.lateAcks[policy].value++;
  }

  nodeState(node: string, state: NodeState): void {
    const cells = this.#nodes.get(node);
    if (cells !== undefined) cells.states[state].value++;
  }

  healthCheck(node: string, ok: boolean, seconds: number): void {
    const cells = this.#nodes.get(node);
    if (cells === undefined) return;
    (ok ? cells.checksOk : cells.checksFailed).value++;
    cells.checkSeconds.observe(seconds);
  }

  bootstrap(node: string, kind: BootstrapKind, ok: boolean): void {
    const cells = this.#nodes.get(node);
    if (cells !== undefined) cells.bootstraps[kind][ok ? "ok" : "failed"].value++;
  }

  /** The node's answer to a record differs from the majority's. */
  divergence(node: string, policy: Policy): void {
    const cells = this.#nodes.get(node);
    if (cells !== undefined) cells.divergent[policy].value++;
  }

  ambiguous(node: string, policy: Policy): void {
    const cells = this.#nodes.get(node);
    if (cells !== undefined) cells.ambiguous[policy].value++;
  }

  quarantined(node: string): void {
    const cells = this.#nodes.get(node);
    if (cells !== undefined) cells.quarantines.value++;
  }

  // Journal

  /** A write's record is fsynced, `ms` after it was handed to the journal. */
  journalAppend(ms: number, seq: number): void {
    this.#process.appendSeconds.observe(ms / 1000, seq);
  }

  /** One group commit. */
  journalCommit({ records, bytes, ms, syncMs, markMs, head }: GroupCommit): void {
    const { appends, appendedBytes, commitSeconds, fsyncSeconds, batch } = this.#process;
    appends.value += records;
    appendedBytes.value += bytes;
    const seq = records > 0 ? head : undefined;
    commitSeconds.observe(ms / 1000, seq);
    fsyncSeconds.journal.observe(syncMs / 1000, seq);
    fsyncSeconds.head_mark.observe(markMs / 1000, seq);
    if (records > 0) batch.observe(records, seq);
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
  setRoutes(routes: readonly RouteName[]): void {
    this.#routes.set(routes);
  }

  /** The same for nodes. */
  setNodes(names: readonly string[]): void {
    this.#nodes.set(names.map((name) => ({ name })));
  }

  /** Where gauges are read from; there are none before. */
  watch(control: Pick<Control, "status" | "isReady">): void {
    this.#watched = control;
  }

  /** A route's durations, a histogram for each class; to be looked at only. */
  routeSeconds(route: string): readonly Histogram[] {
    return this.#routes.get(route)?.seconds ?? [];
  }

  /** A node's durations of attempts at reads and at writes; to be looked at only. */
  nodeSeconds(node: string): { readonly reads: readonly Histogram[]; readonly writes: readonly Histogram[] } {
    const cells = this.#nodes.get(node);
    if (cells === undefined) return { reads: [], writes: [] };
    return { reads: [cells.readSeconds], writes: [cells.writeSeconds] };
  }

  /** The exposition, in the format that `accept` asks for: Prometheus' text format, or OpenMetrics. */
  async scrape(accept = ""): Promise<Scraped> {
    const control = this.#watched;
    this.#scraped = control && { status: control.status(), ready: control.isReady() };
    return await this.#exposition.write(accept);
  }

  #drop(label: "route" | "node", name: string): void {
    for (const family of Object.values(this.#families)) family.drop(label, name);
  }

  #scrapedFamilies(): ScrapedFamily[] {
    return (Object.keys(SCRAPED) as ReadKey[]).map((key) => {
      const read = () => (this.#scraped === null ? [] : SCRAPED[key](this.#scraped));
      return new ScrapedFamily(METRICS[key], read);
    });
  }
}

function makeFamilies(): Families {
  const rows: readonly [string, MetricRow][] = Object.entries(METRICS);
  const counted = rows.filter(([key]) => !Object.hasOwn(SCRAPED, key));
  return Object.fromEntries(counted.map(([key, row]) => [key, new Family(row)])) as Families;
}
