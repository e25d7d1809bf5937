import type { Scenario } from "./simulated-cluster.ts";

const LOAD = { nodes: 3, readsPerSecond: 1000, writesPerSecond: 100 };

/** States of a cluster that the stats page has to show well. */
export const SCENARIOS = {
  healthy: LOAD,
  empty: { nodes: 3, readsPerSecond: 0, writesPerSecond: 0 },
  catchingUp: {
    ...LOAD,
    happens(ago, cluster) {
      if (ago === 610) cluster.set("app1", "draining", "an operator said drain");
      if (ago === 560) cluster.set("app1", "catching-up", "an operator said ready");
      if (ago === 559) cluster.set("app1", "in-sync", "has caught up");
      if (ago === 330) cluster.set("app3", "down", "connect ECONNREFUSED 127.0.0.1:4569, 3 checks in a row");
      if (ago === 325) Object.assign(cluster.node("app3"), { ackErrors: 14, retries: 14 });
      if (ago === 95) {
        cluster.pace.set("app3", 240);
        cluster.set("app3", "catching-up", "its checks pass again");
      }
    },
  },
  quarantined: {
    ...LOAD,
    nodes: 4,
    happens(ago, cluster) {
      if (ago === 700) cluster.control.more = { ...cluster.control.more, reload: reload(cluster.now, true) };
      if (ago === 240) {
        cluster.control.more = {
          ...cluster.control.more,
          totals: divergent(cluster.control.status().totals),
        };
        cluster.set("app2", "quarantined", "answered write 250412 with 500, the others with 201");
      }
      if (ago === 120) cluster.set("app4", "down", "timeout after 500 ms, 3 checks in a row");
    },
  },
} satisfies Record<string, Scenario>;

function reload(at: number, ok: boolean) {
  return { at, ok, problems: [] };
}

function divergent<T extends object>(totals: T): T & { divergent: number } {
  return { ...totals, divergent: 1 };
}
