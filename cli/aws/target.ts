/** Target `aws`: Terraform makes the machines; from then on they are hosts like any others. */
import { rm } from "node:fs/promises";
import { AdminClient } from "../admin-client.ts";
import type { ClusterConfig } from "../cluster-config.ts";
import { UserError } from "../errors.ts";
import { readRecord } from "../hosts/record.ts";
import { hostsTarget } from "../hosts/target.ts";
import { refuseOtherChanges } from "../other-changes.ts";
import { statePaths } from "../state.ts";
import type { Change, ChangeContext, DestroyOptions, Finding, Target } from "../target.ts";
import { plural } from "../tools/format.ts";
import { confirmChanges } from "./confirm.ts";
import { renderCost } from "./cost.ts";
import { awsFindings } from "./doctor.ts";
import { waitForMachines } from "./first-start.ts";
import { keepOutputs, keptOutputs, machinesOf } from "./known-machines.ts";
import { madeMachines, refuseLosingAllNodes, removedNodes, replacedNodes } from "./plan-changes.ts";
import { applyMachines, lookAhead, type Planned, planMachines, readOutputs } from "./provision.ts";
import { stackSettings } from "./stack-settings.ts";
import { AGAIN } from "./terraform-errors.ts";
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
  const work = await prepare(config, context.signal);
  const planned = await lookAhead(work);
  await learnSoFar(work);
  // What is to be installed on machines that are not there yet, nobody can ask.
  const whole = madeMachines(planned.plan).length === 0 && (await keptOutputs(work.state)) !== null;
  return whole ? [...planned.changes, ...(await hosts.plan(config, context))] : planned.changes;
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
  const planned = await compare(work, context);
  refuseLosingAllNodes(planned.plan);
  await confirmChanges(planned.changes, renderCost(stackSettings(config, "")), context);
  await learnSoFar(work);
  const left = await leave(hosts, config, planned, context);
  if (planned.needed) {
    const title = `Apply ${plural(planned.changes.length, "change")} at AWS`;
    await ui.steps([{ title, run: (say) => applyMachines(work, say) }]);
    await learn(work);
  }
  await waitForNew(wait, work, planned, context);
  // Those that went were the last of it: what stays was installed when they left.
  const done = how === "scale" && left !== null && madeMachines(planned.plan).length === 0;
  return [...planned.changes, ...(left ?? []), ...(done ? [] : await hosts[how](config, context))];
}

async function compare(work: Workspace, { ui }: ChangeContext): Promise<Planned> {
  const found: Planned[] = [];
  await ui.steps([
    { title: "Compare with what is at AWS", run: async () => void found.push(await planMachines(work)) },
  ]);
  const [planned] = found;
  if (!planned) throw new Error("expected a plan, got none");
  return planned;
}

/**
 * Without a failed request; a machine that takes the place of another starts as a node without history.
 * @returns what was changed on the machines that stay; null where nobody goes for good
 */
async function leave(
  hosts: Target,
  config: ClusterConfig,
  { plan: found }: Planned,
  context: ChangeContext,
): Promise<readonly Change[] | null> {
  const replaced = replacedNodes(found);
  if (replaced.length > 0) {
    await using reached = await hosts.reach(config, context.signal);
    const admin = new AdminClient(reached.cluster, context.signal);
    for (const name of replaced) await admin.drain(name, false);
  }
  return removedNodes(found).length > 0 ? await hosts.scale(config, context) : null;
}

/** Those of this plan, and those that an earlier command left before anything was installed. */
async function waitForNew(
  wait: typeof waitForMachines,
  work: Workspace,
  { plan: found }: Planned,
  { ui, signal }: ChangeContext,
): Promise<void> {
  const made = new Set(madeMachines(found));
  const machines = await machinesOf(work.config);
  const known = await knownAddresses(work);
  const fresh = [machines.balancer, ...machines.apps].filter(
    ({ name, address }) => made.has(name) || !known.has(address),
  );
  if (fresh.length === 0) return;
  await ui.steps([
    {
      title: `Wait for ${plural(fresh.length, "new machine")}`,
      run: (say) => wait(fresh, machines, work.state, signal, say),
    },
  ]);
}

async function knownAddresses({ config, state }: Workspace): Promise<ReadonlySet<string>> {
  const record = await readRecord(state);
  if (record?.target !== config.target) return new Set();
  const { balancer } = await machinesOf(config);
  return new Set([balancer.address, ...record.nodes.map(({ address }) => address)]);
}

async function checkScale(
  hosts: Target,
  config: ClusterConfig,
  nodes: number,
  context: ChangeContext,
): Promise<void> {
  refuseOtherChanges((await lookAhead(await prepare(config, context.signal))).changes);
  // Machines of those that come are not there to be looked at.
  const there = (await machinesOf(config)).apps.length;
  await hosts.checkScale(config, Math.min(nodes, there), context);
}

async function destroy(
  config: ClusterConfig,
  { keepData }: DestroyOptions,
  { ui, signal }: ChangeContext,
): Promise<void> {
  if (keepData) throw noDataKept();
  const state = statePaths(config.dir, config.name);
  if (await isBegun(state)) {
    const work = await prepare(config, signal);
    await ui
      .steps([
        {
          title: "Compare with what is at AWS",
          run: async () => void (await planMachines(work, { destroy: true })),
        },
        { title: "Remove every machine", run: (say) => applyMachines(work, say) },
      ])
      .catch(againByDestroy);
  }
  await rm(state.dir, { recursive: true, force: true });
}

/** A deploy would make again what was just removed. */
function againByDestroy(error: unknown): never {
  if (!(error instanceof UserError)) throw error;
  const { message, code, problems, next } = error;
  throw new UserError(message, {
    ...(code === null ? {} : { code }),
    problems,
    next: next.map((line) => (line === AGAIN ? "lbctl destroy   # goes on from where it stopped" : line)),
    cause: error,
  });
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

/** Before an apply: where an earlier one stopped half-way, what was known before that stays. */
async function learnSoFar(work: Workspace): Promise<void> {
  try {
    await learn(work);
  } catch (error) {
    if (!(error instanceof UserError) || error.code !== "outputs_incomplete") throw error;
  }
}

/** Kept for whoever asks later without Terraform. */
async function learn(work: Workspace): Promise<void> {
  await keepOutputs(work.state, await readOutputs(work));
}
