import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import type { TestContext } from "node:test";

/** Server processes of tests. Each is ended by its id when its test ends, however that ends. */

export interface ProcessOptions {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** Finds in the output where the process listens: its first group is the URL. */
  readonly ready: RegExp;
  /** ms */
  readonly timeout?: number;
}

export interface TestProcess {
  readonly pid: number;
  readonly url: string;
  /** Ended: its exit code, or the signal that ended it. Null while it runs. */
  readonly ended: number | string | null;
  /** What it wrote, stdout and stderr. */
  output(): string;
  signal(name: NodeJS.Signals): void;
  /** Waits until it has ended (killing it after `timeout` ms); gives the exit code or the signal. */
  wait(timeout?: number): Promise<number | string>;
}

/** Starts a process and waits until it listens; throws with its output when it doesn't. */
export async function startProcess(t: TestContext, options: ProcessOptions): Promise<TestProcess> {
  const child = spawn(options.command, [...options.args], {
    stdio: ["ignore", "pipe", "pipe"],
    ...(options.cwd ? { cwd: options.cwd } : {}),
    ...(options.env ? { env: options.env } : {}),
  });
  killLater(t, child);
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output = (output + text).slice(-64 * 1024);
    });
  }
  const url = await urlFrom(child, () => output, options);
  return {
    pid: child.pid ?? 0,
    url,
    get ended() {
      return child.exitCode ?? child.signalCode;
    },
    output: () => output,
    signal: (name) => void child.kill(name),
    wait: (timeout = 15_000) => ended(child, timeout),
  };
}

function urlFrom(child: ChildProcess, output: () => string, options: ProcessOptions): Promise<string> {
  const { name, ready, timeout = 20_000 } = options;
  return new Promise((resolve, reject) => {
    const fail = (what: string): void => reject(new Error(`${name} ${what}:\n${output()}`));
    const timer = setTimeout(() => fail(`did not listen within ${timeout} ms`), timeout);
    const look = (): void => {
      const url = ready.exec(output())?.[1];
      if (url === undefined) return;
      clearTimeout(timer);
      resolve(url);
    };
    child.stdout?.on("data", look);
    child.stderr?.on("data", look);
    child.once("error", (error) => fail(error.message));
    child.once("close", (code, signal) => {
      clearTimeout(timer);
      fail(`ended (${code ?? signal}) before it listened`);
    });
  });
}

async function ended(child: ChildProcess, timeout: number): Promise<number | string> {
  if (child.exitCode === null && child.signalCode === null) {
    const timer = setTimeout(() => child.kill("SIGKILL"), timeout);
    await once(child, "close");
    clearTimeout(timer);
  }
  return child.exitCode ?? child.signalCode ?? 0;
}

/** At the end of the test; and of this process, should it end first. SIGKILL also ends what SIGSTOP holds. */
function killLater(t: TestContext, child: ChildProcess): void {
  const kill = (): void => void child.kill("SIGKILL");
  process.once("exit", kill);
  child.once("exit", () => process.off("exit", kill));
  t.after(async () => {
    kill();
    if (child.pid !== undefined) await ended(child, 5_000);
    process.off("exit", kill);
  });
}
