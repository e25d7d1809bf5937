/** Target `aws`: Terraform makes the machines; from then on they are hosts like any others. */
import type { ClusterConfig } from "../cluster-config.ts";
import { UserError } from "../errors.ts";
import { readRecord } from "../hosts/record.ts";
import { hostsTarget } from "../hosts/target.ts";
import { refuseOtherChanges } from "../other-changes.ts";
import { statePaths } from "../state.ts";
import { aloneInState } from "../state-alone.ts";
import type { Change, ChangeContext, Finding, Target } from "../target.ts";
import { plural } from "../tools/format.ts";
import { confirmChanges } from "./confirm.ts";
import { renderCost } from "./cost.ts";
import { destroyMachines } from "./destroy.ts";
import { awsFindings, checkWayIn } from "./doctor.ts";
import { waitForMachines } from "./first-start.ts";
import { keepOutputs, keepStarted, keptOutputs, machinesOf, startedMachines } from "./known-machines.ts";
import { drainReplaced, leave, withDrained } from "./leaving.ts";
import { machinesThere, madeMachines, restartedMachines } from "./plan-changes.ts";
import { refuseLosingData, refuseLosingWayIn, refuseOtherAccount, refuseOtherKey } from "./plan-refusals.ts";
import { applyMachines, compare, forgetPlan, lookAhead, type Planned, readOutputs } from "./provision.ts";
import { stackSettings } from "./stack-settings.ts";
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
  // It writes where a deploy does: configuration, output, what is known of machines.
  return await aloneInState(config, "plan", async (state) => {
    const work = await prepare(config, context.signal);
    const planned = await look(work);
    await refuse(planned, work);
    await learnFrom(planned, work, false);
    // What is to be installed on machines that are not there yet, nobody can ask.
    const whole = madeMachines(planned.plan).length === 0 && (await keptOutputs(state)) !== null;
    return whole ? [...planned.changes, ...(await hosts.plan(config, context))] : planned.changes;
  });
}

/** A state that is here is nobody else's; one in S3 may be a colleague's at this moment. */
function look(work: Workspace): Promise<Planned> {
  return lookAhead(work, { lock: work.config.aws.state.backend === "local" });
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
    left = await leave(hosts, config, planned, context);
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
  await waitForNew(wait, work, planned, context);
  // Those that went were the last of it: what stays was installed when they left.
  const done = how === "scale" && left !== null && madeMachines(planned.plan).length === 0;
  return [...planned.changes, ...(left ?? []), ...(done ? [] : await hosts[how](config, context))];
}

/** @throws UserError where the cluster, its data or the way in would be lost */
async function refuse({ plan }: Planned, { where, keyFile, state }: Workspace): Promise<void> {
  refuseOtherAccount(plan, where);
  // Another key replaces every machine: that would be called a loss of data.
  refuseOtherKey(plan, keyFile);
  const { nodes = [] } = (await readRecord(state)) ?? {};
  refuseLosingData(plan, new Set(nodes.map(({ address }) => address)));
  refuseLosingWayIn(plan);
}

/** Those that this plan makes or starts anew, and those of which no command has seen the end of their first start. */
async function waitForNew(
  wait: typeof waitForMachines,
  work: Workspace,
  { plan: found }: Planned,
  { ui, signal }: ChangeContext,
): Promise<void> {
  const made = new Set([...madeMachines(found), ...restartedMachines(found)]);
  const machines = await machinesOf(work.config);
  const all = [machines.balancer, ...machines.apps];
  const started = await startedMachines(work);
  const fresh = all.filter(({ name, identity }) => made.has(name) || !started.has(identity));
  if (fresh.length === 0) return;
  // Another type stops a machine that was known, and starts it.
  await keepStarted(
    work,
    all.filter((machine) => !fresh.includes(machine)),
  );
  await ui.steps([
    {
      title: `Wait for ${plural(fresh.length, "machine")}`,
      run: (say) =>
        wait({ machines: fresh, all: machines, state: work.state, where: work.where, signal }, say),
    },
  ]);
  await keepStarted(work, all);
}

async function checkScale(
  hosts: Target,
  config: ClusterConfig,
  nodes: number,
  context: ChangeContext,
): Promise<void> {
  const work = await prepare(config, context.signal);
  const planned = await look(work);
  refuseOtherChanges(planned.changes);
  await learnFrom(planned, work, false);
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

/**
 * Before an apply: where an earlier one stopped half-way, what was known before that stays.
 * @param sure nobody else was at the state: where the plan found nothing, nothing is there
 */
async function learnFrom({ plan: found }: Planned, { state }: Workspace, sure: boolean): Promise<void> {
  try {
    const outputs = machinesThere(found);
    if (outputs !== null || sure) await keepOutputs(state, outputs);
  } catch (error) {
    if (!(error instanceof UserError) || error.code !== "outputs_incomplete") throw error;
  }
}

/** Kept for whoever asks later without Terraform. */
async function learn(work: Workspace): Promise<void> {
  await keepOutputs(work.state, await readOutputs(work));
}
