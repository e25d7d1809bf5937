/** Target `aws`: Terraform makes the machines; from then on they are hosts like any others. */
import { rm } from "node:fs/promises";
import type { ClusterConfig } from "../cluster-config.ts";
import { UserError } from "../errors.ts";
import { refuseOtherChanges } from "../other-changes.ts";
import { statePaths } from "../state.ts";
import type { Change, ChangeContext, DestroyOptions, Target } from "../target.ts";
import { confirmChanges } from "./confirm.ts";
import { renderCost } from "./cost.ts";
import { awsFindings } from "./doctor.ts";
import { keepOutputs, outputsFile } from "./machines.ts";
import { lostNodes, refuseLosingAllNodes } from "./plan-changes.ts";
import { applyMachines, lookAhead, type Planned, planMachines, readOutputs } from "./provision.ts";
import { stackSettings } from "./stack-settings.ts";
import { isBegun, prepare, type Workspace } from "./workspace.ts";

/** @param hosts installs on machines that are there, and talks to them */
export function awsTarget(hosts: Target): Target {
  return {
    ...hosts,
    plan: (config, context) => plan(hosts, config, context),
    cost: async (config) => renderCost(stackSettings(config, "")),
    deploy: (config, context) => change(hosts, config, context, "deploy"),
    checkScale: (config, nodes, context) => checkScale(hosts, config, nodes, context),
    scale: (config, context) => change(hosts, config, context, "scale"),
    destroy,
    doctor: async (config, fix, signal) => [
      ...(await awsFindings(config, signal)),
      ...(await hosts.doctor(config, fix, signal)),
    ],
  };
}

async function plan(
  hosts: Target,
  config: ClusterConfig,
  context: ChangeContext,
): Promise<readonly Change[]> {
  const work = await prepare(config, context.signal);
  const planned = await lookAhead(work);
  const there = await known(work);
  // What is to be installed on machines that are not there, nobody can ask yet.
  const remaining = there?.filter((name) => !lostNodes(planned.plan).includes(name)) ?? [];
  if (remaining.length === 0) return planned.changes;
  return [...planned.changes, ...(await hosts.plan(config, context))];
}

/** Machines that go leave the balancer first; machines that come get their software and join. */
async function change(
  hosts: Target,
  config: ClusterConfig,
  context: ChangeContext,
  how: "deploy" | "scale",
): Promise<readonly Change[]> {
  const { ui, signal } = context;
  const work = await prepare(config, signal);
  let planned: Planned | null = null;
  await ui.steps([
    {
      title: "Ask AWS what is there",
      run: async () => {
        planned = await planMachines(work);
      },
    },
  ]);
  const { plan: found, changes, needed } = planned ?? (await planMachines(work));
  refuseLosingAllNodes(found);
  await confirmChanges(changes, renderCost(stackSettings(config, "")), context);
  const leaving = lostNodes(found);
  const there = await known(work);
  const left = leaving.length > 0 && there ? await leave(hosts, config, context, there, leaving) : [];
  if (needed) {
    await ui.steps([
      { title: `Apply ${changes.length} changes at AWS`, run: (say) => applyMachines(work, say) },
    ]);
    await known(work);
  }
  return [...changes, ...left, ...(await hosts[how](config, context))];
}

/** As a removal, also where a machine of the same name comes after it: that one knows nothing of what it should. */
async function leave(
  hosts: Target,
  config: ClusterConfig,
  context: ChangeContext,
  there: readonly string[],
  leaving: readonly string[],
): Promise<readonly Change[]> {
  const staying = there.filter((name) => !leaving.includes(name));
  return await hosts.scale({ ...config, nodes: staying.length, aws: { ...config.aws } }, context);
}

async function checkScale(
  hosts: Target,
  config: ClusterConfig,
  nodes: number,
  context: ChangeContext,
): Promise<void> {
  refuseOtherChanges((await lookAhead(await prepare(config, context.signal))).changes);
  await hosts.checkScale(config, nodes, context);
}

async function destroy(
  config: ClusterConfig,
  { keepData }: DestroyOptions,
  context: ChangeContext,
): Promise<void> {
  if (keepData) {
    throw new UserError(
      "expected destroy without --keep-data, got it: data on machines goes with the machines",
      {
        code: "keep_data_not_possible",
        exitCode: 2,
        next: ["lbctl destroy", "docs/aws.md tells how to keep the journal's volume, or a snapshot of it"],
      },
    );
  }
  const { ui, signal } = context;
  const state = statePaths(config.dir, config.name);
  if (await isBegun(state)) {
    const work = await prepare(config, signal);
    await ui.steps([
      { title: "Ask AWS what is there", run: async () => void (await planMachines(work, { destroy: true })) },
      { title: "Remove every machine", run: (say) => applyMachines(work, say) },
    ]);
  }
  await rm(state.dir, { recursive: true, force: true });
}

/** Names of the nodes whose machines are there; kept for whoever asks later without Terraform. */
async function known(work: Workspace): Promise<readonly string[] | null> {
  const outputs = await readOutputs(work);
  if (outputs) await keepOutputs(work.state, outputs);
  else await rm(outputsFile(work.state), { force: true });
  return outputs?.nodes.map(({ name }) => name) ?? null;
}
