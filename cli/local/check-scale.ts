/** Whether a local cluster can have another number of nodes; asked before anything is changed. */
import type { Status } from "../../proxy/api.ts";
import { AdminClient } from "../admin-client.ts";
import { loadClusterOf } from "../cluster.ts";
import type { ClusterConfig } from "../cluster-config.ts";
import { UserError } from "../errors.ts";
import { statePaths } from "../state.ts";
import { nodeNames } from "../tools/proxy-config.ts";
import { described, nodesOf } from "./balancer.ts";
import { minInSync } from "./goal.ts";
import { observe } from "./observed.ts";
import { checkPorts } from "./preflight.ts";
import { neededInSync } from "./removal.ts";

/** @throws UserError where minInSync is above it, a port is taken, the balancer hangs, or too few in-sync nodes would remain */
export async function checkScale(config: ClusterConfig, nodes: number, signal: AbortSignal): Promise<void> {
  const state = statePaths(config.dir, config.name);
  const { proxyConfig } = await observe(state);
  const needed = proxyConfig ? minInSync(proxyConfig, state) : 1;
  if (nodes < needed) throw belowMinInSync(nodes, needed);
  await checkPorts(config, nodeNames(nodes), state);
  const status = await new AdminClient(await loadClusterOf(config), signal).statusUnlessHung();
  if (status && status.nodes.length > nodes) checkRemaining(status, nodeNames(nodes));
}

function checkRemaining(status: Status, staying: readonly string[]): void {
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

function belowMinInSync(nodes: number, needed: number): UserError {
  return new UserError(
    `expected at least ${needed} nodes (proxy/writes/minInSync), got ${nodes}: every write would be refused`,
    {
      next: [
        `lbctl scale --nodes ${needed}`,
        `or set proxy: { writes: { minInSync: ${nodes} } } in lbctl.yaml, then: lbctl deploy, and scale`,
      ],
    },
  );
}
