import type { HistoryAnswer, HistoryTick, NodeSeries } from "../../../api.ts";

/** 15 minutes. */
const LENGTH = 900_000;

type Column = (number | null)[];

/** What the charts draw: columns of the last 15 minutes, oldest first. */
export class Past {
  at: number[] = [];
  cluster = new Map<string, Column>();
  lag = new Map<string, Column>();

  /**
   * Takes over what the balancer kept. A balancer that was started anew begins with nothing: what this page saw
   * before stays, with a gap between.
   */
  load({ at, cluster, nodes }: HistoryAnswer): void {
    const [first = Number.POSITIVE_INFINITY] = at;
    const kept = this.at.filter((time) => time < first).length;
    const gap = kept > 0 && at.length > 0 ? 1 : 0;
    const join = (old: Column | undefined, fresh: readonly (number | null)[]): Column => {
      const before = old?.slice(0, kept) ?? Array<null>(kept).fill(null);
      return [...before, ...Array<null>(gap).fill(null), ...fresh];
    };
    const lags = Object.entries(nodes).map(
      ([name, line]) => [name, join(this.lag.get(name), line.lag)] as const,
    );
    const sums = Object.entries(cluster).map(
      ([key, line]) => [key, join(this.cluster.get(key), line)] as const,
    );
    this.at = [...this.at.slice(0, kept), ...Array<number>(gap).fill(first - 1), ...at];
    this.lag = new Map(lags);
    this.cluster = new Map(sums);
  }

  add({ at, cluster, nodes }: HistoryTick): void {
    const last = this.at.at(-1);
    if (last !== undefined && at <= last) return;
    const lag = Object.entries(nodes).map(
      ([name, point]) => [name, point["lag" satisfies NodeSeries]] as const,
    );
    extend(this.lag, lag, this.at.length);
    extend(this.cluster, Object.entries(cluster), this.at.length);
    this.at.push(at);
    this.#forget(at - LENGTH);
  }

  #forget(before: number): void {
    const old = this.at.findIndex((at) => at >= before);
    if (old <= 0) return;
    for (const column of [this.at, ...this.cluster.values(), ...this.lag.values()]) column.splice(0, old);
  }
}

/** Adds a value to each column; new ones begin with nothing, those without a value go. */
function extend(
  columns: Map<string, Column>,
  values: readonly (readonly [string, number | null])[],
  length: number,
): void {
  const names = new Set(values.map(([name]) => name));
  for (const name of [...columns.keys()]) if (!names.has(name)) columns.delete(name);
  for (const [name, value] of values) {
    const column = columns.get(name) ?? Array<null>(length).fill(null);
    columns.set(name, column);
    column.push(value);
  }
}
