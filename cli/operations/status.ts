import type { NodeStatus } from "../../proxy/api.ts";
import { AdminClient } from "../admin-client.ts";
import { Hung } from "../admin-errors.ts";
import { loadClusterOf } from "../cluster.ts";
import { loadClusterConfig } from "../config-file.ts";
import { targetOf } from "../targets.ts";
import type { ClusterStatus } from "../tools/render.ts";

/** Processes and balancer, as they are now. */
export async function status(configFlag: string | undefined, signal: AbortSignal): Promise<ClusterStatus> {
  const config = await loadClusterConfig(configFlag);
  const cluster = await loadClusterOf(config);
  const { name, target, balancerUrl, adminUrl } = cluster;
  const where = await targetOf(config);
  const [processes, dashboards, asked] = await Promise.all([
    where.processes(config),
    where.dashboards(config),
    ask(new AdminClient(cluster, signal)),
  ]);
  return { cluster: { name, target, balancerUrl, adminUrl }, processes, dashboards, ...asked };
}

async function ask(admin: AdminClient): Promise<Pick<ClusterStatus, "balancer" | "hung">> {
  try {
    return { balancer: await admin.statusUnlessHung(), hung: false };
  } catch (error) {
    if (error instanceof Hung) return { balancer: null, hung: true };
    throw error;
  }
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
