/** Target `local`: balancer and nodes as supervised processes on this machine. */
import { readdir, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { loadClusterOf } from "../cluster.ts";
import type { ClusterConfig } from "../cluster-config.ts";
import { UserError } from "../errors.ts";
import { buildId, programFile } from "../package.ts";
import { clusterProcesses, SUPERVISOR, startedAt } from "../proc.ts";
import { type StatePaths, statePaths } from "../state.ts";
import type {
  Change,
  ChangeContext,
  DestroyOptions,
  LogSource,
  ProcessReport,
  Reached,
  Target,
} from "../target.ts";
import { duration } from "../tools/format.ts";
import { STEADY_AFTER } from "./backoff.ts";
import { checkScale } from "./check-scale.ts";
import { convergenceSteps, waitingSteps } from "./converge.ts";
import { localFindings } from "./doctor.ts";
import { fileLog } from "./file-log.ts";
import { drainTimeout, goalOf, type Programs, watchedBy } from "./goal.ts";
import { chooseMonitoring } from "./monitoring/choice.ts";
import { monitoringOf } from "./monitoring/files.ts";
import { isMonitoring } from "./monitoring/names.ts";
import { localDashboards } from "./monitoring/pages.ts";
import { monitoringSpecs } from "./monitoring/specs.ts";
import { isUp, observe } from "./observed.ts";
import { planChanges } from "./plan.ts";
import type { ProcessStatus, SupervisorStatus } from "./processes.ts";
import { BALANCER, type ProgramFile } from "./specs.ts";
import { stopAll } from "./supervision.ts";

export const localTarget: Target = {
  find: loadClusterOf,
  reach,
  plan,
  deploy,
  checkScale: async (config, nodes, { signal }) => checkScale(config, nodes, await plan(config), signal),
  scale: deploy,
  rollback,
  destroy,
  processes,
  logs,
  dashboards: localDashboards,
  doctor: localFindings,
};

async function reach(config: ClusterConfig): Promise<Reached> {
  return { cluster: await loadClusterOf(config), [Symbol.asyncDispose]: async () => undefined };
}

async function rollback(): Promise<never> {
  throw new UserError("expected target hosts, got local: it runs lbctl's own build and keeps no other", {
    code: "no_release_before",
    next: ["install the lbctl that you want, then: lbctl deploy   # restarts what is of another build"],
  });
}

async function plan(config: ClusterConfig): Promise<readonly Change[]> {
  return (await survey(config)).changes;
}

async function deploy(
  config: ClusterConfig,
  { ui, signal, begin }: ChangeContext,
): Promise<readonly Change[]> {
  const work = { config, signal, ...(await survey(config)) };
  await begin?.();
  await ui.steps(work.changes.length > 0 ? convergenceSteps(work) : waitingSteps(work));
  return work.changes;
}

async function survey(config: ClusterConfig) {
  const state = statePaths(config.dir, config.name);
  const [observed, programs] = [await observe(state), programsOfPackage()];
  const bare = goalOf(config, observed.record, programs, state);
  const monitoring = monitoringOf(await chooseMonitoring(config, state), bare.proxyConfig, state);
  const goal = watchedBy(bare, monitoringSpecs(monitoring.choice, monitoring.files, state));
  return { state, observed, programs, monitoring, goal, changes: planChanges(goal, observed) };
}

function programsOfPackage(): Programs {
  const program = (name: "proxy" | "app"): ProgramFile => ({
    node: process.execPath,
    file: programFile(name),
    revision: buildId(name),
  });
  return { proxy: program("proxy"), app: program("app") };
}

async function destroy(
  config: ClusterConfig,
  { keepData }: DestroyOptions,
  { ui, signal }: ChangeContext,
): Promise<boolean> {
  const state = statePaths(config.dir, config.name);
  const { proxyConfig } = await observe(state);
  // The balancer drains, then the nodes end.
  const patience = (proxyConfig ? drainTimeout(proxyConfig, state) : 0) + 20_000;
  await ui.steps([
    { title: "Stop every process", run: () => stopAll(state, patience, signal) },
    keepData
      ? { title: "Remove what belongs to the processes", run: () => forgetProcesses(state) }
      : { title: `Remove ${state.dir}`, run: () => removeState(config, state) },
  ]);
  return true;
}

/** What the next deploy goes on with stays: journal, keys, the nodes' data, config and audit log. */
async function forgetProcesses(state: StatePaths): Promise<void> {
  for (const file of [state.processes, state.supervisor]) await rm(file, { force: true });
}

async function removeState(config: ClusterConfig, state: StatePaths): Promise<void> {
  await rm(state.dir, { recursive: true, force: true });
  const parent = join(config.dir, ".lbctl");
  const left = await readdir(parent).catch(() => ["?"]);
  if (left.length === 0) await rm(parent, { recursive: true });
}

async function processes(config: ClusterConfig): Promise<readonly ProcessReport[]> {
  const state = statePaths(config.dir, config.name);
  const { supervisor, wanted } = await observe(state);
  if (!supervisor && !wanted) return [];
  const others = supervisor ? supervisor.processes.map(report) : orphans(state);
  return [...others.sort((a, b) => byRank(a.name, b.name)), supervisorReport(supervisor)];
}

function supervisorReport(supervisor: SupervisorStatus | null): ProcessReport {
  const none = {
    name: SUPERVISOR,
    state: "stopped",
    pid: null,
    startedAt: null,
    restarts: 0,
    failing: false,
    lastExit: null,
  } as const;
  return supervisor
    ? { ...none, state: "running", pid: supervisor.pid, startedAt: startedAt(supervisor) }
    : none;
}

/** Still running although nobody watches them: the supervisor was killed. */
function orphans(state: StatePaths): ProcessReport[] {
  return clusterProcesses(state.dir).map((found) => ({
    name: found.name,
    state: "running",
    pid: found.pid,
    startedAt: startedAt(found),
    restarts: 0,
    failing: false,
    lastExit: null,
  }));
}

function report(status: ProcessStatus): ProcessReport {
  const { name, state, pid, startTime, restarts, failures, lastExit } = status;
  const endedJustNow = lastExit !== null && Date.now() - lastExit.at < STEADY_AFTER;
  return {
    name,
    state: state === "running" && !isUp(status) ? "waiting" : state,
    pid,
    startedAt: pid !== null && startTime !== null ? startedAt({ pid, startTime }) : null,
    restarts,
    failing: state === "waiting" || (failures > 1 && endedJustNow),
    lastExit: lastExit && `${lastExit.how}, ${duration(Date.now() - lastExit.at)} ago`,
  };
}

async function logs(config: ClusterConfig): Promise<readonly LogSource[]> {
  const { logs: dir } = statePaths(config.dir, config.name);
  const found = await readdir(dir).catch(() => []);
  return found
    .filter((file) => file.endsWith(".log"))
    .map((file) => fileLog(basename(file, ".log"), join(dir, file)))
    .sort((a, b) => byRank(a.name, b.name));
}

/** The balancer first, then the nodes, then what watches them, then who keeps all running. */
function byRank(a: string, b: string): number {
  const rank = (name: string) => {
    if (name === BALANCER) return 0;
    if (name === SUPERVISOR) return 3;
    return isMonitoring(name) ? 2 : 1;
  };
  return rank(a) - rank(b) || a.localeCompare(b);
}
