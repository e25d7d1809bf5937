/** What every command that changes a cluster does around it: alone, and on record. */
import { type AuditEntry, audit } from "../audit.ts";
import type { ClusterConfig } from "../cluster-config.ts";
import { messageOf } from "../errors.ts";
import { lockCluster } from "../lock.ts";
import { makeStateDir, statePaths } from "../state.ts";
import { claimStateDir } from "../state-target.ts";
import { targetOf } from "../targets.ts";

/** @param command as the user would write it: `scale --nodes 7` */
export async function changeAlone<T>(
  config: ClusterConfig,
  command: string,
  change: () => Promise<T>,
): Promise<T> {
  const state = statePaths(config.dir, config.name);
  await makeStateDir(state);
  using _lock = lockCluster(state, command);
  const giveBack = await claimStateDir(config);
  try {
    return await audited((entry) => audit(state, { command, ...entry }), change);
  } catch (error) {
    await giveBack();
    throw error;
  }
}

/** Without the lock: for what the balancer itself does at once. Kept where the cluster is, too. */
export async function onRecord<T>(
  config: ClusterConfig,
  command: string,
  change: () => Promise<T>,
): Promise<T> {
  const state = statePaths(config.dir, config.name);
  const target = await targetOf(config);
  const keep = async (entry: Outcome) => {
    await audit(state, { command, ...entry });
    await target.audit?.(config, { command, ...entry });
  };
  return await audited(keep, change);
}

type Outcome = Omit<AuditEntry, "command">;

async function audited<T>(keep: (entry: Outcome) => Promise<void>, change: () => Promise<T>): Promise<T> {
  await keep({ outcome: "started" });
  try {
    const result = await change();
    await keep({ outcome: "done" });
    return result;
  } catch (error) {
    await keep({ outcome: "failed", detail: messageOf(error) });
    throw error;
  }
}
