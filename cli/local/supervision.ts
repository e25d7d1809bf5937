/** lbctl's side of the supervisor: see that one runs, tell it what is wanted, wait until it is so. */
import { UserError } from "../errors.ts";
import { buildId, programFile } from "../package.ts";
import { clusterProcesses, isRunning, type ProcessId, SUPERVISOR, signal as send } from "../proc.ts";
import { startDetached } from "../run.ts";
import { logFile, readJson, type StatePaths, writeJson } from "../state.ts";
import { lastLines } from "../tools/log-lines.ts";
import { waitFor } from "../wait.ts";
import { isMonitoring } from "./monitoring/names.ts";
import { isUp, runningSupervisor } from "./observed.ts";
import type { ProcessSpec, ProcessStatus, SupervisorStatus, WantedProcesses } from "./processes.ts";
import { supervisorArgv } from "./specs.ts";

const PATIENCE = 30_000;

/** A process that died this often in a row won't come up by itself. */
const GIVEN_UP_AFTER = 3;

/** Tells the supervisor, starting one if needed, and waits until exactly these processes run. */
export async function runProcesses(
  state: StatePaths,
  cluster: { readonly dir: string; readonly name: string },
  processes: readonly ProcessSpec[],
  signal: AbortSignal,
): Promise<SupervisorStatus> {
  const serial = ((await readJson<WantedProcesses>(state.processes))?.serial ?? 0) + 1;
  await writeJson(state.processes, { serial, processes } satisfies WantedProcesses);
  await ensureSupervisor(state, cluster);
  const stuck: { by: ProcessStatus | null } = { by: null };
  const settled = await waitFor(
    async () => {
      const supervisor = await runningSupervisor(state);
      if (!supervisor || supervisor.serial < serial) return null;
      stuck.by = supervisor.processes.find(keepsDying) ?? null;
      if (stuck.by) throw await processFailure(state, stuck.by);
      return hasSettled(supervisor, processes) ? supervisor : null;
    },
    { signal, patience: PATIENCE },
  );
  if (settled) return settled;
  throw new UserError(
    `expected ${processes.length} processes to run within ${PATIENCE / 1000} s, got fewer`,
    {
      next: ["lbctl status", "lbctl logs supervisor"],
    },
  );
}

/** One of another build is replaced: it is made to be killed, and the next one goes on with what runs. */
export async function ensureSupervisor(
  state: StatePaths,
  { dir, name }: { readonly dir: string; readonly name: string },
): Promise<void> {
  const running = await runningSupervisor(state);
  if (running?.build === buildId()) return;
  for (const process of supervisors(state)) await kill(process);
  const program = { node: process.execPath, file: programFile("supervisor"), revision: buildId() };
  const child = startDetached({
    argv: supervisorArgv(program, dir, name),
    cwd: state.dir,
    log: logFile(state, SUPERVISOR),
    mark: { stateDir: state.dir, process: SUPERVISOR, revision: program.revision },
  });
  child.on("error", () => undefined);
  child.unref();
}

/** Ends every process of the cluster: politely, then not; with or without a supervisor. */
export async function stopAll(state: StatePaths, patience: number, signal: AbortSignal): Promise<void> {
  const [supervisor] = supervisors(state);
  if (supervisor) await stopBySupervisor(supervisor, patience, signal);
  const left = clusterProcesses(state.dir);
  for (const process of left) endSoon(process);
  await waitFor(async () => left.every((process) => !isRunning(process)), { signal, patience: 5000 });
  for (const process of clusterProcesses(state.dir)) await kill(process);
}

async function stopBySupervisor(supervisor: ProcessId, patience: number, abort: AbortSignal): Promise<void> {
  send(supervisor, "SIGTERM");
  send(supervisor, "SIGCONT");
  // It ends last.
  await waitFor(async () => !isRunning(supervisor), { signal: abort, patience });
}

function endSoon(process: ProcessId): void {
  send(process, "SIGTERM");
  send(process, "SIGCONT");
}

async function kill(process: ProcessId): Promise<void> {
  send(process, "SIGKILL");
  await waitFor(async () => !isRunning(process), {
    signal: new AbortController().signal,
    patience: 5000,
    every: 10,
  });
}

function supervisors(state: StatePaths): ProcessId[] {
  return clusterProcesses(state.dir).filter(({ name }) => name === SUPERVISOR);
}

function hasSettled(supervisor: SupervisorStatus, specs: readonly ProcessSpec[]): boolean {
  if (supervisor.processes.length !== specs.length) return false;
  // What only watches may take its time, or never come up.
  const needed = specs.filter(({ name }) => !isMonitoring(name));
  return needed.every((spec) =>
    supervisor.processes.some(
      (process) =>
        process.name === spec.name &&
        process.state === "running" &&
        process.revision === spec.revision &&
        isUp(process),
    ),
  );
}

/** Something that the cluster can't do without keeps dying. */
export function keepsDying(process: ProcessStatus): boolean {
  return keepsEnding(process) && !isMonitoring(process.name);
}

export function keepsEnding({ state, failures }: ProcessStatus): boolean {
  return state === "waiting" && failures >= GIVEN_UP_AFTER;
}

export async function processFailure(state: StatePaths, process: ProcessStatus): Promise<UserError> {
  return new UserError(
    `expected ${process.name} to run, got ${process.lastExit?.how ?? "an end"}, ${process.failures} times in a row`,
    {
      problems: await lastLines(logFile(state, process.name), 10),
      next: [`lbctl logs ${process.name}`, "correct the cause, then: lbctl deploy"],
    },
  );
}
