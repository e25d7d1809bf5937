/** A cluster's state directory for one command at a time, and for one target. */
import type { ClusterConfig } from "./cluster-config.ts";
import { lockCluster } from "./lock.ts";
import { makeStateDir, type StatePaths, statePaths } from "./state.ts";
import { claimStateDir } from "./state-target.ts";

/**
 * @param command as the user would write it: `scale --nodes 7`
 * @throws UserError where another command is at work, or the directory is another target's
 */
export async function aloneInState<T>(
  config: ClusterConfig,
  command: string,
  run: (state: StatePaths) => Promise<T>,
): Promise<T> {
  const state = statePaths(config.dir, config.name);
  await makeStateDir(state);
  using _lock = lockCluster(state, command);
  const giveBack = await claimStateDir(config);
  try {
    return await run(state);
  } finally {
    await giveBack();
  }
}
