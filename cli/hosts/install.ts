/**
 * Brings a cluster on hosts to its goal, by steps that can each be stopped and done again: what is wanted is recorded
 * before it is done, new hosts are ready before the balancer hears of them, and serving nodes change one at a time.
 */
import { nodesOf, reloadRefused, untilInSync, untilReady } from "../balancer-waits.ts";
import { UserError } from "../errors.ts";
import type { Change, ChangeContext } from "../target.ts";
import { plural } from "../tools/format.ts";
import type { Step } from "../ui.ts";
import type { Deployment } from "./deployment.ts";
import {
  forgottenNodes,
  leftBehind,
  type NodeGoal,
  nodeGoal,
  nodesFor,
  refuseOnlyNewUrls,
  releaseToGoBackTo,
  withOldData,
} from "./goal.ts";
import { refuseUnknownData } from "./guards.ts";
import { machinesOf } from "./install-machines.ts";
import { settingsDigest } from "./inventory.ts";
import type { Machine } from "./machines.ts";
import { type RecordedNode, sameReleases } from "./record.ts";
import { removeOldReleases } from "./releases.ts";
import { removeNodes } from "./removal.ts";
import { rollSteps } from "./roll.ts";
import { lookAtBalancer, serves } from "./serving.ts";
import { smokeTest } from "./smoke-test.ts";

/** @returns what was changed on the hosts: nothing, if all was so already */
export async function installOn(
  deployment: Deployment,
  context: ChangeContext,
  rollingBack: boolean,
): Promise<readonly Change[]> {
  const { ui } = context;
  const { site } = deployment;
  const { nodes, goal, rolled, left, old } = await decide(deployment);
  await deployment.save({
    nodes,
    destroying: false,
    installing: site.release.names,
    rollingBack,
    entering: goal.entering.map(({ identity }) => identity),
    leaving: [
      ...[...goal.leaving, ...goal.replaced].map(({ address }) => address),
      ...left.map(({ identity }) => identity),
    ],
  });
  await context.begin?.();
  if (left.length + old.length > 0) await ui.steps([cleaning(deployment, [...left, ...old])]);
  if (goal.replaced.length > 0) await ui.steps([removal(deployment, goal.replaced, goal.staying)]);
  const atOnce = site.apps.filter((machine) => !rolled.includes(machine));
  const wanted = nodesFor(site.config, deployment.record, site.apps);
  const machines = [...site.apps, ...machinesOf(goal.leaving, site)];
  await deployment.render([...wanted, ...goal.leaving], machines);
  await ui.steps([
    {
      title: "Set up firewalls and exporters",
      run: async (say) => {
        await deployment.play({ playbook: "hosts", say });
      },
    },
    ...(atOnce.length > 0 ? [entry(deployment, atOnce)] : []),
    {
      title: "Install the balancer",
      run: (say) => installBalancer(deployment, [...wanted, ...goal.leaving], say),
    },
    { title: "Wait until the balancer is ready", run: async () => untilReady(await deployment.ask()) },
  ]);
  const { takenOut } = deployment.record;
  const out = site.apps.filter(({ name }) => takenOut.includes(name));
  await ui.steps(await rollSteps(deployment, [...new Set([...rolled, ...out])], ui));
  await ui.steps([
    inSync(deployment, wanted),
    ...(goal.leaving.length > 0 ? [removal(deployment, goal.leaving, site.apps)] : []),
    {
      title: "Install monitoring",
      run: async (say) => {
        await deployment.play({ playbook: "monitoring", say });
      },
    },
  ]);
  await finish(deployment);
  await ui.steps([
    {
      title: "Send a read through the balancer",
      run: async (_, note) => {
        note(await smokeTest(site, deployment.record).catch((error) => notAnswered(deployment, error)));
        if (deployment.record.answered === false) await deployment.save({ answered: true });
      },
    },
  ]);
  return deployment.changes;
}

interface Decision {
  /** What the balancer knows. */
  readonly nodes: readonly RecordedNode[];
  readonly goal: NodeGoal;
  /** To be changed one at a time. Where nobody is served, all are at once: another app may be what brings them back. */
  readonly rolled: readonly Machine[];
  /** To be cleaned: not wanted any more, and wanted as new ones. */
  readonly left: readonly Machine[];
  readonly old: readonly Machine[];
}

/** Nothing is changed yet. @throws UserError where data would be lost or mixed */
async function decide(deployment: Deployment): Promise<Decision> {
  const { site } = deployment;
  const status = await lookAtBalancer(deployment);
  const known = status === "hangs" ? null : status;
  const forgotten = forgottenNodes(deployment.record, known);
  const nodes = deployment.record.nodes.filter((node) => !forgotten.includes(node));
  const record = { ...deployment.record, nodes };
  const goal = nodeGoal(record, site.apps);
  refuseOnlyNewUrls(site.config, record, goal.staying, known);
  refuseUnknownData(record, site.facts, goal.entering);
  return {
    nodes,
    goal,
    rolled: (await serves(deployment, status)) ? goal.staying : [],
    left: leftBehind(site.machines, record, site.apps),
    old: withOldData(record, site.facts, goal.entering, known),
  };
}

/** Of what a command that was stopped had put on them. */
function cleaning(deployment: Deployment, machines: readonly Machine[]): Step {
  const names = machines.map(nameOf);
  return {
    title: `Clean ${names.join(", ")}`,
    run: async (say) => {
      const { record, site } = deployment;
      await deployment.render(record.nodes, [...new Set([...site.apps, ...machines])]);
      await deployment.play({ playbook: "destroy", limit: names, variables: { keep_data: false }, say });
    },
  };
}

/** All at the same time: they serve nobody. */
function entry(deployment: Deployment, machines: readonly Machine[]): Step {
  const names = machines.map(nameOf);
  return {
    title: `Install ${names.join(", ")}`,
    run: async (say) => {
      const variables = { lb_app_serial: names.length };
      try {
        await deployment.play({ playbook: "apps", limit: names, variables, say });
      } catch (error) {
        throw deployment.record.releases === null ? error : withWayBack(error, names);
      }
    },
  };
}

function withWayBack(error: unknown, nodes: readonly string[]): unknown {
  if (!(error instanceof UserError) || error.code !== "task_failed") return error;
  const { message, problems, code } = error;
  const next = [
    ...error.next,
    `lbctl logs ${nodes[0]}   # what its app says`,
    "lbctl rollback   # or back to the release before",
  ];
  return new UserError(message, { code, problems, next });
}

async function installBalancer(
  deployment: Deployment,
  nodes: readonly RecordedNode[],
  say: (detail: string) => void,
): Promise<void> {
  const startedAt = Date.now();
  await deployment.save({ nodes });
  try {
    await deployment.play({ playbook: "balancer", say });
  } catch (error) {
    deployment.site.signal.throwIfAborted();
    const { reload } = (await (await deployment.ask()).admin.statusIfUp().catch(() => null)) ?? {};
    // The host's clock may be behind ours.
    if (reload && !reload.ok && reload.at > startedAt - 60_000) throw reloadRefused(reload.problems);
    throw error;
  }
}

function inSync(deployment: Deployment, wanted: readonly RecordedNode[]): Step {
  return {
    title: `Wait until ${plural(wanted.length, "node")} in-sync`,
    run: async (say) => untilInSync(await deployment.ask(), wanted.map(nameOf), say),
  };
}

function removal(deployment: Deployment, nodes: readonly RecordedNode[], staying: readonly Machine[]): Step {
  return {
    title: `Drain and remove ${nodes.map(nameOf).join(", ")}`,
    run: (say, note) => removeNodes(deployment, nodes, staying, say, note),
  };
}

async function finish(deployment: Deployment): Promise<void> {
  const { site, record } = deployment;
  const { names } = site.release;
  const status = await (await deployment.ask()).admin.status();
  await deployment.save({
    nodes: record.nodes.filter(({ name }) => nodesOf(status, [name]).length > 0),
    takenOut: record.takenOut.filter((name) => nodesOf(status, [name]).length > 0),
    releases: names,
    before: releaseToGoBackTo(record, names),
    answered: !sameReleases(record.releases, names) || record.answered !== false,
    installing: null,
    rollingBack: false,
    entering: [],
    leaving: [],
    settings: settingsDigest(site),
  });
  removeOldReleases(site.state, deployment.record);
}

/** On record: nobody is to come back to this release. */
async function notAnswered(deployment: Deployment, error: unknown): Promise<never> {
  const failed = error instanceof UserError && error.code === "smoke_test_failed";
  if (failed) await deployment.save({ answered: false });
  throw error;
}

function nameOf({ name }: { readonly name: string }): string {
  return name;
}
