/** The real lbctl and the real balancer over scripted nodes, which can be told to misbehave. */
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { StatePaths } from "../../cli/state.ts";
import type { BareCluster } from "../support/bare-cluster.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { type Lbctl, lbctlIn, markDeployed } from "./lbctl.ts";

/** lbctl in a directory of its own, whose deployed cluster is this one. */
export async function lbctlOver(
  t: TestContext,
  { balancer, listed: nodes }: BareCluster,
): Promise<Lbctl & { readonly dir: string; readonly state: StatePaths }> {
  const dir = tempFolder(t);
  const { url: balancerUrl, adminUrl, folder } = balancer;
  const adminPasswordFile = join(folder, "admin.password");
  const state = await markDeployed(dir, {
    balancerUrl,
    adminUrl,
    adminUser: "admin",
    adminPasswordFile,
    nodes,
  });
  return { ...lbctlIn(dir), dir, state };
}
