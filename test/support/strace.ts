/** What a process asked of the kernel, in the order in which it happened: strace's log, read back. */

import { spawnSync } from "node:child_process";
import type { TestContext } from "node:test";
import { startProcess } from "./process.ts";

export type Availability = { readonly ok: true } | { readonly ok: false; readonly reason: string };

/** Whether this machine has strace and lets it trace. */
export function straceAvailable(): Availability {
  const { status, error, stderr } = spawnSync("strace", ["-D", "-o", "/dev/null", "true"], {
    encoding: "utf8",
  });
  if (error) return { ok: false, reason: "strace isn't installed (Debian: apt-get install strace)" };
  return status === 0 ? { ok: true } : { ok: false, reason: `strace may not trace here: ${stderr.trim()}` };
}

/** The command that traces what follows it, as a grandchild, so that the traced process keeps its place and id. */
export function straceCommand(log: string, calls: readonly string[]): string[] {
  return [
    "strace",
    "-D",
    "-f",
    "-yy",
    "-s",
    "2048",
    "-e",
    `trace=${calls.join(",")}`,
    "-e",
    "signal=none",
    "-o",
    log,
  ];
}

/** One call. `begun` and `ended` are positions in the log: what ended before another began is before it. */
export interface Call {
  readonly name: string;
  /** As strace writes it: the arguments, with the file or socket behind each descriptor. */
  readonly args: string;
  readonly result: number;
  readonly begun: number;
  readonly ended: number;
}

const WHOLE = /^(\d+) +(\w+)\((.*)\) += (-?\d+)/;
const UNFINISHED = /^(\d+) +(\w+)\((.*) <unfinished \.\.\.>$/;
const RESUMED = /^(\d+) +<\.\.\. (\w+) resumed>(.*)\) += (-?\d+)/;

export function readCalls(log: string): Call[] {
  const open = new Map<string, { name: string; args: string; begun: number }>();
  const calls: Call[] = [];
  for (const [at, line] of log.split("\n").entries()) {
    const [, thread = "", name = "", args = "", result] =
      WHOLE.exec(line) ?? UNFINISHED.exec(line) ?? RESUMED.exec(line) ?? [];
    if (result === undefined) {
      if (name !== "") open.set(thread, { name, args, begun: at });
      continue;
    }
    const begun = open.get(thread);
    open.delete(thread);
    calls.push({
      name,
      args: (begun?.args ?? "") + args,
      result: Number(result),
      begun: begun?.begun ?? at,
      ended: at,
    });
  }
  return calls;
}

/** Makes every fsync of a running process take `ms` longer, until it is let go. */
export async function slowFsync(
  t: TestContext,
  pid: number,
  ms: number,
): Promise<{ letGo(): Promise<void> }> {
  const calls = "fsync,fdatasync";
  const inject = `inject=${calls}:delay_enter=${ms * 1000}`;
  const strace = await startProcess(t, {
    name: "strace",
    command: "strace",
    args: [
      "-f",
      "-p",
      String(pid),
      "-e",
      `trace=${calls}`,
      "-e",
      inject,
      "-e",
      "signal=none",
      "-o",
      "/dev/null",
    ],
    ready: /Process (\d+) attached/,
  });
  return {
    async letGo() {
      strace.signal("SIGTERM");
      await strace.wait();
    },
  };
}
