import { AdminClient } from "../admin-client.ts";
import type { ClusterConfig } from "../cluster-config.ts";
import { loadClusterConfig } from "../config-file.ts";
import type { Reached, ReachOptions } from "../target.ts";
import { targetOf } from "../targets.ts";

export interface ReachedCluster extends Reached {
  readonly config: ClusterConfig;
  readonly admin: AdminClient;
}

/** A way to the deployed cluster and its admin API, wherever it lives; to be disposed of. */
export async function reach(
  configFlag: string | undefined,
  signal: AbortSignal,
  options?: ReachOptions,
): Promise<ReachedCluster> {
  const config = await loadClusterConfig(configFlag);
  const reached = await (await targetOf(config)).reach(config, signal, options);
  return {
    config,
    cluster: reached.cluster,
    admin: new AdminClient(reached.cluster, signal),
    [Symbol.asyncDispose]: () => reached[Symbol.asyncDispose](),
  };
}
