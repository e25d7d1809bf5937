/** What a local cluster is now: from the state directory and from /proc. */
import { isRunning } from "../proc.ts";
import { readJson, type StatePaths } from "../state.ts";
import type { ProxyConfigFile } from "../tools/proxy-config.ts";
import type { ClusterRecord } from "./goal.ts";
import type { ProcessStatus, SupervisorStatus, WantedProcesses } from "./processes.ts";

export interface Observed {
  /** Null: nothing was deployed. */
  readonly record: ClusterRecord | null;
  readonly proxyConfig: ProxyConfigFile | null;
  readonly wanted: WantedProcesses | null;
  /** Null: none runs. */
  readonly supervisor: SupervisorStatus | null;
}

export async function observe(state: StatePaths): Promise<Observed> {
  const [record, proxyConfig, wanted, supervisor] = await Promise.all([
    readJson<ClusterRecord>(state.record),
    readJson<ProxyConfigFile>(state.proxyConfig),
    readJson<WantedProcesses>(state.processes),
    runningSupervisor(state),
  ]);
  return { record, proxyConfig, wanted, supervisor };
}

export async function runningSupervisor(state: StatePaths): Promise<SupervisorStatus | null> {
  const status = await readJson<SupervisorStatus>(state.supervisor);
  return status && isRunning(status) ? status : null;
}

/** The process, if it runs now: the supervisor may have been killed after it wrote that it does. */
export function runningProcess(supervisor: SupervisorStatus | null, name: string): ProcessStatus | null {
  const found = supervisor?.processes.find((process) => process.name === name);
  return found && isUp(found) ? found : null;
}

export function isUp({ pid, startTime }: ProcessStatus): boolean {
  return pid !== null && startTime !== null && isRunning({ pid, startTime });
}
