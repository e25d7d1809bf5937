import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { AdminClient } from "../../cli/admin-client.ts";
import { BenchStartError, runBench } from "../../cli/bench/bench.ts";
import type { BenchOptions } from "../../cli/bench/options.ts";
import { BenchStopped } from "../../cli/bench/stopped.ts";
import { ADMIN, type FakeTarget, type Misbehaviour, startFakeTarget } from "./bench-target.ts";

/** Small enough to share a machine, long enough to mean something. */
function options(target: FakeTarget, more: Partial<BenchOptions> = {}): BenchOptions {
  return {
    url: target.url,
    admin: new AdminClient(target.admin),
    reads: 200,
    writes: 40,
    durationMs: 1500,
    warmUpUsers: 10,
    auditTimeoutMs: 2000,
    ...more,
  };
}

test("a target that does all it should passes, with every write on every node once and even reads", async (t) => {
  const target = await startFakeTarget(t);
  const report = await runBench(options(target));
  assert.deepEqual(report.failures, []);
  assert.equal(report.passed, true);
  assert.equal(report.reads.ok, 300);
  assert.equal(report.writes.ok, 60);
  assert.equal(report.audit?.method, "digest");
  const registered = target.nodes[0]?.users.size;
  assert.deepEqual(report.audit?.expectedUsers, { before: 0, min: registered, max: registered });
  assert.equal(report.audit?.presence?.users, registered);
  assert.equal(report.spread?.even, true);
});

test("a run counts from the users that were there before", async (t) => {
  const target = await startFakeTarget(t);
  for (const node of target.nodes) node.users.set("someone", "else");
  const report = await runBench(options(target, { durationMs: 300 }));
  assert.deepEqual(report.audit?.problems, []);
  assert.equal(report.audit?.expectedUsers?.before, 1);
});

test("a stall of 500 ms shows in the p99, since latency counts from when a request was due", async (t) => {
  const target = await startFakeTarget(t, { stall: { fromMs: 600, forMs: 500 } });
  // 4 connections: a closed loop would have sent four requests into the stall, and called its p99 good.
  const report = await runBench(
    options(target, { reads: 100, writes: 10, durationMs: 3000, connections: 4 }),
  );
  assert.ok(report.reads.latencyMs.p99 > 400, `p99 of the reads: ${report.reads.latencyMs.p99} ms`);
  assert.ok(report.reads.latencyMs.p90 > 100, `p90 of the reads: ${report.reads.latencyMs.p90} ms`);
  assert.ok(report.reads.latencyMs.p50 < 300, `p50 of the reads: ${report.reads.latencyMs.p50} ms`);
});

test("a target that is too slow for the rate has not reached it, though it answers all in the end", async (t) => {
  const target = await startFakeTarget(t, { serialMs: 12 });
  const report = await runBench(options(target, { reads: 120, writes: 0, durationMs: 2000 }));
  assert.equal(report.reads.ok, 240);
  assert.equal(report.reads.errors, 0);
  assert.equal(report.reads.reached, false);
  assert.ok(report.reads.achieved < 100, `achieved: ${report.reads.achieved}/s`);
  assert.match(report.failures.join("\n"), /^reads: expected 120\/s \(within 1 %\), reached/m);
});

test("a request that cannot be sent because too many are in flight is an error", async (t) => {
  const target = await startFakeTarget(t, { stall: { fromMs: 0, forMs: 1200 } });
  const report = await runBench(options(target, { writes: 0, maxInFlight: 20, durationMs: 1000 }));
  assert.ok((report.reads.errorKinds["not sent: too many in flight"] ?? 0) > 50);
  assert.equal(report.reads.scheduled, report.reads.ok + report.reads.errors);
  assert.equal(report.passed, false);
});

test("wrong answers to reads are errors, by kind", async (t) => {
  const mixedUp = { every: 7, status: 200, body: `{"username":"someone-else"}` };
  const first = await startFakeTarget(t, { badReadEvery: mixedUp });
  const report = await runBench(options(first, { writes: 0, durationMs: 500 }));
  assert.ok((report.reads.errorKinds["HTTP 200 with another user's answer"] ?? 0) > 5);
  const second = await startFakeTarget(t, { badReadEvery: { every: 7, status: 200, body: "" } });
  const empty = await runBench(options(second, { writes: 0, durationMs: 500 }));
  assert.ok((empty.reads.errorKinds["HTTP 200 without a body"] ?? 0) > 5);
  const third = await startFakeTarget(t, { badReadEvery: { every: 7, status: 503, body: "" } });
  const refused = await runBench(options(third, { writes: 0, durationMs: 500 }));
  assert.ok((refused.reads.errorKinds["HTTP 503"] ?? 0) > 5);
});

test("an acknowledged registration that one node lacks is missing, and named", async (t) => {
  const target = await startFakeTarget(t, { loseEvery: 15 });
  const report = await runBench(options(target, { registerShare: 1 }));
  assert.equal(report.passed, false);
  assert.equal(report.audit?.missing, Math.floor(target.head / 15));
  const [first] = report.audit?.missingFirst ?? [];
  assert.equal(first?.node, "app3");
  assert.equal(target.nodes[2]?.users.has(first?.user ?? ""), false);
  assert.match(first?.what ?? "", /got in with none of its passwords/);
  assert.match(report.audit?.problems.join("\n") ?? "", /expected the same digest on every node/);
});

test("an acknowledged password change that one node lacks is missing, and told from a lost registration", async (t) => {
  const target = await startFakeTarget(t, { loseEvery: 9, loseOnlyChanges: true, noDigest: true });
  const report = await runBench(
    options(target, { rivalShare: 0, writes: 60, registerShare: 0.3, warmUpUsers: 100 }),
  );
  assert.equal(report.audit?.method, "present");
  assert.ok((report.audit?.missing ?? 0) > 0);
  assert.match(
    report.audit?.missingFirst[0]?.what ?? "",
    /^expected password \d+ \(the last acknowledged\), got in with/,
  );
});

test("a registration that was taken twice is unexpected", async (t) => {
  const target = await startFakeTarget(t, { doubleEvery: 10 });
  const report = await runBench(options(target));
  assert.equal(report.passed, false);
  assert.equal(report.audit?.unexpected, target.nodes[0]?.doubled);
  assert.match(
    report.audit?.problems[0] ?? "",
    /app1: expected \d+ users, got \d+ \(a registration taken twice/,
  );
});

test("uneven reads are reported as such", async (t) => {
  const target = await startFakeTarget(t, { uneven: true });
  const report = await runBench(options(target, { durationMs: 500 }));
  assert.equal(report.spread?.even, false);
  assert.ok((report.spread?.difference ?? 0) > 90);
});

test("a node that stays behind the head fails the audit", async (t) => {
  const target = await startFakeTarget(t, { staysBehind: true });
  const report = await runBench(options(target, { durationMs: 300, auditTimeoutMs: 300 }));
  assert.match(report.failures.join("\n"), /audit: app3 is at 0 of \d+ \(catching-up\)/);
});

test("writes whose connection was cut are unknown, and the audit allows for either", async (t) => {
  const target = await startFakeTarget(t, { cutEvery: 9 });
  const report = await runBench(options(target, { rivalShare: 0 }));
  assert.ok(report.outcomes.unknown > 3);
  assert.equal(report.outcomes.unknown, report.writes.errors);
  assert.deepEqual(report.audit?.problems, []);
  const expected = report.audit?.expectedUsers;
  const held = target.nodes[0]?.users.size ?? 0;
  assert.ok(expected && expected.min < held && held <= expected.max, JSON.stringify(expected));
});

test("with keys and retries, writes whose connection was cut come out acknowledged once", async (t) => {
  const target = await startFakeTarget(t, { cutEvery: 9 });
  const repeat = { idempotencyKeys: true, retryForMs: 5000 };
  const report = await runBench(
    options(target, { ...repeat, rivalShare: 0.5, registerShare: 0.2, warmUpUsers: 8 }),
  );
  assert.ok(report.retries > 3);
  assert.equal(report.outcomes.unknown, 0);
  assert.deepEqual(report.audit?.problems, []);
  assert.equal(report.audit?.expectedUsers?.min, report.audit?.expectedUsers?.max);
  const registrations = target.effects.filter((effect) => effect.startsWith("/register"));
  assert.equal(new Set(registrations).size, registrations.length);
});

test("a key that is not honoured shows as a refused repeat", async (t) => {
  const target = await startFakeTarget(t, { cutEvery: 9, ignoresKeys: true });
  const repeat = { idempotencyKeys: true, retryForMs: 5000 };
  const report = await runBench(options(target, { ...repeat, registerShare: 1 }));
  assert.ok((report.writes.errorKinds["HTTP 409 (repeated)"] ?? 0) > 3, JSON.stringify(report.writes));
  assert.equal(report.passed, false);
});

test("of two rival password changes exactly one may succeed", async (t) => {
  const mix = { registerShare: 0.2, rivalShare: 1, warmUpUsers: 50 };
  const good = await runBench(options(await startFakeTarget(t), mix));
  assert.ok(good.rivalPairs > 10);
  assert.deepEqual(good.failures, []);
  const bad = await runBench(options(await startFakeTarget(t, { acceptsRivals: true }), mix));
  assert.equal(
    bad.writes.errorKinds["two rival changes from one old password both acknowledged"],
    bad.rivalPairs,
  );
});

test("writes that are never answered time out, as unknown", async (t) => {
  const target = await startFakeTarget(t);
  const silent = await startFakeTarget(t, { swallowsWrites: true });
  await assert.rejects(
    runBench(options(silent, { requestTimeoutMs: 100 })),
    (error: Error) => error instanceof BenchStartError && /got register: timeout/.test(error.message),
  );
  const report = await runBench(options(target, { durationMs: 300, requestTimeoutMs: 5000 }));
  assert.equal(report.writes.errors, 0);
});

test("a sample is taken above the limit of users, and said so", async (t) => {
  const target = await startFakeTarget(t);
  const report = await runBench(options(target, { auditUsers: 10, durationMs: 500 }));
  assert.equal(report.audit?.presence?.users, 10);
  assert.equal(report.audit?.presence?.of, target.nodes[0]?.users.size);
  assert.equal(report.passed, true);
});

test("without the admin listener there is a load, but no audit", async (t) => {
  const target = await startFakeTarget(t);
  const report = await runBench(options(target, { admin: null, durationMs: 300 }));
  assert.equal(report.audit, null);
  assert.equal(report.passed, true);
});

test("Poisson arrivals keep the rate on average, and are the same for the same seed", async (t) => {
  const target = await startFakeTarget(t);
  const poisson = { arrivals: "poisson", reads: 400, writes: 0, durationMs: 1000 } as const;
  const [first, again] = [await runBench(options(target, poisson)), await runBench(options(target, poisson))];
  assert.ok(Math.abs(first.reads.scheduled - 400) < 80, `${first.reads.scheduled} arrivals`);
  assert.equal(again.reads.scheduled, first.reads.scheduled);
});

/** Runs until `phase`, aborts there. */
async function stoppedIn(t: TestContext, phase: string, how: Misbehaviour = {}) {
  const target = await startFakeTarget(t, how);
  const abort = new AbortController();
  const onProgress = (progress: { phase: string; writes: { ok: number } }) => {
    const moved = phase !== "load" || progress.writes.ok > 3;
    if (progress.phase === phase && moved) abort.abort(new Error("stopped"));
  };
  const settings = options(target, { durationMs: phase === "load" ? 60_000 : 300 });
  const error = await runBench(settings, { signal: abort.signal, onProgress }).then(
    () => assert.fail("it went on to its end"),
    (caught: unknown) => caught,
  );
  assert.ok(error instanceof BenchStopped, String(error));
  assert.match(String(error.cause), /stopped/);
  return { target, account: error.account };
}

test("a run that is stopped ends at once, with an account of every write that was sent", async (t) => {
  const { target, account } = await stoppedIn(t, "load", { cutEvery: 7 });
  const { sent, acknowledged, refused, unknown } = account.writes;
  assert.equal(sent, acknowledged + refused + unknown);
  const arrived = target.head - 10;
  assert.ok(acknowledged + refused <= arrived && arrived <= sent, JSON.stringify({ account, arrived }));
  assert.ok(acknowledged > 0 && unknown > 0 && account.reads.sent >= account.reads.ok);
  assert.ok(account.elapsedMs < 60_000);
  assert.ok(account.usersRegistered <= (target.nodes[0]?.users.size ?? 0));
});

test("a run that is stopped while it warms up, or in its audit, says so", async (t) => {
  const early = await stoppedIn(t, "warm-up");
  assert.deepEqual([early.account.phase, early.account.writes.sent], ["warm-up", 0]);
  const late = await stoppedIn(t, "audit");
  assert.equal(late.account.phase, "audit");
  assert.ok(late.account.writes.acknowledged > 0);
});

test("no secret of the admin listener is in the report", async (t) => {
  const target = await startFakeTarget(t);
  const report = await runBench(options(target, { durationMs: 200 }));
  assert.equal(JSON.stringify(report).includes(ADMIN.password), false);
});
