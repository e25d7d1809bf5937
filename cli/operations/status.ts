import type { NodeStatus } from "../../proxy/api.ts";
import { AdminClient } from "../admin-client.ts";
import { loadClusterOf } from "../cluster.ts";
import { loadClusterConfig } from "../config-file.ts";
import { targetOf } from "../targets.ts";
import type { ClusterStatus } from "../tools/render.ts";

/** Processes and balancer, as they are now. */
export async function status(configFlag: string | undefined, signal: AbortSignal): Promise<ClusterStatus> {
  const config = await loadClusterConfig(configFlag);
  const cluster = await loadClusterOf(config);
  const { name, target, balancerUrl, adminUrl } = cluster;
  const [processes, balancer] = await Promise.all([
    (await targetOf(config)).processes(config),
    new AdminClient(cluster, signal).statusIfUp(),
  ]);
  return { cluster: { name, target, balancerUrl, adminUrl }, processes, balancer };
}

/** Whether the cluster does its job: the balancer answers, and enough nodes are in-sync. */
export function isServing({ balancer }: ClusterStatus): boolean {
  return balancer !== null && balancer.inSync >= balancer.minInSync;
}

export async function listNodes(
  configFlag: string | undefined,
  signal: AbortSignal,
): Promise<readonly NodeStatus[]> {
  const cluster = await loadClusterOf(await loadClusterConfig(configFlag));
  return (await new AdminClient(cluster, signal).status()).nodes;
}
