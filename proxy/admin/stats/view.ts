import type { ClusterSeries, HistoryEvent, NodeSeries, RouteSeries, Status } from "../../api.ts";
import type { Control } from "../../control.ts";
import type { History } from "../../history/history.ts";
import type { Lines } from "../../history/history-columns.ts";
import type { Caller } from "../admin-auth.ts";

/** What the page shows: all of it is asked for once, so that its parts agree. */
export interface StatsView {
  readonly status: Status;
  readonly ready: boolean;
  readonly caller: Caller | null;
  /** ms since the epoch. */
  readonly now: number;
  /** When each sample was taken (ms since the epoch), oldest first; lines are as long. */
  readonly at: readonly number[];
  readonly cluster: Lines<ClusterSeries>;
  readonly nodes: ReadonlyMap<string, Lines<NodeSeries>>;
  readonly routes: ReadonlyMap<string, Lines<RouteSeries>>;
  readonly events: readonly HistoryEvent[];
}

export function viewOf(
  { control, history }: { control: Pick<Control, "status" | "isReady">; history: History },
  caller: Caller | null,
  now = Date.now(),
): StatsView {
  const { at, cluster, nodes, routes } = history.columns;
  return {
    status: control.status(),
    ready: control.isReady(),
    caller,
    now,
    at,
    cluster,
    nodes,
    routes,
    events: history.events,
  };
}
