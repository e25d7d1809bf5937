/**
 * Brings a local cluster to its goal, by steps that can each be stopped and done again: what is written says what
 * is wanted before it is done, and a node's data is wiped before the balancer first hears of the node.
 */
import { mkdir, readdir, rm } from "node:fs/promises";
import { AdminClient } from "../admin-client.ts";
import { type Cluster, loadClusterOf } from "../cluster.ts";
import type { ClusterConfig } from "../cluster-config.ts";
import { makeStateDir, nodeDir, type StatePaths, writeJson } from "../state.ts";
import type { Change } from "../target.ts";
import { plural } from "../tools/format.ts";
import type { ProxyConfigFile, ProxyNode } from "../tools/proxy-config.ts";
import type { Step } from "../ui.ts";
import { reloadBalancer, untilInSync, untilReady } from "./balancer.ts";
import { type ClusterRecord, digest, type Goal, type Programs, withLeaving } from "./goal.ts";
import { type Observed, observe, runningProcess } from "./observed.ts";
import { comingBack, outdated } from "./plan.ts";
import { checkPorts } from "./preflight.ts";
import type { ProcessSpec } from "./processes.ts";
import { takeOut } from "./removal.ts";
import { BALANCER } from "./specs.ts";
import { runProcesses } from "./supervision.ts";

export interface Convergence {
  readonly config: ClusterConfig;
  readonly state: StatePaths;
  readonly goal: Goal;
  readonly programs: Programs;
  readonly observed: Observed;
  readonly changes: readonly Change[];
  readonly signal: AbortSignal;
}

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
  ];
}

/** Where nothing is to be changed: it may still be on its way there, or hang. */
export function waitingSteps(work: Convergence): Step[] {
  return [{ title: READY, run: async () => untilReady(work, await clusterOf(work)) }, inSync(work)];
}

const READY = "Wait until the balancer is ready";

function inSync(work: Convergence): Step {
  const { nodes } = work.goal;
  return {
    title: `Wait until ${plural(nodes.length, "node")} in-sync`,
    run: (say) => untilInSync(work, nodes, say),
  };
}

function startTitle({ goal, observed }: Convergence, entering: readonly string[]): string {
  if (!observed.supervisor) return `Start the balancer and ${plural(goal.nodes.length, "node")}`;
  return entering.length > 0 ? `Start ${entering.join(", ")}` : "See that every process runs";
}

function removal(work: Convergence, leaving: readonly ProxyNode[]): Step {
  const names = leaving.map(({ name }) => name);
  return { title: `Drain and remove ${names.join(", ")}`, run: (say) => removeNodes(work, leaving, say) };
}

/** Known to the balancer, and not wanted any more. */
function leavingNodes(goal: Goal, { proxyConfig }: Observed): ProxyNode[] {
  return (proxyConfig?.nodes ?? []).filter(({ name }) => !goal.nodes.includes(name));
}

/** Not known to the balancer: whatever data it has from an earlier life has to go. */
function enteringNodes(goal: Goal, current: ProxyConfigFile | null): string[] {
  const known = new Set(current?.nodes.map(({ name }) => name));
  return goal.nodes.filter((name) => !known.has(name));
}

/** Nodes that run another build: restarted one at a time, drained first. */
function outdatedApps({ goal, observed }: Convergence): string[] {
  if (!runningProcess(observed.supervisor, BALANCER) || movedNodes(goal, observed.proxyConfig)) return [];
  return goal.nodes.filter((name) => {
    const [before, after] = [specOf(observed.wanted?.processes, name), specOf(goal.processes, name)];
    return before && after && outdated(before, after) && runningProcess(observed.supervisor, name);
  });
}

/** Nodes at other addresses than before: all is started anew, at once. */
function movedNodes(goal: Goal, current: ProxyConfigFile | null): boolean {
  const urls = new Map(goal.proxyConfig.nodes.map((node) => [node.name, node.url]));
  return (current?.nodes ?? []).some(({ name, url }) => urls.has(name) && urls.get(name) !== url);
}

function specOf(specs: readonly ProcessSpec[] | undefined, name: string): ProcessSpec | undefined {
  return specs?.find((spec) => spec.name === name);
}

async function writeConfiguration(
  work: Convergence,
  leaving: readonly ProxyNode[],
  entering: readonly string[],
): Promise<void> {
  const { state, goal, observed } = work;
  await makeStateDir(state);
  if (observed.proxyConfig) await finishInterrupted(work, observed.proxyConfig);
  if (movedNodes(goal, observed.proxyConfig)) await runProcesses(state, work.config, [], work.signal);
  await wipe(work, entering);
  const current = withLeaving(goal, leaving, work.programs, state).proxyConfig;
  await writeRecord(work, {
    loaded: observed.record?.loaded ?? null,
    leaving: leaving.map(({ name }) => name),
  });
  await writeJson(state.proxyConfig, current);
}

/**
 * The balancer may still run with a config from before; a node is only made again once it has forgotten the old one.
 * One that doesn't answer is ended: it is started later, with what is wanted then.
 */
async function finishInterrupted(work: Convergence, current: ProxyConfigFile): Promise<void> {
  const { record, supervisor, wanted } = work.observed;
  if (record?.loaded === digest(current) || !runningProcess(supervisor, BALANCER)) return;
  const cluster = await clusterOf(work);
  if (await new AdminClient(cluster, work.signal).statusIfUp()) return await reloadBalancer(work, cluster);
  const others = (wanted?.processes ?? []).filter(({ name }) => name !== BALANCER);
  await runProcesses(work.state, work.config, others, work.signal);
}

async function wipe(work: Convergence, entering: readonly string[]): Promise<void> {
  const { state, observed } = work;
  const left = (observed.wanted?.processes ?? []).filter(({ name }) => entering.includes(name));
  if (left.length > 0) {
    const others = (observed.wanted?.processes ?? []).filter((spec) => !left.includes(spec));
    await runProcesses(state, work.config, others, work.signal);
  }
  for (const node of entering) {
    await rm(nodeDir(state, node), { recursive: true, force: true });
    await mkdir(nodeDir(state, node), { recursive: true, mode: 0o700 });
  }
}

async function startProcesses(work: Convergence, leaving: readonly ProxyNode[]): Promise<void> {
  const { processes } = withLeaving(work.goal, leaving, work.programs, work.state);
  await runProcesses(work.state, work.config, processes, work.signal);
  await removeLeftovers(work, [...work.goal.nodes, ...leaving.map(({ name }) => name)]);
}

/** Data of nodes that are gone. */
async function removeLeftovers({ state }: Convergence, nodes: readonly string[]): Promise<void> {
  for (const name of await readdir(state.nodes)) {
    if (!nodes.includes(name)) await rm(nodeDir(state, name), { recursive: true, force: true });
  }
}

/** Sees that the balancer runs with the config that was written. */
async function load(work: Convergence): Promise<void> {
  const cluster = await clusterOf(work);
  await untilReady(work, cluster);
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
  const admin = new AdminClient(await clusterOf(work), work.signal);
  const alone = goal.nodes.length === 1;
  if (!alone) await admin.drain(node, false);
  const current = (await observe(state)).wanted?.processes ?? observed.wanted?.processes ?? [];
  const processes = current.map((spec) =>
    spec.name === node ? (specOf(goal.processes, node) ?? spec) : spec,
  );
  await runProcesses(state, work.config, processes, work.signal);
  if (!alone) await admin.ready(node, false);
  await untilInSync(work, [node], () => undefined);
}

async function removeNodes(
  work: Convergence,
  leaving: readonly ProxyNode[],
  say: (detail: string) => void,
): Promise<void> {
  const { state, goal, config, programs } = work;
  const cluster = await clusterOf(work);
  let left = leaving;
  const remove = async (nodes: readonly string[]) => {
    left = left.filter(({ name }) => !nodes.includes(name));
    await writeJson(state.proxyConfig, withLeaving(goal, left, programs, state).proxyConfig);
    await reloadBalancer(work, cluster);
    await markLoaded(work);
  };
  await takeOut(
    work,
    leaving.map(({ name }) => name),
    remove,
    say,
  );
  await runProcesses(state, config, goal.processes, work.signal);
  await removeLeftovers(work, goal.nodes);
}

async function markLoaded(work: Convergence): Promise<void> {
  const { proxyConfig } = await observe(work.state);
  const leaving = leavingNodes(work.goal, { ...work.observed, proxyConfig });
  await writeRecord(work, { loaded: digest(proxyConfig), leaving: leaving.map(({ name }) => name) });
}

async function writeRecord(
  { state, config, goal }: Convergence,
  progress: Pick<ClusterRecord, "loaded" | "leaving">,
): Promise<void> {
  const { name, target } = config;
  await writeJson(state.record, {
    format: 1,
    name,
    target,
    nodes: goal.nodes.length,
    ...progress,
  } satisfies ClusterRecord);
}

async function clusterOf({ config }: Convergence): Promise<Cluster> {
  return loadClusterOf(config);
}
