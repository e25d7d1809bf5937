/** What was, for the stats page: one sample a second, kept for 15 minutes in memory of a fixed size. */

import type {
  ClusterSeries,
  HistoryEvent,
  HistoryTick,
  NodeSeries,
  NodeState,
  RouteSeries,
  Status,
} from "../api.ts";
import type { Control } from "../control.ts";
import { Columns, Lines, SLOTS, SPAN } from "./history-columns.ts";
import { changes, HistoryEvents, stateEvent } from "./history-events.ts";
import { type Durations, HistoryFigures } from "./history-figures.ts";

const INTERVAL = 1000;
/** Routes beyond these are counted in the sums, and have no columns of their own. */
export const MOST_ROUTES = 32;

export interface HistoryOptions {
  readonly control: Pick<Control, "status">;
  readonly metrics: Durations;
}

/** Columns as they are read: all as long as `at`, oldest first. */
export interface HistoryColumns {
  readonly id: string | null;
  readonly at: readonly number[];
  readonly cluster: Lines<ClusterSeries>;
  readonly nodes: ReadonlyMap<string, Lines<NodeSeries>>;
  readonly routes: ReadonlyMap<string, Lines<RouteSeries>>;
}

type Listener = (tick: HistoryTick) => void;

// biome-ignore format: columns, by what they belong to
const CLUSTER: readonly ClusterSeries[] = [
  "reads", "readErrors", "readP50", "readP90", "readP99", "writes", "writeErrors", "writeP50", "writeP90", "writeP99",
  "inSync", "lag", "journal",
];
// biome-ignore format: as above
const NODE: readonly NodeSeries[] = [
  "state", "lag", "oldest", "reads", "readP50", "readP90", "readP99", "writes", "writeP50", "writeP90", "writeP99",
  "errors",
];
const ROUTE: readonly RouteSeries[] = ["requests", "errors", "P50", "P90", "P99"];

export class History {
  readonly #options: HistoryOptions;
  readonly #figures: HistoryFigures;
  readonly #at = new Float64Array(SLOTS);
  readonly #cluster = new Columns(CLUSTER);
  readonly #nodes = new Map<string, Columns<NodeSeries>>();
  readonly #routes = new Map<string, Columns<RouteSeries>>();
  readonly #events = new HistoryEvents();
  readonly #listeners = new Set<Listener>();
  #timer: NodeJS.Timeout | null = null;
  /** Samples taken so far. */
  #taken = 0;
  #status: Status | null = null;

  constructor(options: HistoryOptions) {
    this.#options = options;
    this.#figures = new HistoryFigures(options.metrics);
  }

  start(): void {
    this.#timer = setInterval(() => this.sample(Date.now()), INTERVAL).unref();
    this.sample(Date.now());
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  /** Takes one sample, and tells the listeners of it. @param now ms since the epoch */
  sample(now: number): void {
    const status = this.#options.control.status();
    const tick = this.#taken;
    const slot = tick % SLOTS;
    for (const event of changes(this.#status, status, now)) this.#events.add(tick, event);
    const { cluster, nodes, routes } = this.#figures.take(status, now);
    this.#at[slot] = now;
    this.#cluster.set(slot, cluster);
    keep(this.#nodes, nodes, slot, () => new Columns(NODE));
    keep(this.#routes, new Map([...routes].slice(0, MOST_ROUTES)), slot, () => new Columns(ROUTE));
    this.#status = status;
    this.#taken++;
    if (this.#listeners.size === 0) return;
    const sampled = this.#tick(tick);
    for (const listener of this.#listeners) listener(sampled);
  }

  /** To be told of every change of a node's state, so that one that lasts less than a second is not missed. */
  nodeChanged(node: string, from: NodeState, to: NodeState, reason: string, at = Date.now()): void {
    this.#events.add(this.#taken, stateEvent(at, node, { from, to, reason }));
  }

  /** Calls `listener` with each sample from now on; gives what ends that. */
  onTick(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The last sample; null before the first. */
  get last(): HistoryTick | null {
    return this.#taken === 0 ? null : this.#tick(this.#taken - 1);
  }

  /** The samples after the one with this id; null: it is none of this process, or too old. */
  after(id: string): HistoryTick[] | null {
    const [, origin, number] = /^(\d+)-(\d+)$/.exec(id) ?? [];
    const from = Number(number) + 1;
    const known = origin === this.#origin && from >= this.#first && from <= this.#taken;
    return known ? this.#numbers(from).map((tick) => this.#tick(tick)) : null;
  }

  /** Everything that is kept; a line is made when it is asked for. */
  get columns(): HistoryColumns {
    const numbers = this.#numbers(this.#first);
    const slots = numbers.map((tick) => tick % SLOTS);
    return {
      id: this.#taken === 0 ? null : this.#id(this.#taken - 1),
      at: slots.map((slot) => this.#at[slot] ?? 0),
      cluster: new Lines(this.#cluster, slots),
      nodes: linesOf(this.#nodes, slots),
      routes: linesOf(this.#routes, slots),
    };
  }

  /** Of the last 15 minutes, oldest first. */
  get events(): HistoryEvent[] {
    return this.#events.since(Date.now() - SPAN * INTERVAL);
  }

  /** What the columns take, which is all that grows with nodes and routes. */
  get bytes(): number {
    const columns = [this.#cluster, ...this.#nodes.values(), ...this.#routes.values()];
    return columns.reduce((sum, { bytes }) => sum + bytes, this.#at.byteLength);
  }

  #tick(tick: number): HistoryTick {
    const slot = tick % SLOTS;
    const points = <K extends string>(of: ReadonlyMap<string, Columns<K>>) =>
      Object.fromEntries([...of].map(([name, columns]) => [name, columns.at(slot)]));
    return {
      id: this.#id(tick),
      at: this.#at[slot] ?? 0,
      cluster: this.#cluster.at(slot),
      nodes: points(this.#nodes),
      routes: points(this.#routes),
      events: this.#events.ofTick(tick),
    };
  }

  #id(tick: number): string {
    return `${this.#origin}-${tick}`;
  }

  /** Tells the samples of this process from those of one before. */
  get #origin(): string {
    return String(this.#status?.startedAt ?? 0);
  }

  /** The oldest sample that is kept. */
  get #first(): number {
    return Math.max(0, this.#taken - SPAN);
  }

  #numbers(from: number): number[] {
    return Array.from({ length: this.#taken - from }, (_, index) => from + index);
  }
}

function linesOf<K extends string>(
  columns: ReadonlyMap<string, Columns<K>>,
  slots: readonly number[],
): ReadonlyMap<string, Lines<K>> {
  return new Map([...columns].map(([name, column]) => [name, new Lines(column, slots)]));
}

/** Sets the figures of each name; columns of names that are gone go. */
function keep<K extends string>(
  columns: Map<string, Columns<K>>,
  figures: ReadonlyMap<string, Readonly<Record<K, number>>>,
  slot: number,
  make: () => Columns<K>,
): void {
  for (const name of [...columns.keys()]) if (!figures.has(name)) columns.delete(name);
  for (const [name, values] of figures) {
    const column = columns.get(name) ?? make();
    columns.set(name, column);
    column.set(slot, values);
  }
}
