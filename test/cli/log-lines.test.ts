import assert from "node:assert/strict";
import { test } from "node:test";
import { stripVTControlCharacters } from "node:util";
import { fitting, parseSince } from "../../cli/tools/log-filter.ts";
import { jsonLogLine, renderLogLine, timeOf } from "../../cli/tools/log-lines.ts";
import { allLines } from "../support/log-samples.ts";

function shown(line: string | object, source = "balancer"): string {
  const text = typeof line === "string" ? line : JSON.stringify(line);
  return stripVTControlCharacters(renderLogLine(text, source));
}

test("every kind of line of the balancer is shown whole: time, source, level, text, no object left as it is", () => {
  const lines = allLines();
  assert.ok(lines.length > 20);
  for (const line of lines) {
    const text = shown(line);
    assert.match(text, /^\d\d:\d\d:\d\d\.\d{3} balancer {3}(info|warn|error|fatal) +\S/);
    assert.doesNotMatch(text, /\[object|undefined|=\{|"msg"/, text);
  }
});

test("as JSON every line is an object that says which process it is from, also one that was none", () => {
  assert.deepEqual(JSON.parse(jsonLogLine('{"msg":"b1","time":1}', "balancer")), {
    msg: "b1",
    time: 1,
    source: "balancer",
  });
  assert.deepEqual(JSON.parse(jsonLogLine("listening http://x", "app1")), {
    line: "listening http://x",
    source: "app1",
  });
});

test("the lines that people read most are sentences", () => {
  const text = allLines()
    .map((line) => shown(line))
    .join("\n");
  assert.match(text, /info {2}GET \/login 200 ack_timeout in 1\.5 ms from app1 write 7 id=r1/);
  assert.match(text, /warn {2}app1 failed write 7, attempt 1: answered 500 after 1\.0 ms route=all-1 id=r1/);
  assert.match(text, /error="LbError journal_failed: disk"/);
  assert.match(text, /warn {2}app1 in-sync → down: 3 checks failed$/m);
  assert.match(text, /error app1 diverged at write 7: answered 409, the others 201 id=r1$/m);
  assert.match(text, /error write 7 set aside after 5 attempts: reset id=r1$/m);
  assert.match(text, /info {2}app1 bootstrap by snapshot: begin, from app2, up to write 7$/m);
  assert.match(text, /error alarm: x node=app1 donor=app2 seq=7 status=500 reason=y/);
});

test("a client that left, and an error with its cause", () => {
  const left = {
    level: 30,
    time: 0,
    msg: "request",
    method: "GET",
    path: "/x",
    status: 0,
    ms: 12.4,
    id: "a",
  };
  assert.match(shown(left), /GET \/x client left in 12 ms id=a$/);
  const cause = { type: "Error", code: "ENOSPC", message: "no space left" };
  const error = { type: "LbError", code: "journal_failed", message: "the disk failed", cause };
  assert.match(
    shown({ level: 60, time: 0, msg: "fatal", error }),
    /fatal fatal error="LbError journal_failed: the disk failed \(Error ENOSPC: no space left\)"$/,
  );
  const bug = { type: "TypeError", stack: ["at f (a.ts:1:2)", "at g (a.ts:3:4)"] };
  assert.match(
    shown({ level: 50, time: 0, msg: "bug", where: "admin", error: bug }),
    /error="TypeError: at f \(a\.ts:1:2\)"$/,
  );
});

test("what other processes write: JSON of their own, and plain text", () => {
  const supervisor = { level: 30, time: 0, name: "supervisor", process: "app1", pid: 7, msg: "started" };
  assert.match(shown(supervisor, "supervisor"), /supervisor info {2}started process=app1 pid=7$/);
  assert.match(shown("listening", "app1"), /^ +app1 +listening$/);
  assert.match(shown('{"half', "app1"), /\{"half$/);
  const express = { level: 50, time: "2026-03-09T02:13:04.123Z", msg: "oops", err: { message: "x" } };
  assert.match(shown(express, "app1"), /^\d\d:13:04\.123 app1 +error oops error=x$/);
});

test("what Prometheus and Grafana write has its time and level, too", () => {
  const prometheus = {
    ts: "2026-03-09T02:13:04.123Z",
    level: "warn",
    caller: "main.go:1",
    msg: "No retention",
  };
  const grafana = { t: "2026-03-09T02:13:04.5Z", level: "error", logger: "migrator", msg: "no database" };
  assert.match(
    shown(prometheus, "grafana"),
    /^\d\d:\d\d:04\.123 grafana {4}warn {2}No retention caller=main\.go:1$/,
  );
  assert.match(shown(grafana, "grafana"), /^\d\d:\d\d:04\.500 grafana {4}error no database logger=migrator$/);
  assert.equal(timeOf(prometheus), Date.parse(prometheus.ts));
});

test("foreign text cannot steer the terminal", () => {
  for (const line of [
    "\u001b[2Jcleared\u0007\r",
    JSON.stringify({ level: 30, msg: "\u001b[2J\u009b2J", "\u001bkey": "\u001b[31m\u009b1m" }),
  ]) {
    const raw = renderLogLine(line, "app1");
    const own = stripVTControlCharacters(raw);
    const controls = [...own].filter((char) => char < " " || (char >= "\u007f" && char < "\u00a0"));
    assert.deepEqual(controls, []);
    for (const bad of ["\u001b[2J", "\u001b[31m", "\u009b"])
      assert.ok(!raw.includes(bad), JSON.stringify(raw));
  }
});

const MIDNIGHT = new Date(2026, 2, 9, 3, 0, 0).getTime();

test("--since: how long ago, a time of day, a date", () => {
  const since = (text: string) => parseSince(text, MIDNIGHT);
  assert.equal(since("90s"), MIDNIGHT - 90_000);
  assert.equal(since("10m"), MIDNIGHT - 600_000);
  assert.equal(since("2h"), MIDNIGHT - 7_200_000);
  assert.equal(since("1d"), MIDNIGHT - 86_400_000);
  assert.equal(since("02:13"), new Date(2026, 2, 9, 2, 13).getTime());
  assert.equal(since("02:13:04"), new Date(2026, 2, 9, 2, 13, 4).getTime());
  assert.equal(since("23:00"), new Date(2026, 2, 8, 23).getTime(), "the last time that it was");
  assert.equal(since("2026-03-08"), new Date(2026, 2, 8).getTime());
  assert.equal(since("2026-03-08T02:13"), new Date(2026, 2, 8, 2, 13).getTime());
  assert.equal(since("2026-03-08 02:13"), new Date(2026, 2, 8, 2, 13).getTime());
  assert.equal(since("2026-03-08T02:13:00Z"), Date.UTC(2026, 2, 8, 2, 13));
});

for (const text of ["", "10", "m", "10 m", "25:00", "2026-13-40", "yesterday", "-5m"]) {
  test(`--since ${JSON.stringify(text)} is refused, with what is expected`, () => {
    assert.throws(() => parseSince(text), /--since: expected 90s, 10m/);
  });
}

test("lines are chosen by time, node, write and request; one without a time goes with the one before it", () => {
  const line = (time: number, more: object) => JSON.stringify({ level: 30, time, ...more });
  const all = [
    line(1, { node: "app1", msg: "a" }),
    line(2, { seq: 7, id: "r1", msg: "b" }),
    "  at somewhere",
    line(3, { process: "app1", msg: "c" }),
  ];
  const none = { since: null, node: null, seq: null, id: null };
  const chosen = (filter: object, source = "balancer") =>
    fitting(all, source, { ...none, ...filter }).map(({ line: text }) => all.indexOf(text));
  assert.deepEqual(chosen({}), [0, 1, 2, 3]);
  assert.deepEqual(chosen({ since: 2 }), [1, 2, 3]);
  assert.deepEqual(chosen({ node: "app1" }), [0, 3]);
  assert.deepEqual(chosen({ node: "app1" }, "app1"), [0, 1, 2, 3]);
  assert.deepEqual(chosen({ seq: 7 }), [1]);
  assert.deepEqual(chosen({ id: "r1" }), [1]);
});
