import { checkCertificate } from "../certificate.ts";
import { type ClusterConfig, MAX_NODES, WHY_NINE } from "../cluster-config.ts";
import { loadClusterConfig } from "../config-file.ts";
import { UserError } from "../errors.ts";
import { writeNodeCount } from "../node-count.ts";
import type { ChangeContext } from "../target.ts";
import { targetOf } from "../targets.ts";
import { changeAlone } from "./change.ts";
import type { Deployed } from "./deploy.ts";

export type Scaled = Omit<Deployed, "dashboards">;

/** Adds nodes, which join once they have every write, or drains and removes the last ones. */
export async function scale(
  configFlag: string | undefined,
  count: string,
  context: ChangeContext,
): Promise<Scaled> {
  const nodes = parseCount(count);
  const config = await loadClusterConfig(configFlag);
  checkCertificate(config);
  const target = await targetOf(config);
  await target.find(config);
  const changes = await changeAlone(config, `scale --nodes ${nodes}`, async () => {
    await target.checkScale(config, nodes, context);
    return await target.scale({ ...config, nodes }, { ...context, begin: () => remember(config, nodes) });
  });
  return { changes, cluster: await target.find(config) };
}

/** So that a deploy goes on from there if this command is stopped. */
async function remember(config: ClusterConfig, nodes: number): Promise<void> {
  if (config.file !== null && config.nodes !== nodes) await writeNodeCount(config.file, nodes);
}

/** @throws UserError for anything but a whole number from 1 to 9 */
export function parseCount(text: string): number {
  const nodes = /^\d{1,4}$/.test(text) ? Number(text) : Number.NaN;
  if (nodes >= 1 && nodes <= MAX_NODES) return nodes;
  const why = nodes > MAX_NODES ? ` (${WHY_NINE})` : "";
  throw new UserError(`--nodes: expected a whole number from 1 to ${MAX_NODES}, got ${text}${why}`, {
    exitCode: 2,
    next: ["lbctl scale --nodes 7"],
  });
}
