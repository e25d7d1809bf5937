/** What went wrong on a host, as a stable code and a next step. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { UserError } from "../../../cli/errors.ts";
import { parseEntry } from "../../../cli/hosts/journal-log.ts";
import { withWayOut } from "../../../cli/hosts/probe.ts";
import { Progress } from "../../../cli/hosts/progress.ts";
import { allOf, sshError } from "../../../cli/hosts/ssh-errors.ts";
import { parseUnit } from "../../../cli/hosts/units.ts";
import type { HostsWork } from "../../../cli/hosts/work.ts";
import { clusterConfig, hostsWork } from "./site.ts";

const { balancer } = hostsWork().machines;

/** What ssh and sudo say, and the code for it. */
const SAID: readonly (readonly [string, string])[] = [
  ["ssh: connect to host 10.0.0.10 port 22: Connection timed out", "host_unreachable"],
  ["ssh: connect to host 10.0.0.10 port 22: No route to host", "host_unreachable"],
  ["ssh: connect to host 10.0.0.10 port 22: Connection refused", "host_unreachable"],
  ["ssh: Could not resolve hostname app9: Name or service not known", "host_unreachable"],
  ["kex_exchange_identification: read: Connection reset by peer", "host_unreachable"],
  ["admin@10.0.0.10: Permission denied (publickey).", "ssh_refused"],
  [
    "No ED25519 host key is known for 10.0.0.10 and you have requested strict checking.\nHost key verification failed.",
    "host_key_unknown",
  ],
  [
    "@@@@@@\n@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\n@@@@@@\nHost key verification failed.",
    "host_key_changed",
  ],
  ["sudo: a password is required", "no_root"],
  ["something new", "ssh_failed"],
];

for (const [said, code] of SAID) {
  test(`ssh says ${JSON.stringify(said.slice(0, 50))}: ${code}`, () => {
    const error = sshError(balancer, said);
    assert.equal(error.code, code);
    assert.match(error.message, /^expected .*balancer \(10\.0\.0\.10\).*, got /);
    assert.ok(error.next.length > 0);
  });
}

test("the command to try by hand goes the way that lbctl.yaml names", () => {
  const there = { ...balancer, user: "ops", port: 2222, key: "/my keys/id", sshArgs: ["-J", "bastion"] };
  const [next] = sshError(there, "No route to host").next;
  assert.match(next ?? "", /^ssh -J bastion -i '\/my keys\/id' -p 2222 ops@\S+ {3}# is the machine on/);
});

test("several hosts at once: the code of the first, what each said, each next step once", () => {
  const error = allOf([
    sshError(balancer, "No route to host"),
    sshError({ ...balancer, name: "app1" }, "No route to host"),
  ]);
  assert.ok(error instanceof UserError);
  assert.equal(error.code, "host_unreachable");
  assert.deepEqual(error.problems, [
    "expected to reach balancer (10.0.0.10) by SSH, got no connection",
    "  No route to host",
    "expected to reach app1 (10.0.0.10) by SSH, got no connection",
    "  No route to host",
  ]);
  assert.equal(error.next.length, 1);
});

test("a host that is gone: the way out, by its place in the list, and none where the list is not the user's", () => {
  const work = hostsWork();
  const [first, last] = work.machines.apps;
  assert.ok(first && last);
  const way = (
    machine: typeof first,
    of: Pick<HostsWork, "config" | "machines"> = work,
    purpose: "install" | "remove" = "install",
  ) => withWayOut(of, machine, sshError(machine, "No route to host"), purpose).next.slice(1);
  assert.deepEqual(way(last), [
    "if it is gone for good: take 10.0.0.12 off hosts/apps and set nodes: 1; then do it again",
  ]);
  assert.match(way(first)[0] ?? "", /put another machine in the place of 10\.0\.0\.11 in hosts\/apps/);
  const leaving = { ...work, config: clusterConfig({ nodes: 1 }) };
  assert.match(way(last, leaving)[0] ?? "", /take 10\.0\.0\.12 off hosts\/apps and set nodes: 1;/);
  assert.deepEqual(way(work.machines.balancer), [
    "if it is gone for good: put another machine in the place of 10.0.0.10 as hosts/balancer; then do it again",
  ]);
  assert.deepEqual(way(first, work, "remove"), [
    "if it is gone for good: take 10.0.0.11 off hosts/apps; then do it again",
  ]);
  assert.deepEqual(way(last, { ...work, config: clusterConfig({ target: "aws" }) }), []);
});

function progressOf(...events: readonly object[]): Progress {
  const progress = new Progress();
  for (const event of events) progress.take(JSON.stringify(event));
  return progress;
}

const TASK = { role: "lb_app", task: "Copy the reference app" };

test("progress says what each host is at, by role", () => {
  const progress = progressOf(
    { event: "start", host: "app10", ...TASK },
    { event: "start", host: "app1", role: null, task: "Gathering Facts" },
  );
  assert.equal(progress.lines, "app1   Gathering Facts\napp10  lb_app: Copy the reference app");
});

test("a change counts once, with its diff where there is one", () => {
  const { changes } = progressOf(
    { event: "diff", host: "app1", ...TASK, diff: "+ new\n" },
    { event: "result", host: "app1", ...TASK, outcome: "changed" },
    { event: "result", host: "app2", ...TASK, outcome: "changed" },
    { event: "result", host: "app3", ...TASK, outcome: "ok" },
  );
  assert.deepEqual(
    changes.map(({ host, diff }) => [host, diff]),
    [
      ["app1", "+ new\n"],
      ["app2", ""],
    ],
  );
});

test("what was rescued is no failure, and what was is told with the module's message", () => {
  const progress = progressOf(
    { event: "result", host: "app1", ...TASK, outcome: "failed", message: "rescued later" },
    {
      event: "result",
      host: "app2",
      ...TASK,
      outcome: "failed",
      message: "No space left on device\u001b[0m",
    },
    {
      event: "stats",
      hosts: { app1: { failures: 0, unreachable: 0 }, app2: { failures: 1, unreachable: 0 } },
    },
  );
  assert.deepEqual(progress.failures, [
    { ...TASK, host: "app2", unreachable: false, message: "No space left on device" },
  ]);
});

test("a line that is no event is left alone", () => {
  const progress = new Progress();
  progress.take("Traceback (most recent call last):");
  assert.deepEqual(progress.changes, []);
});

test("a unit as systemd tells of it: running, with its restarts", () => {
  const report = parseUnit(
    "app1",
    "ActiveState=active\nSubState=running\nMainPID=812\nNRestarts=2\nExecMainStartTimestamp=@1700000000\nExecMainExitTimestamp=\nResult=success",
  );
  assert.deepEqual(report, {
    name: "app1",
    state: "running",
    pid: 812,
    startedAt: 1_700_000_000_000,
    restarts: 2,
    failing: false,
    lastExit: null,
  });
});

test("a unit that keeps ending is failing, and says how it ended", () => {
  const report = parseUnit(
    "balancer",
    "ActiveState=activating\nSubState=auto-restart\nMainPID=0\nNRestarts=7\nExecMainExitTimestamp=@1700000000\nResult=exit-code",
  );
  assert.equal(report.state, "waiting");
  assert.equal(report.failing, true);
  assert.equal(report.lastExit, "exit-code, 2023-11-14T22:13:20.000Z");
});

test("of the journal a process' own JSON line is taken as it is; another gets its time", () => {
  const own = '{"level":30,"time":1,"msg":"hello"}';
  assert.deepEqual(parseEntry(JSON.stringify({ MESSAGE: own, __CURSOR: "c" })), { line: own, cursor: "c" });
  const other = parseEntry(
    JSON.stringify({ MESSAGE: "Started.", __REALTIME_TIMESTAMP: "1700000000123456", __CURSOR: "d" }),
  );
  assert.deepEqual(JSON.parse(other?.line ?? ""), { level: 30, time: 1_700_000_000_123, msg: "Started." });
  assert.equal(parseEntry("-- No entries --"), null);
});
