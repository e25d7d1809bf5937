import assert from "node:assert/strict";
import { type ChildProcess, spawnSync } from "node:child_process";
import { appendFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { statePaths } from "../../cli/state.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { until } from "../support/wait.ts";
import { runLbctl } from "./lbctl.ts";

/** `lbctl logs` over logs of a cluster that is not running. */

const LBCTL = join(import.meta.dirname, "../../cli/bin.ts");
const NOW = Date.now();

function line(ago: number, more: object): string {
  return `${JSON.stringify({ level: 30, time: NOW - ago, pid: 1, ...more })}\n`;
}

function folder(t: TestContext) {
  const dir = tempFolder(t);
  const { logs, dir: state } = statePaths(dir, "default");
  mkdirSync(logs, { recursive: true });
  writeFileSync(join(state, "x"), "");
  const write = (file: string, ...lines: string[]) => writeFileSync(join(logs, file), lines.join(""));
  const add = (file: string, text: string) => appendFileSync(join(logs, file), text);
  const lbctl = (...args: string[]) => runLbctl(dir, ["logs", ...args]);
  return { dir, write, add, lbctl };
}

function texts(stdout: string): string[] {
  return stdout
    .split("\n")
    .filter((text) => text !== "")
    .map((text) => (JSON.parse(text) as { msg: string }).msg);
}

test("the last lines of all processes, by time; --lines says how many", async (t) => {
  const { write, lbctl } = folder(t);
  write("balancer.log", line(4000, { msg: "b1" }), line(2000, { msg: "b2" }));
  write("app1.log", line(3000, { msg: "a1" }), line(1000, { msg: "a2" }));
  assert.deepEqual(texts((await lbctl("--json")).stdout), ["b1", "a1", "b2", "a2"]);
  assert.deepEqual(texts((await lbctl("--json", "-n", "2")).stdout), ["b2", "a2"]);
  assert.deepEqual(texts((await lbctl("--json", "-n", "0")).stdout), []);
  assert.deepEqual(texts((await lbctl("--json", "app1")).stdout), ["a1", "a2"]);
});

test("--node: what the node says, and what is said of it", async (t) => {
  const { write, lbctl } = folder(t);
  write("balancer.log", line(3, { msg: "of app1", node: "app1" }), line(2, { msg: "of app2", node: "app2" }));
  write("app2.log", line(1, { msg: "own" }));
  assert.deepEqual(texts((await lbctl("--json", "--node", "app2")).stdout), ["of app2", "own"]);
});

test("--since and --seq look through the logs that were rotated, too, and past many other lines", async (t) => {
  const { write, lbctl } = folder(t);
  write("balancer.log.2", line(86_400_000, { msg: "yesterday", seq: 7 }));
  write("balancer.log.1", line(7_000_000, { msg: "before", seq: 7 }), line(60_000, { msg: "rotated" }));
  write("balancer.log", ...Array.from({ length: 200 }, () => line(1000, { msg: "now" })));
  const since = texts((await lbctl("--json", "--since", "10m")).stdout);
  assert.equal(since.length, 201);
  assert.equal(since[0], "rotated");
  assert.deepEqual(texts((await lbctl("--json", "--seq", "7")).stdout), ["yesterday", "before"]);
  assert.deepEqual(texts((await lbctl("--json", "--seq", "7", "--since", "3h")).stdout), ["before"]);
});

test("-f goes on with the lines that come and fit, until it is told to stop", async (t) => {
  const { write, add, dir } = folder(t);
  write("balancer.log", line(1000, { msg: "old", node: "app1" }));
  write("app1.log", "");
  let child: ChildProcess | undefined;
  let out = "";
  const ended = runLbctl(dir, ["logs", "-f", "--json", "--node", "app1"], {
    started: (started) => {
      child = started;
      started.stdout?.on("data", (text: string) => {
        out += text;
      });
    },
  });
  await until(() => out.includes("old"));
  add(
    "balancer.log",
    line(0, { msg: "of another", node: "app2" }) + line(0, { msg: "new", node: "app1" }).slice(0, 20),
  );
  add("balancer.log", line(0, { msg: "new", node: "app1" }).slice(20));
  add("app1.log", line(0, { msg: "own" }));
  await until(() => out.includes("new") && out.includes("own"), { what: "the new lines" });
  child?.kill("SIGINT");
  assert.equal((await ended).code, 0);
  assert.deepEqual(texts(out).toSorted(), ["new", "old", "own"]);
});

test("colours only on a terminal, and not there with NO_COLOR", async (t) => {
  const { write, lbctl, dir } = folder(t);
  write(
    "balancer.log",
    line(0, { level: 40, msg: "node state", node: "app1", from: "in-sync", to: "down", reason: "x" }),
  );
  const piped = await lbctl();
  assert.match(piped.stdout, /app1 in-sync → down: x/);
  assert.ok(!piped.stdout.includes("\u001b"));
  const onTerminal = (env: Record<string, string>) => {
    // Each of them says something about colours to Node.js, CI too.
    const { NO_COLOR, NODE_DISABLE_COLORS, FORCE_COLOR, CI, TMUX, ...rest } = process.env;
    const command = `'${process.execPath}' '${LBCTL}' logs`;
    const made = spawnSync("script", ["-qec", command, "/dev/null"], {
      cwd: dir,
      env: { ...rest, TERM: "xterm-256color", ...env },
      encoding: "utf8",
    });
    return made.stdout;
  };
  assert.ok(onTerminal({}).includes("\u001b[33mwarn"));
  assert.ok(!onTerminal({ NO_COLOR: "1" }).includes("\u001b[33m"));
});

test("a time that cannot be read is a mistake of usage", async (t) => {
  const { write, lbctl } = folder(t);
  write("balancer.log", line(0, { msg: "x" }));
  const { code, stderr } = await lbctl("--since", "soon");
  assert.equal(code, 2);
  assert.match(stderr, /--since: expected 90s, 10m/);
});
