/** What this machine is, and what a process on it has used: read from /proc. */
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, statfsSync } from "node:fs";
import { cpus, release } from "node:os";
import { delimiter, join } from "node:path";

const TICK_MICROS = 1_000_000 / Number(execFileSync("getconf", ["CLK_TCK"], { encoding: "utf8" }));
const TMPFS = 0x01021994;

/** CPU that a process has used so far, in µs: user and system, all its threads; its children apart. */
export function cpuMicros(pid: number): number {
  // The name, in brackets, may hold spaces: proc_pid_stat(5).
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /s, "")
    .split(" ");
  const [utime, stime] = [fields[11], fields[12]];
  return (Number(utime) + Number(stime)) * TICK_MICROS;
}

/** Memory in RAM, in bytes. */
export function residentBytes(pid: number): number {
  const [, kib] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  if (kib === undefined) throw new Error(`expected VmRSS of process ${pid}, got none: it has ended`);
  return Number(kib) * 1024;
}

/** A process and all that it started, and so on. */
export function familyOf(pid: number): number[] {
  const children = readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
    readFileSync(`/proc/${pid}/task/${thread}/children`, "utf8").split(" ").filter(Boolean).map(Number),
  );
  return [pid, ...children.flatMap(familyOf)];
}

export function machineLine(): string {
  const [first] = cpus();
  return `${first?.model.trim() ?? "unknown CPU"}, ${cpus().length} cores, Linux ${release()}, Node.js ${process.version}`;
}

export function isInMemory(path: string): boolean {
  return statfsSync(path).type === TMPFS;
}

/** The full path of a program, or null. */
export function findProgram(name: string): string | null {
  for (const dir of [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin"]) {
    try {
      if (readdirSync(dir).includes(name)) return join(dir, name);
    } catch {
      // A folder on PATH that isn't there.
    }
  }
  return null;
}
