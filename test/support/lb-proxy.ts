/** `lb-proxy` as a command: what it says, and how it ends. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { startProcess } from "./process.ts";
import { until } from "./wait.ts";

/** One line of the log. */
export type LogLine = Readonly<Record<string, unknown>> & { readonly msg?: string };

export interface ProxyProcess {
  /** host:port of traffic, and of the admin listener. */
  readonly listen: string;
  readonly admin: string;
  /** What it logged so far. */
  lines(): LogLine[];
  /** Waits for a line that is not there yet. */
  nextLine(fits: (line: LogLine) => boolean): Promise<LogLine>;
  signal(name: NodeJS.Signals): void;
  /** Waits until it has ended; gives the exit code or the signal. */
  wait(): Promise<number | string>;
}

/** The balancer, from source. */
export const MAIN = fileURLToPath(new URL("../../proxy/main.ts", import.meta.url));

/** Runs it with a config file until the test ends; resolves when it is ready. */
export async function startProxy(t: TestContext, config: string): Promise<ProxyProcess> {
  const child = await startProcess(t, {
    name: "lb-proxy",
    command: process.execPath,
    args: [MAIN, "run", "--config", config],
    ready: /"listen":"([^"]+)".*"msg":"ready"/,
  });
  const lines = () => linesOf(child.output());
  return {
    listen: child.url,
    admin: String(lines().find(({ msg }) => msg === "ready")?.admin),
    lines,
    async nextLine(fits) {
      const before = lines().filter(fits).length;
      return await until(() => lines().filter(fits)[before], { what: "a line in the log" });
    },
    signal: (name) => child.signal(name),
    wait: () => child.wait(),
  };
}

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs it with these arguments until it ends by itself, for 20 s at most. */
export async function runProxy(args: readonly string[]): Promise<Ended> {
  const child = spawn(process.execPath, [MAIN, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    timeout: 20_000,
  });
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const [code] = (await once(child, "close")) as [number | null];
  return { code, stdout, stderr };
}

function linesOf(output: string): LogLine[] {
  return output.split("\n").flatMap((line) => {
    try {
      return [JSON.parse(line) as LogLine];
    } catch {
      return [];
    }
  });
}
