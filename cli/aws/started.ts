/** Which machines have come up, kept by their ids: nothing is installed on one before a command has seen that. */
import { join } from "node:path";
import type { ClusterConfig } from "../cluster-config.ts";
import type { Machine } from "../hosts/machines.ts";
import { readJson, writeJson } from "../state.ts";
import type { ChangeContext } from "../target.ts";
import { plural } from "../tools/format.ts";
import type { Place } from "./cli-flags.ts";
import type { waitForMachines } from "./first-start.ts";
import { keptOutputs, machinesOf } from "./known-machines.ts";
import { madeMachines, type PlanJson, restartedMachines } from "./plan-changes.ts";
import { terraformDir, type Workspace } from "./workspace.ts";

interface Work extends Pick<Workspace, "config" | "state"> {
  readonly where: Place;
}

/** @param without names of machines that need not be up: they go */
export async function waitUntilUp(
  wait: typeof waitForMachines,
  work: Work,
  { ui, signal }: Pick<ChangeContext, "ui" | "signal">,
  without: readonly string[] = [],
): Promise<void> {
  const machines = await machinesOf(work.config);
  const all = [machines.balancer, ...machines.apps];
  const up = await startedMachines(work);
  const late = all.filter(({ name, identity }) => !up.has(identity) && !without.includes(name));
  if (late.length === 0) return;
  const { state, where } = work;
  await ui.steps([
    {
      title: `Wait for ${plural(late.length, "machine")}`,
      run: (say) => wait({ machines: late, all: machines, state, where, signal }, say),
    },
  ]);
  await keepStarted(
    work,
    all.filter((machine) => up.has(machine.identity) || late.includes(machine)),
  );
}

/** Before an apply: those that it makes anew, and those that it stops and starts for another type, have yet to come up. */
export async function expectStarts(work: Work, plan: PlanJson): Promise<void> {
  const names = [...madeMachines(plan), ...restartedMachines(plan)];
  if (names.length === 0 || (await keptOutputs(work.state)) === null) return;
  const { balancer, apps } = await machinesOf(work.config);
  const up = await startedMachines(work);
  await keepStarted(
    work,
    [balancer, ...apps].filter(({ name, identity }) => up.has(identity) && !names.includes(name)),
  );
}

interface Started {
  readonly access: ClusterConfig["aws"]["access"];
  readonly identities: readonly string[];
}

/** As far as the way in that there is now is concerned: by another one they have to be reached first. */
async function startedMachines(work: Work): Promise<ReadonlySet<string>> {
  const kept = await readJson<Started>(file(work));
  return new Set(kept?.access === work.config.aws.access ? kept.identities : []);
}

async function keepStarted(work: Work, machines: readonly Machine[]): Promise<void> {
  const identities = machines.map(({ identity }) => identity);
  await writeJson(file(work), { access: work.config.aws.access, identities } satisfies Started);
}

function file({ state }: Work): string {
  return join(terraformDir(state), "started.json");
}
