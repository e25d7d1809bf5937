/** What a local cluster is to be: pure, from lbctl.yaml and what was scaled to last. */
import { createHash } from "node:crypto";
import { checkConfig } from "../../proxy/config/config.ts";
import { type ClusterConfig, DEFAULT_NODES, type TargetName } from "../cluster-config.ts";
import type { StatePaths } from "../state.ts";
import {
  nodeNames,
  type ProxyConfigFile,
  type ProxyNode,
  portOf,
  proxyNode,
  renderProxyConfig,
} from "../tools/proxy-config.ts";
import type { ProcessSpec } from "./processes.ts";
import { appSpec, balancerSpec, type ProgramFile } from "./specs.ts";

/** cluster.json: what lbctl has to remember between commands. */
export interface ClusterRecord {
  readonly format: 1;
  readonly name: string;
  readonly target: TargetName;
  /** Where lbctl.yaml says nothing, or is not there. */
  readonly nodes: number;
  /** Digest of the proxy.json that the balancer is known to run with; null: not known. */
  readonly loaded: string | null;
  /** Nodes that lbctl began to remove. */
  readonly leaving: readonly string[];
}

export interface Programs {
  readonly proxy: ProgramFile;
  readonly app: ProgramFile;
}

export interface Goal {
  readonly nodes: readonly string[];
  readonly proxyConfig: ProxyConfigFile;
  readonly processes: readonly ProcessSpec[];
  /** Those of the processes that only watch. */
  readonly monitoring: readonly ProcessSpec[];
}

/** How long lb-proxy may take to finish what is in flight, in ms: its own word for it. */
export function drainTimeout(proxyConfig: ProxyConfigFile, state: StatePaths): number {
  return checkConfig(proxyConfig, state.dir).drainTimeout;
}

/** With fewer nodes in-sync than this, writes are refused. */
export function minInSync(proxyConfig: ProxyConfigFile, state: StatePaths): number {
  return checkConfig(proxyConfig, state.dir).writes.minInSync;
}

export function goalOf(
  config: ClusterConfig,
  record: ClusterRecord | null,
  programs: Programs,
  state: StatePaths,
): Goal {
  const nodes = nodeNames(wantedNodes(config, record));
  const proxyConfig = renderProxyConfig(
    config,
    state,
    nodes.map((name) => proxyNode(name, portOf(config, name))),
  );
  return { nodes, proxyConfig, processes: specsOf(proxyConfig, programs, state), monitoring: [] };
}

/** The goal, with what watches it. */
export function watchedBy(goal: Goal, monitoring: readonly ProcessSpec[]): Goal {
  return { ...goal, monitoring, processes: [...goal.processes, ...monitoring] };
}

export function wantedNodes(config: ClusterConfig, record: ClusterRecord | null): number {
  return config.nodes ?? record?.nodes ?? DEFAULT_NODES;
}

/** The goal, with nodes that are still to be drained. */
export function withLeaving(
  goal: Goal,
  leaving: readonly ProxyNode[],
  programs: Programs,
  state: StatePaths,
): Goal {
  const proxyConfig = { ...goal.proxyConfig, nodes: [...goal.proxyConfig.nodes, ...leaving] };
  const processes = [...specsOf(proxyConfig, programs, state), ...goal.monitoring];
  return { ...goal, proxyConfig, processes };
}

function specsOf(proxyConfig: ProxyConfigFile, programs: Programs, state: StatePaths): ProcessSpec[] {
  const apps = proxyConfig.nodes.map(({ name, url }) =>
    appSpec(programs.app, state, name, Number(new URL(url).port)),
  );
  const revision = `${programs.proxy.revision}-${digest(atStart(proxyConfig)).slice(0, 12)}`;
  return [...apps, balancerSpec({ ...programs.proxy, revision }, state, drainTimeout(proxyConfig, state))];
}

/** What the balancer reads only when it starts: with another one of these it is started anew. */
function atStart({ cluster, listen, admin, dataDir, journal }: ProxyConfigFile): unknown {
  return { cluster, listen, admin, dataDir, journal };
}

export function digest(value: unknown): string {
  return createHash("sha256").update(JSON.stringify(value)).digest("hex");
}
