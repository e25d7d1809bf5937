/** `lbctl status --watch`, as someone at a terminal sees it; `script` makes the terminal. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { ClusterStatus } from "../../cli/tools/render.ts";
import { startCluster } from "../support/bare-cluster.ts";
import { register } from "../support/client.ts";
import { until } from "../support/wait.ts";
import { runLbctl } from "./lbctl.ts";
import { lbctlOver } from "./scripted.ts";

const LBCTL = join(import.meta.dirname, "../../cli/bin.ts");
/** What empties the screen before each picture. */
const CLEAR = "\u001b[H\u001b[2J";
const CTRL_C = "\u0003";

interface Terminal {
  /** Every picture so far, the last may not be whole. */
  pictures(): string[];
  type(keys: string): void;
  readonly ended: Promise<number | null>;
}

test("status --watch draws in place on a terminal, shows what changes, and ends on Ctrl-C with 0", async (t) => {
  const bare = await startCluster(t, 2);
  const { dir } = await lbctlOver(t, bare);
  const terminal = openTerminal(t, dir, ["status", "--watch"]);
  const shows = (what: RegExp) =>
    until(() => terminal.pictures().some((picture) => what.test(picture)), {
      timeout: 60_000,
      what: `${what} on the screen`,
    });
  await shows(/2 of 2 nodes in-sync {2}0 writes recorded/);
  await register(bare.balancer, "ada");
  await shows(/2 of 2 nodes in-sync {2}1 write recorded/);
  await bare.nodes[1]?.stop();
  await shows(/1 of 2 nodes in-sync[\s\S]*app2 is down: /);
  terminal.type(CTRL_C);
  assert.equal(await terminal.ended, 0);
  const last = terminal.pictures().at(-1) ?? "";
  assert.doesNotMatch(last, /lbctl:|stopped by|\n\s+at /, "an error");
});

test("status --watch goes on where the balancer stops answering, and shows it", async (t) => {
  const bare = await startCluster(t, 1);
  const { dir } = await lbctlOver(t, bare);
  const terminal = openTerminal(t, dir, ["status", "--watch"]);
  await until(() => terminal.pictures().some((one) => one.includes("1 of 1 node in-sync")), {
    timeout: 60_000,
  });
  await bare.balancer.kill9();
  await until(() => terminal.pictures().some((one) => one.includes("the balancer does not answer")), {
    timeout: 60_000,
  });
  terminal.type(CTRL_C);
  assert.equal(await terminal.ended, 0);
});

test("status --watch --json, not on a terminal: one status a line, and 0 when it is stopped", async (t) => {
  const { dir } = await lbctlOver(t, await startCluster(t, 1));
  const ran = await runLbctl(dir, ["status", "--watch", "--json"], {
    started: (child) => void stopAfterLines(child, 2),
  });
  assert.equal(ran.code, 0, ran.stderr);
  const lines = ran.stdout.trimEnd().split("\n");
  assert.ok(lines.length >= 2);
  for (const line of lines) assert.equal((JSON.parse(line) as ClusterStatus).balancer?.inSync, 1);
});

test("status --watch ends when nobody reads it any more", async (t) => {
  const { dir } = await lbctlOver(t, await startCluster(t, 1));
  const ran = await runLbctl(dir, ["status", "--watch", "--json"], {
    started: (child) => void child.stdout?.once("data", () => child.stdout?.destroy()),
  });
  assert.deepEqual([ran.code, ran.stderr], [0, ""]);
});

/** lbctl under a terminal of 160 columns. */
function openTerminal(t: TestContext, cwd: string, args: readonly string[]): Terminal {
  const command = [process.execPath, LBCTL, ...args].map((word) => `'${word}'`).join(" ");
  const child = spawn("script", ["-qefc", `stty cols 160 rows 50; exec ${command}`, "/dev/null"], {
    cwd,
    env: { ...process.env, NO_COLOR: "1", TERM: "xterm" },
  });
  t.after(() => child.kill("SIGKILL"));
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text.replaceAll("\r\n", "\n");
  });
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  return {
    pictures: () => output.split(CLEAR).slice(1),
    type: (keys) => void child.stdin.write(keys),
    ended,
  };
}

async function stopAfterLines(child: ChildProcess, count: number): Promise<void> {
  let lines = 0;
  child.stdout?.on("data", (text: Buffer) => {
    lines += String(text).split("\n").length - 1;
  });
  await until(() => lines >= count, { timeout: 60_000 }).finally(() => child.kill("SIGINT"));
}
