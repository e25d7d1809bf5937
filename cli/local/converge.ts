/**
 * Brings a local cluster to its goal, by steps that can each be stopped and done again: what is written says what
 * is wanted before it is done, and a node's data is wiped before the balancer first hears of the node.
 */
import { AdminClient } from "../admin-client.ts";
import { untilInSync, untilReady } from "../balancer-waits.ts";
import { loadClusterOf } from "../cluster.ts";
import { takeOut } from "../removal.ts";
import { writeJson } from "../state.ts";
import { plural } from "../tools/format.ts";
import type { ProxyNode } from "../tools/proxy-config.ts";
import type { Step } from "../ui.ts";
import { askedOf, reloadBalancer } from "./balancer.ts";
import { withLeaving } from "./goal.ts";
import { writeMonitoring } from "./monitoring/files.ts";
import { TITLES, WITH_PAGE } from "./monitoring/names.ts";
import { untilWatched } from "./monitoring/pages.ts";
import { enteringNodes, leavingNodes, outdatedApps, specOf } from "./node-changes.ts";
import { observe, runningProcess } from "./observed.ts";
import { comingBack } from "./plan.ts";
import { checkPorts } from "./preflight.ts";
import { BALANCER } from "./specs.ts";
import { runProcesses } from "./supervision.ts";
import type { Convergence } from "./work.ts";
import { markLoaded, removeLeftovers, writeConfiguration } from "./write-configuration.ts";

const READY = "Wait until the balancer is ready";

export function convergenceSteps(work: Convergence): Step[] {
  const { goal, observed } = work;
  const leaving = leavingNodes(goal, observed);
  const entering = enteringNodes(goal, observed.proxyConfig);
  const rolled = leaving.length + entering.length > 0 ? [] : outdatedApps(work);
  return [
    { title: "Check that the ports are free", run: () => checkPorts(work.config, goal.nodes, work.state) },
    { title: "Write the configuration", run: () => writeConfiguration(work, leaving, entering) },
    ...rolled.map((node) => ({ title: `Restart ${node}`, run: () => restartApp(work, node) })),
    { title: startTitle(work, entering), run: () => startProcesses(work, leaving) },
    { title: READY, run: () => load(work) },
    inSync(work),
    ...(leaving.length > 0 ? [removal(work, leaving)] : []),
    ...watching(work),
  ];
}

/** Where nothing is to be changed: it may still be on its way there, or hang. */
export function waitingSteps(work: Convergence): Step[] {
  return [
    { title: READY, run: async () => untilReady(askedOf(work, await loadClusterOf(work.config))) },
    inSync(work),
  ];
}

function inSync(work: Convergence): Step {
  const { nodes } = work.goal;
  return {
    title: `Wait until ${plural(nodes.length, "node")} in-sync`,
    run: async (say) => untilInSync(askedOf(work, await loadClusterOf(work.config)), nodes, say),
  };
}

/** Last: all else is done by then. */
function watching(work: Convergence): Step[] {
  const names = WITH_PAGE.filter((name) => work.monitoring.choice[name]).map((name) => TITLES[name]);
  if (names.length === 0) return [];
  return [{ title: `Wait for ${names.join(", ")}`, run: (say) => untilWatched(work, say) }];
}

function startTitle({ goal, observed }: Convergence, entering: readonly string[]): string {
  if (!observed.supervisor) return `Start the balancer and ${plural(goal.nodes.length, "node")}`;
  return entering.length > 0 ? `Start ${entering.join(", ")}` : "See that every process runs";
}

function removal(work: Convergence, leaving: readonly ProxyNode[]): Step {
  const names = leaving.map(({ name }) => name);
  return { title: `Drain and remove ${names.join(", ")}`, run: (say) => removeNodes(work, leaving, say) };
}

async function startProcesses(work: Convergence, leaving: readonly ProxyNode[]): Promise<void> {
  const { processes } = withLeaving(work.goal, leaving, work.programs, work.state);
  await writeMonitoring(work.state, work.monitoring);
  await runProcesses(work.state, work.config, processes, work.signal);
  await removeLeftovers(work, [...work.goal.nodes, ...leaving.map(({ name }) => name)]);
}

/** Sees that the balancer runs with the config that was written. */
async function load(work: Convergence): Promise<void> {
  const cluster = await loadClusterOf(work.config);
  await untilReady(askedOf(work, cluster));
  const before = runningProcess(work.observed.supervisor, BALANCER);
  const now = runningProcess((await observe(work.state)).supervisor, BALANCER);
  // One that was started since has read it.
  if (before && before.pid === now?.pid) await reloadBalancer(work, cluster);
  const admin = new AdminClient(cluster, work.signal);
  for (const node of comingBack(work.observed.record, work.goal)) await admin.ready(node, false);
  await markLoaded(work);
}

async function restartApp(work: Convergence, node: string): Promise<void> {
  const { observed, goal, state } = work;
  const asked = askedOf(work, await loadClusterOf(work.config));
  const { admin } = asked;
  const alone = goal.nodes.length === 1;
  if (!alone) await admin.drain(node, false);
  const current = (await observe(state)).wanted?.processes ?? observed.wanted?.processes ?? [];
  const processes = current.map((spec) =>
    spec.name === node ? (specOf(goal.processes, node) ?? spec) : spec,
  );
  await runProcesses(state, work.config, processes, work.signal);
  if (!alone) await admin.ready(node, false);
  await untilInSync(asked, [node], () => undefined);
}

async function removeNodes(
  work: Convergence,
  leaving: readonly ProxyNode[],
  say: (detail: string) => void,
): Promise<void> {
  const { state, goal, config, programs } = work;
  const cluster = await loadClusterOf(work.config);
  let left = leaving;
  const remove = async (nodes: readonly string[]) => {
    left = left.filter(({ name }) => !nodes.includes(name));
    await writeJson(state.proxyConfig, withLeaving(goal, left, programs, state).proxyConfig);
    await reloadBalancer(work, cluster);
    await markLoaded(work);
  };
  await takeOut(
    askedOf(work, cluster),
    leaving.map(({ name }) => name),
    remove,
    say,
  );
  await runProcesses(state, config, goal.processes, work.signal);
  await removeLeftovers(work, goal.nodes);
}
