/** What is written before it is done, so that a deploy that was stopped can be done again; old data goes first. */
import { mkdir, readdir, rm } from "node:fs/promises";
import { AdminClient } from "../admin-client.ts";
import { loadClusterOf } from "../cluster.ts";
import { makeStateDir, nodeDir, writeJson } from "../state.ts";
import type { ProxyConfigFile, ProxyNode } from "../tools/proxy-config.ts";
import { reloadBalancer } from "./balancer.ts";
import { type ClusterRecord, digest, withLeaving } from "./goal.ts";
import { movedNodes } from "./moved-nodes.ts";
import { leavingNodes } from "./node-changes.ts";
import { observe, runningProcess } from "./observed.ts";
import { BALANCER } from "./specs.ts";
import { runProcesses } from "./supervision.ts";
import type { Convergence } from "./work.ts";

export async function writeConfiguration(
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
  const cluster = await loadClusterOf(work.config);
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

/** Data of nodes that are gone. */
export async function removeLeftovers({ state }: Convergence, nodes: readonly string[]): Promise<void> {
  for (const name of await readdir(state.nodes)) {
    if (!nodes.includes(name)) await rm(nodeDir(state, name), { recursive: true, force: true });
  }
}

/** The balancer is known to run with what is written. */
export async function markLoaded(work: Convergence): Promise<void> {
  const { proxyConfig } = await observe(work.state);
  const leaving = leavingNodes(work.goal, { ...work.observed, proxyConfig });
  await writeRecord(work, { loaded: digest(proxyConfig), leaving: leaving.map(({ name }) => name) });
}

async function writeRecord(
  { state, config, goal }: Convergence,
  progress: Pick<ClusterRecord, "loaded" | "leaving">,
): Promise<void> {
  const { name } = config;
  await writeJson(state.record, {
    format: 1,
    name,
    target: "local",
    nodes: goal.nodes.length,
    ...progress,
  } satisfies ClusterRecord);
}
