/** `lbctl bench` as a process: what it prints and how it exits. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { BENCH_DEFAULTS } from "../../cli/bench/options.ts";
import type { BenchReport } from "../../cli/bench/report.ts";
import { UserError } from "../../cli/errors.ts";
import { type BenchRequest, bench } from "../../cli/operations/bench.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { until } from "../support/wait.ts";
import { ADMIN, type FakeTarget, type Misbehaviour, startFakeTarget } from "./bench-target.ts";
import { markDeployed, type Ran, runLbctl } from "./lbctl.ts";

const QUICK = ["--reads", "100", "--writes", "40", "--duration", "1s"];

/** Users that are registered before the load. */
const WARM_UP = BENCH_DEFAULTS.warmUpUsers;

function lbctl(dir: string, ...args: string[]): Promise<Ran> {
  return runLbctl(dir, ["bench", ...args], { timeout: 60_000, env: { CI: "1" } });
}

/** A folder in which the fake target is the deployed cluster. */
async function cluster(t: TestContext, how: Misbehaviour = {}): Promise<{ dir: string; target: FakeTarget }> {
  const target = await startFakeTarget(t, how);
  const dir = tempFolder(t);
  await markDeployed(dir, { balancerUrl: target.url, ...target.admin, nodes: [] });
  return { dir, target };
}

test("a run that passes prints rates, latencies, audit and spread, and exits 0", async (t) => {
  const { dir } = await cluster(t);
  const { code, stdout, stderr } = await lbctl(dir, ...QUICK);
  assert.equal(code, 0, stdout + stderr);
  assert.match(stdout, /asked +reached +answered +errors +p50 +p90 +p99 +p99\.9 +max/);
  assert.match(stdout, /^reads +100\/s +\d+\.\d\/s +100 +0 /m);
  assert.match(stdout, /^writes +40\/s +\d+\.\d\/s +40 +0 /m);
  assert.match(stdout, /audit +by digest: every acknowledged write is on each of 3 nodes exactly once/);
  assert.match(
    stdout,
    /spread +reads even to ±1 over the nodes in-sync throughout: app1 \d+, app2 \d+, app3 \d+/,
  );
  assert.match(stdout, /^passed$/m);
  assert.match(stderr, /warming up/);
});

test("a missing write is listed with its node, and the exit code is 99", async (t) => {
  const { dir } = await cluster(t, { loseEvery: 20 });
  const { code, stdout } = await lbctl(dir, ...QUICK);
  assert.equal(code, 99);
  assert.match(stdout, /^ {2}missing {2}b[0-9a-f]{12}-\d+ on app3: expected /m);
  assert.match(stdout, /^FAILED$/m);
});

test("an error alone makes the exit code 99", async (t) => {
  const { dir } = await cluster(t, { badReadEvery: { every: 50, status: 503, body: "" } });
  const { code, stdout } = await lbctl(dir, ...QUICK);
  assert.equal(code, 99);
  assert.match(stdout, /errors +reads: \d+ × HTTP 503/);
});

test("a rate that was not reached makes the exit code 99", async (t) => {
  const { dir } = await cluster(t, { serialMs: 15 });
  const { code, stdout } = await lbctl(dir, "--reads", "90", "--writes", "0", "--duration", "1500ms");
  assert.equal(code, 99);
  assert.match(stdout, /reads: expected 90\/s \(within 1 %\), reached \d+\.\d\/s/);
  assert.match(stdout, /^reads +90\/s +\d+\.\d\/s +135 +0 /m);
});

test("--json prints the report and nothing else", async (t) => {
  const { dir } = await cluster(t);
  const { code, stdout, stderr } = await lbctl(dir, ...QUICK, "--json", "--seed", "7");
  const report = JSON.parse(stdout) as BenchReport;
  assert.equal(code, 0);
  assert.equal(stderr, "");
  assert.equal(report.passed, true);
  assert.equal(report.settings.seed, 7);
  assert.equal(stdout.includes(ADMIN.password), false);
});

test("another target than the cluster's balancer is refused, unless told so", async (t) => {
  const { dir } = await cluster(t);
  const other = await startFakeTarget(t);
  const refused = await lbctl(dir, ...QUICK, "--url", other.url);
  assert.equal(refused.code, 2);
  assert.match(refused.stderr, /expected --url to be this cluster's balancer \(http:.*\), got http:/);
  assert.equal(other.head, 0);
  const allowed = await lbctl(dir, ...QUICK, "--url", other.url, "--allow-other-target");
  assert.equal(allowed.code, 0, allowed.stdout + allowed.stderr);
  assert.match(allowed.stdout, /audit +none/);
  assert.ok(other.head > 0);
});

test("another target can be loaded where no cluster is deployed", async (t) => {
  const other = await startFakeTarget(t);
  const { code } = await lbctl(tempFolder(t), ...QUICK, "--url", other.url, "--allow-other-target");
  assert.equal(code, 0);
});

test("where nothing is deployed or nothing answers it says so, and exits 1", async (t) => {
  const undeployed = await lbctl(tempFolder(t), ...QUICK);
  assert.equal(undeployed.code, 1);
  assert.match(undeployed.stderr, /expected a deployed cluster/);
  const nobody = await lbctl(tempFolder(t), ...QUICK, "--url", "http://127.0.0.1:1", "--allow-other-target");
  assert.equal(nobody.code, 1);
  assert.match(
    nobody.stderr,
    /expected to register users before the load, got register: not sent: ECONNREFUSED/,
  );
});

test("Ctrl-C: what was sent, what was acknowledged, and what to do now", async (t) => {
  const { dir, target } = await cluster(t);
  const loaded = () =>
    until(() => target.head > WARM_UP + 20, { timeout: 60_000, what: "writes of the load" });
  const { code, stdout, stderr } = await runLbctl(dir, ["bench", "--duration", "10m"], {
    started: (child) => void loaded().finally(() => child.kill("SIGINT")),
  });
  assert.equal(code, 1, stdout + stderr);
  assert.equal(stdout, "");
  assert.match(stderr, /^lbctl: stopped by SIGINT, \S+ m?s into a load of 10 min/m);
  assert.match(stderr, /^ {2}reads {3}[\d,]+ sent, [\d,]+ answered well$/m);
  const [, sent, unknown] =
    /^ {2}writes {2}([\d,]+) sent: [\d,]+ acknowledged, [\d,]+ refused, ([\d,]+) of unknown outcome/m
      .exec(stderr)
      ?.map((number) => Number(number.replaceAll(",", ""))) ?? [];
  assert.ok(sent !== undefined && unknown !== undefined, stderr);
  const arrived = target.head - WARM_UP;
  assert.ok(sent - unknown <= arrived && arrived <= sent, `${arrived} arrived\n${stderr}`);
  assert.match(stderr, /\n\nNext:\n {2}lbctl verify .*\n {2}lbctl bench /);
});

const BAD: readonly (readonly [string, BenchRequest, RegExp])[] = [
  ["a negative rate", { reads: "-1" }, /--reads: expected a number from 0 to 100000, got -1/],
  ["NaN", { writes: "NaN" }, /--writes: expected a number, got "NaN"/],
  ["an empty number", { reads: "" }, /--reads: expected a number, got ""/],
  ["a hexadecimal number", { reads: "0x10" }, /--reads: expected a number, got "0x10"/],
  ["Infinity", { reads: "Infinity" }, /--reads: expected a number, got "Infinity"/],
  ["a rate out of reach", { reads: "1e9" }, /--reads: expected a number from 0 to 100000, got 1000000000/],
  ["no load at all", { reads: "0", writes: "0" }, /expected at least one above 0/],
  ["a duration without a unit", { duration: "30" }, /--duration: expected a number with a unit/],
  ["no duration", { duration: "0s" }, /--duration \(in ms\): expected a whole number from 100 to/],
  ["a duration without end", { duration: "9999h" }, /--duration \(in ms\): expected/],
  ["no connections", { connections: "0" }, /--connections: expected a whole number from 1 to 4096, got 0/],
  ["part of a connection", { connections: "1.5" }, /--connections: expected a whole number/],
  ["a seed below 0", { seed: "-1" }, /--seed: expected a whole number from 0/],
  ["nobody to look for", { "audit-users": "0" }, /--audit-users: expected a whole number from 1/],
  ["more writes than can be remembered", { writes: "20000", duration: "1h" }, /at most 2000000 writes/],
  ["a URL that is none", { url: "x", "allow-other-target": true }, /--url: expected http:\/\/HOST:PORT/],
  ["a URL with a password", { url: "http://a:b@h:1", "allow-other-target": true }, /--url: expected http/],
  ["a URL with a path", { url: "http://h:1/x", "allow-other-target": true }, /--url: expected http/],
  ["leave for another target, but none", { "allow-other-target": true }, /expected --url with --allow/],
];

for (const [what, request, message] of BAD) {
  test(`${what} is a usage error, and nothing is loaded`, async (t) => {
    const config = join(tempFolder(t), "lbctl.yaml");
    writeFileSync(config, "name: default\n");
    const output = { print: assert.fail, progress: { write: assert.fail } };
    await assert.rejects(bench({ config, ...request }, output, t.signal), (error: unknown) => {
      assert.ok(error instanceof UserError, String(error));
      assert.equal(error.exitCode, 2);
      assert.match([error.message, ...error.problems].join("\n"), message);
      return true;
    });
  });
}

test("an unknown flag is a usage error", async (t) => {
  const { code, stderr } = await lbctl(tempFolder(t), "--read", "5");
  assert.equal(code, 2);
  assert.match(stderr, /Nonexistent flag: --read/);
});

test("every wrong number is told at once, with exit code 2", async (t) => {
  const { code, stdout, stderr } = await lbctl(
    tempFolder(t),
    "--reads",
    "-1",
    "--writes",
    "x",
    "--connections",
    "0",
  );
  assert.equal(code, 2);
  assert.equal(stdout, "");
  for (const name of ["--reads", "--writes", "--connections"])
    assert.match(stderr, new RegExp(`${name}: expected`));
});
