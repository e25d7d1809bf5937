import type { NodeStatus } from "../../proxy/api.ts";
import { AdminClient } from "../admin-client.ts";
import { Hung } from "../admin-errors.ts";
import { loadClusterConfig } from "../config-file.ts";
import { targetOf } from "../targets.ts";
import type { ClusterStatus } from "../tools/render.ts";
import { reach } from "./reach.ts";

/** Processes and balancer, as they are now. */
export async function status(configFlag: string | undefined, signal: AbortSignal): Promise<ClusterStatus> {
  const config = await loadClusterConfig(configFlag);
  const target = await targetOf(config);
  const { name, balancerUrl, adminUrl } = await target.find(config);
  await using reached = await target.reach(config, signal);
  const [processes, dashboards, asked] = await Promise.all([
    target.processes(config, signal),
    target.dashboards(config),
    ask(new AdminClient(reached.cluster, signal)),
  ]);
  return { cluster: { name, target: config.target, balancerUrl, adminUrl }, processes, dashboards, ...asked };
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
  await using reached = await reach(configFlag, signal);
  return (await reached.admin.status()).nodes;
}
