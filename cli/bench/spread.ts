import type { Status } from "../../proxy/api.ts";

/** How evenly the reads were spread over the nodes that were in-sync all the time. */
export interface SpreadReport {
  /** Why there is no verdict; null when there is one. */
  readonly unknown: string | null;
  readonly nodes: readonly { readonly name: string; readonly reads: number; readonly throughout: boolean }[];
  /** Most − fewest, of those in-sync throughout. */
  readonly difference: number | null;
  /** Every node within ±1 of every other. */
  readonly even: boolean | null;
}

/** Compares the balancer's own counters from before and after. */
export function spreadOf(before: Status, after: Status): SpreadReport {
  if (before.startedAt !== after.startedAt) {
    return {
      unknown: "the balancer restarted meanwhile: its counters began again",
      nodes: [],
      difference: null,
      even: null,
    };
  }
  const nodes = after.nodes.map((node) => {
    const then = before.nodes.find(({ name }) => name === node.name);
    // `since` moves with the state: the same one means that it never left.
    const throughout = node.state === "in-sync" && then?.state === "in-sync" && then.since === node.since;
    return { name: node.name, reads: node.reads - (then?.reads ?? 0), throughout };
  });
  const counts = nodes.filter(({ throughout }) => throughout).map(({ reads }) => reads);
  if (counts.length === 0)
    return { unknown: "no node was in-sync all the time", nodes, difference: null, even: null };
  const difference = Math.max(...counts) - Math.min(...counts);
  return { unknown: null, nodes, difference, even: difference <= 1 };
}
