import type { UpstreamNode } from "./node.ts";

/** Picks the node for one read; synchronous, so that two reads never see the same turn. */
export interface Balancer {
  /** One of `nodes` (in-sync, in config order) that is not in `tried`, or undefined when none is left. */
  pick(nodes: readonly UpstreamNode[], tried: readonly UpstreamNode[]): UpstreamNode | undefined;
}

/** In turn: over any n·k consecutive picks among the same n nodes each gets exactly k. */
export class RoundRobin implements Balancer {
  #turn = 0;

  pick(nodes: readonly UpstreamNode[], tried: readonly UpstreamNode[]): UpstreamNode | undefined {
    for (let step = 0; step < nodes.length; step++) {
      if (this.#turn >= nodes.length) this.#turn = 0;
      const node = nodes[this.#turn++];
      if (node !== undefined && !tried.includes(node)) return node;
    }
    return undefined;
  }
}

/** The node with the fewest reads in flight; among equals in turn. */
export class LeastConn implements Balancer {
  readonly #turns = new RoundRobin();

  pick(nodes: readonly UpstreamNode[], tried: readonly UpstreamNode[]): UpstreamNode | undefined {
    let least = Number.POSITIVE_INFINITY;
    for (const node of nodes) {
      if (!tried.includes(node) && node.readsInFlight < least) least = node.readsInFlight;
    }
    return this.#turns.pick(
      nodes.filter((node) => node.readsInFlight === least),
      tried,
    );
  }
}

export function createBalancer(kind: "roundrobin" | "leastconn"): Balancer {
  return kind === "roundrobin" ? new RoundRobin() : new LeastConn();
}
