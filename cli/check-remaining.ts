/** Before nodes go: would reads and writes go on? The same for every target. */
import type { Status } from "../proxy/api.ts";
import { described, nodesOf } from "./balancer-waits.ts";
import { UserError } from "./errors.ts";
import { neededInSync } from "./removal.ts";

/** @throws UserError where fewer of those that stay are in-sync than writes wait for */
export function checkRemaining(status: Status, staying: readonly string[]): void {
  const needed = neededInSync(status, staying.length);
  const found = nodesOf(status, staying);
  const out = found.filter(({ state }) => state !== "in-sync");
  const inSync = found.length - out.length;
  if (inSync >= needed) return;
  throw new UserError(
    `expected ${needed} of ${staying.join(", ")} to be in-sync, got ${inSync}: reads or writes would stop`,
    {
      problems: out.map(described),
      next: ["lbctl status   # bring one of those that stay back first"],
    },
  );
}

/** @param needed `minInSync` as it is set; @throws UserError where that many nodes would be too few */
export function checkMinInSync(nodes: number, needed: number): void {
  if (nodes >= needed) return;
  throw new UserError(
    `expected at least ${needed} nodes (proxy/writes/minInSync), got ${nodes}: every write would be refused`,
    {
      next: [
        `lbctl scale --nodes ${needed}`,
        `or set proxy: { writes: { minInSync: ${nodes} } } in lbctl.yaml, then: lbctl deploy, and scale`,
      ],
    },
  );
}
