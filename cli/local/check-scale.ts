/** Whether a local cluster can have another number of nodes; asked before anything is changed. */
import { AdminClient } from "../admin-client.ts";
import { checkMinInSync, checkRemaining } from "../check-remaining.ts";
import { loadClusterOf } from "../cluster.ts";
import type { ClusterConfig } from "../cluster-config.ts";
import { refuseOtherChanges } from "../other-changes.ts";
import { statePaths } from "../state.ts";
import type { Change } from "../target.ts";
import { nodeNames } from "../tools/proxy-config.ts";
import { minInSync } from "./goal.ts";
import { observe } from "./observed.ts";
import { checkPorts } from "./preflight.ts";

/**
 * @param changes what deploy would change now
 * @throws UserError where other changes wait, minInSync is above it, a port is taken, the balancer hangs, or too few
 * in-sync nodes would remain
 */
export async function checkScale(
  config: ClusterConfig,
  nodes: number,
  changes: readonly Change[],
  signal: AbortSignal,
): Promise<void> {
  refuseOtherChanges(changes);
  const state = statePaths(config.dir, config.name);
  const { proxyConfig } = await observe(state);
  checkMinInSync(nodes, proxyConfig ? minInSync(proxyConfig, state) : 1);
  await checkPorts(config, nodeNames(nodes), state);
  const status = await new AdminClient(await loadClusterOf(config), signal).statusUnlessHung();
  if (status && status.nodes.length > nodes) checkRemaining(status, nodeNames(nodes));
}
