/** Target `aws`: Terraform makes the machines; from then on they are hosts like any others. */
import { rm } from "node:fs/promises";
import { AdminClient } from "../admin-client.ts";
import type { ClusterConfig } from "../cluster-config.ts";
import { UserError } from "../errors.ts";
import { readRecord } from "../hosts/record.ts";
import { hostsTarget } from "../hosts/target.ts";
import { refuseOtherChanges } from "../other-changes.ts";
import { statePaths } from "../state.ts";
import { aloneInState } from "../state-alone.ts";
import type { Change, ChangeContext, DestroyOptions, Finding, Target } from "../target.ts";
import { plural } from "../tools/format.ts";
import type { Ui } from "../ui.ts";
import { confirmChanges } from "./confirm.ts";
import { renderCost } from "./cost.ts";
import { awsFindings, checkWayIn } from "./doctor.ts";
import { waitForMachines } from "./first-start.ts";
import { keepOutputs, keepStarted, keptOutputs, machinesOf, startedMachines } from "./known-machines.ts";
import {
  machinesThere,
  madeMachines,
  removedNodes,
  replacedNodes,
  restartedMachines,
} from "./plan-changes.ts";
import { refuseLosingData, refuseLosingWayIn, refuseOtherAccount, refuseOtherKey } from "./plan-refusals.ts";
import {
  applyMachines,
  forgetPlan,
  lookAhead,
  type Planned,
  planMachines,
  readOutputs,
} from "./provision.ts";
import { stackSettings } from "./stack-settings.ts";
import { isBegun, prepare, type Workspace } from "./workspace.ts";

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
    destroy,
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

async function compare(
  work: Workspace,
  ui: Ui,
  options: { readonly destroy?: boolean } = {},
): Promise<Planned> {
  const found: Planned[] = [];
  const title = "Compare with what is at AWS";
  await ui.steps([{ title, run: async () => void found.push(await planMachines(work, options)) }]);
  const [planned] = found;
  if (!planned) throw new Error("expected a plan, got none");
  return planned;
}

/**
 * Without a failed request; a machine that takes the place of another starts as a node without history.
 * @returns names of nodes that are drained now
 */
async function drainReplaced(
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
function withDrained(error: UserError, drained: readonly string[]): UserError {
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

/** @returns what was changed on the machines that stay; null where nobody goes for good */
async function leave(
  hosts: Target,
  config: ClusterConfig,
  { plan: found }: Planned,
  context: ChangeContext,
): Promise<readonly Change[] | null> {
  // Where a first deploy stopped half-way nothing was installed that could be drained.
  const begun = (await keptOutputs(statePaths(config.dir, config.name))) !== null;
  return begun && removedNodes(found).length > 0 ? await hosts.scale(config, context) : null;
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

async function destroy(
  config: ClusterConfig,
  { keepData }: DestroyOptions,
  { ui, signal }: ChangeContext,
): Promise<boolean> {
  if (keepData) throw noDataKept();
  const state = statePaths(config.dir, config.name);
  const begun = config.aws.state.backend === "s3" || isBegun(state);
  const needed = begun && (await removeMachines(await prepare(config, signal, "destroy"), ui));
  await rm(state.dir, { recursive: true, force: true });
  return needed;
}

/** @returns false where none was there */
async function removeMachines(work: Workspace, ui: Ui): Promise<boolean> {
  const planned = await compare(work, ui, { destroy: true });
  refuseOtherAccount(planned.plan, work.where);
  if (planned.needed)
    await ui.steps([{ title: "Remove every machine", run: (say) => applyMachines(work, say) }]);
  return planned.needed;
}

function noDataKept(): UserError {
  return new UserError(
    "expected destroy without --keep-data, got it: data on machines goes with the machines",
    {
      code: "keep_data_not_possible",
      exitCode: 2,
      next: ["lbctl destroy", "docs/aws.md tells how to keep a snapshot of the journal's volume"],
    },
  );
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
