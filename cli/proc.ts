/** Processes as Linux knows them. A pid alone proves nothing: it is told from a recycled one by its start time. */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";

export interface ProcessId {
  readonly pid: number;
  /** Clock ticks since boot, from /proc/PID/stat. */
  readonly startTime: number;
}

/** A process that a supervisor of this cluster started, or the supervisor: told by its environment. */
export interface ClusterProcess extends ProcessId {
  readonly name: string;
  readonly revision: string;
  /** Of the command line that it was started with (`commandDigest`): it may have replaced itself by another since. */
  readonly command: string;
}

/** Set in the environment of every process of a cluster, so that each can be found again, whoever started it. */
export const MARK = {
  stateDir: "LBCTL_STATE_DIR",
  process: "LBCTL_PROCESS",
  revision: "LBCTL_REVISION",
  command: "LBCTL_COMMAND",
} as const;

export const SUPERVISOR = "supervisor";

/** Tells command lines apart. */
export function commandDigest(argv: readonly string[]): string {
  return createHash("sha256").update(argv.join("\0")).digest("hex").slice(0, 12);
}

/** @returns null when there is no such process, or only its zombie */
export function startTimeOf(pid: number): number | null {
  const stat = readProc(pid, "stat");
  // The name, in parentheses, may hold spaces and parentheses itself.
  const fields = stat?.slice(stat.lastIndexOf(")") + 2).split(" ");
  if (!fields || fields[0] === "Z" || fields[0] === "X") return null;
  return Number(fields[19]);
}

export function isRunning({ pid, startTime }: ProcessId): boolean {
  return startTimeOf(pid) === startTime;
}

/** When it was started, in ms since the epoch; Linux counts in hundredths of a second here. */
export function startedAt({ startTime }: ProcessId): number {
  const bootedAt = Number(/^btime (\d+)/m.exec(readFileSync("/proc/stat", "utf8"))?.[1] ?? 0);
  return bootedAt * 1000 + startTime * 10;
}

/** Sends a signal to this very process; @returns false when it is gone */
export function signal(id: ProcessId, name: NodeJS.Signals): boolean {
  if (!isRunning(id)) return false;
  try {
    return process.kill(id.pid, name);
  } catch {
    return false;
  }
}

/** Every process of the cluster whose state is in `stateDir`, the caller left out. */
export function clusterProcesses(stateDir: string): ClusterProcess[] {
  return allPids()
    .filter((pid) => pid !== process.pid)
    .flatMap((pid) => readClusterProcess(pid, stateDir) ?? []);
}

/** The command line for people, or null when the process is gone. */
export function commandLine(pid: number): string | null {
  const argv = argvOf(pid);
  return argv.length > 0 ? argv.join(" ") : (readProc(pid, "comm")?.trim() ?? null);
}

export function allPids(): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

function readClusterProcess(pid: number, stateDir: string): ClusterProcess | null {
  const environment = readProc(pid, "environ")?.split("\0");
  if (!environment?.includes(`${MARK.stateDir}=${stateDir}`)) return null;
  const startTime = startTimeOf(pid);
  const name = settingOf(environment, MARK.process);
  if (startTime === null || name === undefined) return null;
  const [revision = "", command = ""] = [MARK.revision, MARK.command].map((mark) =>
    settingOf(environment, mark),
  );
  return { pid, startTime, name, revision, command };
}

function settingOf(environment: readonly string[], name: string): string | undefined {
  return environment.find((entry) => entry.startsWith(`${name}=`))?.slice(name.length + 1);
}

function argvOf(pid: number): string[] {
  return readProc(pid, "cmdline")?.split("\0").slice(0, -1) ?? [];
}

/** Null: gone, or somebody else's. */
function readProc(pid: number, file: string): string | null {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return null;
  }
}
