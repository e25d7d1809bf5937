/** What every command that changes a cluster does around it: alone, and on record. */
import { audit } from "../audit.ts";
import type { ClusterConfig } from "../cluster-config.ts";
import { messageOf } from "../errors.ts";
import { lockCluster } from "../lock.ts";
import { makeStateDir, statePaths } from "../state.ts";

/** @param command as the user would write it: `scale --nodes 7` */
export async function changeAlone<T>(
  config: ClusterConfig,
  command: string,
  change: () => Promise<T>,
): Promise<T> {
  const state = statePaths(config.dir, config.name);
  await makeStateDir(state);
  using _lock = lockCluster(state, command);
  return await onRecord(config, command, change);
}

/** Without the lock: for what the balancer itself does at once. */
export async function onRecord<T>(
  config: ClusterConfig,
  command: string,
  change: () => Promise<T>,
): Promise<T> {
  const state = statePaths(config.dir, config.name);
  await audit(state, { command, outcome: "started" });
  try {
    const result = await change();
    await audit(state, { command, outcome: "done" });
    return result;
  } catch (error) {
    await audit(state, { command, outcome: "failed", detail: messageOf(error) });
    throw error;
  }
}
