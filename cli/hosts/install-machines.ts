import type { Machine } from "./machines.ts";
import type { RecordedNode } from "./record.ts";
import type { Site } from "./site.ts";

/** Those of the nodes whose machine is still listed, and was looked at. */
export function machinesOf(nodes: readonly RecordedNode[], { facts }: Pick<Site, "facts">): Machine[] {
  return nodes.flatMap(
    ({ name, address }) =>
      facts.find(({ machine }) => machine.name === name && machine.identity === address)?.machine ?? [],
  );
}
