/** What is to run for monitoring, from which file and on which port: chosen once, then kept. */
import { join } from "node:path";
import { type ClusterConfig, MAX_NODES } from "../../cluster-config.ts";
import { USUAL_PORTS } from "../../monitoring-ports.ts";
import { ownerOf, portState } from "../../ports.ts";
import { clusterProcesses } from "../../proc.ts";
import { readJson, type StatePaths } from "../../state.ts";
import { MONITORING, type MonitoringName } from "./names.ts";
import { findProgram, isExecutable, type MonitoringProgram } from "./programs.ts";

export interface Chosen extends MonitoringProgram {
  /** On 127.0.0.1. */
  readonly port: number;
}

/** Nothing under a name: that one is not to run. */
export type Choice = Readonly<Partial<Record<MonitoringName, Chosen>>>;

/** monitoring.json: what was chosen before, or null. */
export async function lastChoice(state: StatePaths): Promise<Choice | null> {
  return await readJson<Choice>(choiceFile(state));
}

export function choiceFile(state: StatePaths): string {
  return join(state.monitoring, "monitoring.json");
}

/** What is installed here, unless `monitoring: off`. The others are of no use without Prometheus. */
export async function chooseMonitoring(config: ClusterConfig, state: StatePaths): Promise<Choice> {
  if (config.monitoring === "off") return {};
  const before = (await lastChoice(state)) ?? {};
  const chosen: Partial<Record<MonitoringName, Chosen>> = {};
  const taken = portsOfCluster(config);
  for (const name of MONITORING) {
    if (name !== "prometheus" && !chosen.prometheus) break;
    const program = kept(before[name]) ?? findProgram(name);
    if (!program) continue;
    const port = config.ports[name] ?? (await choosePort(name, before[name]?.port, taken, state));
    if (port === null) continue;
    taken.add(port);
    chosen[name] = { executable: program.executable, home: program.home, port };
  }
  return chosen;
}

/** Whatever PATH lbctl has this time, what runs is not exchanged for another one. */
function kept(before: Chosen | undefined): MonitoringProgram | null {
  return before && isExecutable(before.executable) ? before : null;
}

/** The one from before, while nobody else has it; else the next free one. Null: there is none. */
async function choosePort(
  name: MonitoringName,
  before: number | undefined,
  taken: ReadonlySet<number>,
  state: StatePaths,
): Promise<number | null> {
  if (before !== undefined && !taken.has(before) && (await freeOrOurs(before, state))) return before;
  for (let port = USUAL_PORTS[name]; port <= 65_535; port += 1) {
    if (!taken.has(port) && (await portState(port)) === "free") return port;
  }
  return null;
}

async function freeOrOurs(port: number, state: StatePaths): Promise<boolean> {
  if ((await portState(port)) === "free") return true;
  const owner = ownerOf(port);
  return owner !== null && clusterProcesses(state.dir).some(({ pid }) => pid === owner.pid);
}

/** Also those of nodes that scaling may bring, and those that are given to one by name. */
function portsOfCluster({ ports }: ClusterConfig): Set<number> {
  const apps = Array.from({ length: MAX_NODES }, (_, index) => ports.apps + index);
  const named = MONITORING.map((name) => ports[name]).filter((port) => port !== null);
  return new Set([ports.traffic, ports.admin, ...apps, ...named]);
}
