import { checkCertificate } from "../certificate.ts";
import type { Cluster } from "../cluster.ts";
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
  checkCertificate(config);
  const target = await targetOf(config);
  const changes = await changeAlone(config, "deploy", () => target.deploy(config, context));
  return { changes, cluster: await target.find(config), dashboards: await target.dashboards(config) };
}

/** Back to the release before the one that runs. */
export async function rollback(configFlag: string | undefined, context: ChangeContext): Promise<Deployed> {
  const config = await loadClusterConfig(configFlag);
  checkCertificate(config);
  const target = await targetOf(config);
  const changes = await changeAlone(config, "rollback", () => target.rollback(config, context));
  return { changes, cluster: await target.find(config), dashboards: await target.dashboards(config) };
}

/** What deploy would change. */
export async function plan(
  configFlag: string | undefined,
  context: ChangeContext,
): Promise<readonly Change[]> {
  const config = await loadClusterConfig(configFlag);
  checkCertificate(config);
  return (await targetOf(config)).plan(config, context);
}

/** What a month of it would cost, for people; null where it costs nothing. */
export async function costOf(configFlag: string | undefined): Promise<string | null> {
  const config = await loadClusterConfig(configFlag);
  return (await (await targetOf(config)).cost?.(config)) ?? null;
}
