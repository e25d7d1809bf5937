/** Target `aws`: Terraform makes the machines; from then on they are hosts like any others. */
import { type ClusterConfig, DEFAULT_NODES } from "../cluster-config.ts";
import { UserError } from "../errors.ts";
import { readRecord } from "../hosts/record.ts";
import { hostsTarget } from "../hosts/target.ts";
import { lockCluster } from "../lock.ts";
import { refuseOtherChanges } from "../other-changes.ts";
import { makeStateDir, statePaths } from "../state.ts";
import { refuseOtherTarget } from "../state-target.ts";
import type { Change, ChangeContext, Finding, Target } from "../target.ts";
import { plural } from "../tools/format.ts";
import { confirmChanges } from "./confirm.ts";
import { renderCost } from "./cost.ts";
import { destroyMachines } from "./destroy.ts";
import { awsFindings, checkWayIn } from "./doctor.ts";
import { waitForMachines } from "./first-start.ts";
import { keepOutputs, keptOutputs, machinesOf } from "./known-machines.ts";
import { drainReplaced, leave, withDrained } from "./leaving.ts";
import { machinesThere, madeMachines, removedNodes } from "./plan-changes.ts";
import {
  refuseFewerAndMore,
  refuseLosingData,
  refuseLosingWayIn,
  refuseOtherAccount,
  refuseOtherKey,
} from "./plan-refusals.ts";
import { applyMachines, compare, forgetPlan, lookAhead, type Planned, readOutputs } from "./provision.ts";
import { stackSettings } from "./stack-settings.ts";
import { expectStarts, waitUntilUp } from "./started.ts";
import { prepare, type Workspace } from "./workspace.ts";

/**
 * @param hosts installs on the machines that there are, and talks to them
 * @param wait until new machines let SSH in
 */
export function awsTarget(hosts: Target, wait = waitForMachines): Target {
  return {
    ...hosts,
    plan: (config, context) => plan(hosts, config, context),
    cost: async (config) => renderCost(stackSettings(config, "")),
    deploy: (config, context) => change({ hosts, wait }, config, context, "deploy"),
    checkScale: (config, nodes, context) => checkScale(hosts, config, nodes, context),
    scale: (config, context) => change({ hosts, wait }, config, context, "scale"),
    rollback: (config, context) => rollback({ hosts, wait }, config, context),
    destroy: destroyMachines,
    isElsewhere: ({ aws }) => aws.state.backend === "s3",
    doctor: (config, fix, signal) => doctor(hosts, config, fix, signal),
  };
}

interface Installer {
  readonly hosts: Target;
  readonly wait: typeof waitForMachines;
}

export const madeHosts = awsTarget(hostsTarget(machinesOf));

async function plan(
  hosts: Target,
  config: ClusterConfig,
  context: ChangeContext,
): Promise<readonly Change[]> {
  const state = statePaths(config.dir, config.name);
  await makeStateDir(state);
  // It writes where a deploy does: configuration, output, what is known of machines.
  using _lock = lockCluster(state, "plan");
  await refuseOtherTarget(config);
  const planned = await look(config, context.signal);
  // What is to be installed on machines that are not there yet, nobody can ask.
  const whole = madeMachines(planned.plan).length === 0 && (await keptOutputs(state)) !== null;
  return whole ? [...planned.changes, ...(await hosts.plan(config, context))] : planned.changes;
}

/**
 * What a plan says, for a command that applies none: what may not be is refused, and machines are learned from it. A state
 * that is here is locked meanwhile; one in S3 may be a colleague's at this moment.
 */
async function look(config: ClusterConfig, signal: AbortSignal): Promise<Planned> {
  const work = await prepare(config, signal);
  const planned = await lookAhead(work, { lock: config.aws.state.backend === "local" });
  await refuse(planned, work);
  await learnFrom(planned, work, false);
  return planned;
}

/** Nodes that go leave the balancer before their machines do; machines that come get their software and join. */
async function change(
  { hosts, wait }: Installer,
  config: ClusterConfig,
  context: ChangeContext,
  how: "deploy" | "scale",
): Promise<readonly Change[]> {
  const { ui, signal } = context;
  const work = await prepare(config, signal);
  await checkWayIn(config, signal);
  const planned = await compare(work, ui);
  let drained: readonly string[];
  let left: readonly Change[] | null;
  try {
    await refuse(planned, work);
    await confirmChanges(planned.changes, renderCost(stackSettings(config, "")), context);
    await context.begin?.();
    await learnFrom(planned, work, true);
    drained = await drainReplaced(hosts, config, planned, context);
    // Those that stay are installed on.
    const up = () => waitUntilUp(wait, work, context, removedNodes(planned.plan));
    left = await leave({ hosts, up }, config, planned, context);
    await expectStarts(work, planned.plan);
  } catch (error) {
    await forgetPlan(work);
    throw error;
  }
  if (planned.needed) {
    const title = `Apply ${plural(planned.changes.length, "change")} at AWS`;
    await ui.steps([{ title, run: (say) => applyMachines(work, say) }]).catch((error: unknown) => {
      throw drained.length > 0 && error instanceof UserError ? withDrained(error, drained) : error;
    });
    await learn(work);
  } else await forgetPlan(work);
  await waitUntilUp(wait, work, context);
  // Those that went were the last of it: what stays was installed when they left.
  const done = how === "scale" && left !== null && madeMachines(planned.plan).length === 0;
  return [...planned.changes, ...(left ?? []), ...(done ? [] : await hosts[how](config, context))];
}

/** @throws UserError where the cluster, its data or the way in would be lost */
async function refuse(
  { plan }: Planned,
  { config, where, publicKey, keyFile, state }: Workspace,
): Promise<void> {
  refuseOtherAccount(plan, where);
  refuseOtherKey(plan, publicKey, keyFile);
  const { nodes = [] } = (await readRecord(state)) ?? {};
  refuseLosingData(plan, new Set(nodes.map(({ address }) => address)));
  refuseLosingWayIn(plan);
  refuseFewerAndMore(plan, config.nodes ?? DEFAULT_NODES);
}

/** Terraform has no part in it; machines that have not come up are waited for all the same. */
async function rollback(
  { hosts, wait }: Installer,
  config: ClusterConfig,
  context: ChangeContext,
): Promise<readonly Change[]> {
  const state = statePaths(config.dir, config.name);
  await waitUntilUp(wait, { config, state, where: config.aws }, context);
  return await hosts.rollback(config, context);
}

async function checkScale(
  hosts: Target,
  config: ClusterConfig,
  nodes: number,
  context: ChangeContext,
): Promise<void> {
  refuseOtherChanges((await look(config, context.signal)).changes);
  // Machines of those that come are not there to be looked at.
  const there = (await machinesOf(config)).apps.length;
  await hosts.checkScale(config, Math.min(nodes, there), context);
}

/** Before the first deploy there are no hosts to look at. */
async function doctor(
  hosts: Target,
  config: ClusterConfig,
  fix: boolean,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const made = (await keptOutputs(statePaths(config.dir, config.name))) !== null;
  return [...(await awsFindings(config, signal)), ...(made ? await hosts.doctor(config, fix, signal) : [])];
}

/** @param sure nobody else was at the state: where the plan found nothing, nothing is there */
async function learnFrom({ plan: found }: Planned, { state }: Workspace, sure: boolean): Promise<void> {
  const outputs = machinesThere(found);
  if (outputs !== null || sure) await keepOutputs(state, outputs);
}

/** Kept for whoever asks later without Terraform. */
async function learn(work: Workspace): Promise<void> {
  await keepOutputs(work.state, await readOutputs(work));
}
