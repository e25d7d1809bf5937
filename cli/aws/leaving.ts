/** Nodes leave the balancer before their machines go. */
import { AdminClient } from "../admin-client.ts";
import type { ClusterConfig } from "../cluster-config.ts";
import { UserError } from "../errors.ts";
import { readRecord } from "../hosts/record.ts";
import { statePaths } from "../state.ts";
import type { Change, ChangeContext, Target } from "../target.ts";
import { machinesThere, madeMachines, removedNodes, replacedNodes } from "./plan-changes.ts";
import type { Planned } from "./provision.ts";

/**
 * Without a failed request; a machine that takes the place of another starts as a node without history.
 * @returns names of nodes that are drained now
 */
export async function drainReplaced(
  hosts: Target,
  config: ClusterConfig,
  { plan: found }: Planned,
  { signal }: ChangeContext,
): Promise<readonly string[]> {
  const known = await readRecord(statePaths(config.dir, config.name));
  const replaced = replacedNodes(found).filter((name) => known?.nodes.some((node) => node.name === name));
  // Where the balancer goes with them there is nobody to drain them for.
  if (replaced.length === 0 || madeMachines(found).includes("balancer")) return [];
  await using reached = await hosts.reach(config, signal);
  const admin = new AdminClient(reached.cluster, signal);
  for (const name of replaced) await admin.drain(name, false);
  return replaced;
}

/** The next deploy drains them again; one that has nothing to replace any more leaves them as an operator's. */
export function withDrained(error: UserError, drained: readonly string[]): UserError {
  const { message, code, problems, next, cause } = error;
  return new UserError(message, {
    ...(code === null ? {} : { code }),
    problems,
    next: [
      ...next,
      ...drained.map(
        (name) =>
          `lbctl nodes ready ${name}   # only if its machine is to stay: it was drained before it was to go`,
      ),
    ],
    cause,
  });
}

/**
 * @param up until the machines that stay are up
 * @returns what was changed on the machines that stay; null where nobody goes for good
 */
export async function leave(
  { hosts, up }: { readonly hosts: Target; readonly up: () => Promise<void> },
  config: ClusterConfig,
  { plan: found }: Planned,
  context: ChangeContext,
): Promise<readonly Change[] | null> {
  // Where no apply has come to its end nothing was installed that could be drained.
  if (machinesThere(found) === null || removedNodes(found).length === 0) return null;
  await up();
  return await hosts.scale(config, context);
}
