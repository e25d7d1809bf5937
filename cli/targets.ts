/** Where a cluster can live. A target knows nothing of this list, nor of the operations that use it. */
import type { ClusterConfig, TargetName } from "./cluster-config.ts";
import type { Target } from "./target.ts";

const LOADERS: Readonly<Record<TargetName, () => Promise<Target>>> = {
  aws: async () => (await import("./aws/target.ts")).madeHosts,
  hosts: async () => (await import("./hosts/listed-hosts.ts")).listedHosts,
  local: async () => (await import("./local/target.ts")).localTarget,
};

/** Loads only the code of the target that is asked for. */
export async function targetOf({ target }: ClusterConfig): Promise<Target> {
  return LOADERS[target]();
}
