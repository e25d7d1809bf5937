/** Processes of a measurement: started, found when they listen, ended by their id. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

export interface Child {
  readonly pid: number;
  /** What `ready` found: its groups. */
  readonly found: readonly string[];
  hasEnded(): boolean;
  /** What it wrote; the end of it. */
  output(): string;
  stop(): Promise<void>;
}

const READY_TIMEOUT_MS = 20_000;
const STOP_TIMEOUT_MS = 10_000;

/** Its output goes to `log`, as it would in operation: a pipe to a busy reader would cost it time. */
export async function startChild(argv: readonly string[], log: string, ready: RegExp): Promise<Child> {
  const [command = "", ...args] = argv;
  const output = openSync(log, "w", 0o600);
  const child = spawn(command, args, { stdio: ["ignore", output, output] });
  closeSync(output);
  const kill = () => void child.kill("SIGKILL");
  process.once("exit", kill);
  const stop = async () => {
    await end(child);
    process.off("exit", kill);
  };
  try {
    const found = await waitForReady(child, log, ready);
    const hasEnded = () => child.exitCode !== null || child.signalCode !== null;
    return { pid: child.pid ?? 0, found, hasEnded, output: () => endOf(log), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function waitForReady(child: ChildProcess, log: string, ready: RegExp): Promise<string[]> {
  let failure: string | null = null;
  child.once("error", (error) => {
    failure = error.message;
  });
  const deadline = performance.now() + READY_TIMEOUT_MS;
  while (performance.now() < deadline && failure === null && child.exitCode === null) {
    const found = ready.exec(readFileSync(log, "utf8"));
    if (found !== null) return found.slice(1);
    await sleep(20);
  }
  throw new Error(`expected ${child.spawnfile} to be ready, got ${failure ?? endOf(log)}`);
}

function endOf(log: string): string {
  return readFileSync(log, "utf8").slice(-2000);
}

async function end(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const closed = once(child, "close");
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), STOP_TIMEOUT_MS);
  await closed;
  clearTimeout(timer);
}
