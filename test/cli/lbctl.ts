/** lbctl as a process, as a user runs it. */
import { spawn } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Cluster } from "../../cli/cluster.ts";
import { type StatePaths, statePaths, writeJson } from "../../cli/state.ts";

const LBCTL = join(import.meta.dirname, "../../cli/bin.ts");

export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** lbctl in one directory. */
export interface Lbctl {
  lbctl(...args: string[]): Promise<Ran>;
  /** As `lbctl`, but fails the test unless it exits with 0. */
  ok(...args: string[]): Promise<string>;
  /** What it prints with --json. */
  json<T>(...args: string[]): Promise<T>;
}

/** @param dir what it takes for its working directory */
export function runLbctl(
  dir: string,
  args: readonly string[],
  options: Omit<RunOptions, "cwd"> = {},
): Promise<Ran> {
  return run(process.execPath, [LBCTL, ...args], { cwd: dir, ...options });
}

export function lbctlIn(dir: string): Lbctl {
  const lbctl = (...args: string[]) => runLbctl(dir, args);
  const ok = async (...args: string[]) => {
    const ran = await lbctl(...args);
    if (ran.code !== 0) throw new Error(`lbctl ${args.join(" ")}: ${ran.code}\n${ran.stdout}${ran.stderr}`);
    return ran.stdout;
  };
  return { lbctl, ok, json: async <T>(...args: string[]) => JSON.parse(await ok(...args, "--json")) as T };
}

/** A balancer that a test started by itself. */
export type StartedByHand = Pick<
  Cluster,
  "balancerUrl" | "adminUrl" | "adminUser" | "adminPasswordFile" | "nodes"
>;

/** Makes it the deployed cluster of the directory, by the file that `lbctl deploy` leaves behind. */
export async function markDeployed(dir: string, balancer: StartedByHand): Promise<StatePaths> {
  const state = statePaths(dir, "default");
  await mkdir(state.dir, { recursive: true, mode: 0o700 });
  const { adminUser: user, adminPasswordFile: passwordFile, nodes } = balancer;
  const admin = { listen: new URL(balancer.adminUrl).host, user, passwordFile };
  await writeJson(state.proxyConfig, { listen: new URL(balancer.balancerUrl).host, admin, nodes });
  return state;
}

export interface RunOptions {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly timeout?: number;
  /** The child, while it runs. */
  readonly started?: (child: ReturnType<typeof spawn>) => void;
}

export function run(file: string, args: readonly string[], options: RunOptions): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, {
      cwd: options.cwd,
      env: { ...process.env, NO_COLOR: "1", ...options.env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const timer = setTimeout(() => child.kill("SIGKILL"), options.timeout ?? 90_000);
    let [stdout, stderr] = ["", ""];
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    child.once("error", reject);
    child.once("close", (code) => {
      clearTimeout(timer);
      resolve({ code, stdout, stderr });
    });
    options.started?.(child);
  });
}
