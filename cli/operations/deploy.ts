import { type Cluster, loadClusterOf } from "../cluster.ts";
import { loadClusterConfig } from "../config-file.ts";
import type { Change, ChangeContext, Dashboard } from "../target.ts";
import { targetOf } from "../targets.ts";
import { changeAlone } from "./change.ts";

export interface Deployed {
  readonly changes: readonly Change[];
  readonly cluster: Cluster;
  /** Where it can be looked at, beside the stats page. */
  readonly dashboards: readonly Dashboard[];
}

/** Makes the cluster as lbctl.yaml says; nothing where it already is so. */
export async function deploy(configFlag: string | undefined, context: ChangeContext): Promise<Deployed> {
  const config = await loadClusterConfig(configFlag);
  const target = await targetOf(config);
  const changes = await changeAlone(config, "deploy", () => target.deploy(config, context));
  return { changes, cluster: await loadClusterOf(config), dashboards: await target.dashboards(config) };
}

/** What deploy would change. */
export async function plan(configFlag: string | undefined): Promise<readonly Change[]> {
  const config = await loadClusterConfig(configFlag);
  return (await targetOf(config)).plan(config);
}
