import assert from "node:assert/strict";
import { test } from "node:test";
import { Arrivals } from "../../cli/bench/arrivals.ts";
import { PasswordChange } from "../../cli/bench/changes.ts";
import { Latency } from "../../cli/bench/latency.ts";
import { sample, seededRandom } from "../../cli/bench/random.ts";
import { showProgress } from "../../cli/bench/show-progress.ts";
import { spreadOf } from "../../cli/bench/spread.ts";
import { BenchUsers, type Outcome } from "../../cli/bench/users.ts";
import type { NodeState, Status } from "../../proxy/api.ts";

function takeAll(arrivals: Arrivals): number[] {
  const times: number[] = [];
  while (arrivals.next < Number.POSITIVE_INFINITY) times.push(arrivals.take());
  return times;
}

test("fixed arrivals are as many as rate × duration, in order, on slots", () => {
  for (const rate of [1, 3, 99.5, 1000, 3333]) {
    const times = takeAll(new Arrivals({ rate, durationMs: 2000, slotMs: 5, random: null }));
    assert.equal(times.length, Math.ceil(rate * 2));
    assert.ok(times.every((time, index) => time % 5 === 0 && time >= (times[index - 1] ?? 0) && time < 2000));
  }
});

test("a rate of 0 has no arrivals", () => {
  assert.deepEqual(takeAll(new Arrivals({ rate: 0, durationMs: 1000, slotMs: 1, random: null })), []);
});

test("Poisson gaps vary as much as they are long", () => {
  const times = takeAll(new Arrivals({ rate: 500, durationMs: 20_000, slotMs: 1, random: seededRandom(3) }));
  const gaps = times.slice(1).map((time, index) => time - (times[index] ?? 0));
  const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length;
  const deviation = Math.sqrt(gaps.reduce((sum, gap) => sum + (gap - mean) ** 2, 0) / gaps.length);
  assert.ok(Math.abs(mean - 2) < 0.1, `mean ${mean}`);
  assert.ok(Math.abs(deviation - 2) < 0.3, `deviation ${deviation}`);
});

test("percentiles of latencies are right to three digits, and never above the maximum", () => {
  const latency = new Latency();
  for (let ms = 1; ms <= 1000; ms += 1) latency.record(ms);
  const { count, p50, p99, p999, max } = latency.summary();
  assert.equal(count, 1000);
  for (const [got, expected] of [
    [p50, 500],
    [p99, 990],
    [p999, 999],
    [max, 1000],
  ] as const) {
    assert.ok(Math.abs(got - expected) <= expected * 0.002, `${got} for ${expected}`);
  }
  assert.ok(p999 <= max);
});

test("a sample holds each at most once", () => {
  const numbers = Array.from({ length: 100 }, (_, index) => index);
  const chosen = sample(numbers, 30, seededRandom(1));
  assert.equal(new Set(chosen).size, 30);
  assert.deepEqual(
    sample(numbers, 500, seededRandom(1)).sort((a, b) => a - b),
    numbers,
  );
});

const CHANGES: readonly (readonly [Outcome[], "old" | "first" | "second" | "uncertain", RegExp | null])[] = [
  [["acknowledged"], "first", null],
  [["refused"], "old", null],
  [["unknown"], "uncertain", null],
  [["acknowledged", "refused"], "first", null],
  [["refused", "acknowledged"], "second", null],
  [["unknown", "acknowledged"], "second", null],
  [["unknown", "refused"], "uncertain", null],
  [["unknown", "unknown"], "uncertain", null],
  [["acknowledged", "acknowledged"], "uncertain", /both acknowledged/],
  [["refused", "refused"], "old", /no rival change acknowledged/],
];

for (const [outcomes, expected, wrong] of CHANGES) {
  test(`password changes that end ${outcomes.join(" and ")} leave the ${expected} password`, () => {
    const users = new BenchUsers("run");
    const user = users.create();
    users.registered(user, "acknowledged");
    const old = user.password;
    const change = new PasswordChange(users, user, outcomes.length);
    assert.equal(
      users.choose(() => 0, false),
      undefined,
    );
    const said = outcomes
      .map((outcome, index) => change.ended(change.newPasswords[index] ?? "", outcome))
      .at(-1);
    if (wrong === null) assert.equal(said, null);
    else assert.match(said ?? "", wrong);
    const settled = users.choose(() => 0, false);
    if (expected === "uncertain") return assert.equal(settled, undefined);
    const { newPasswords } = change;
    assert.equal(settled?.password, { old, first: newPasswords[0], second: newPasswords[1] }[expected]);
  });
}

test("users leave the settled while they are written to, and the last to come back is the recent one", () => {
  const users = new BenchUsers("run");
  const all = Array.from({ length: 5 }, () => users.create());
  for (const user of all) users.registered(user, "acknowledged");
  const [first, second] = all;
  assert.ok(first && second);
  users.take(first);
  users.take(second);
  const left = new Set(Array.from({ length: 60 }, (_, index) => users.choose(() => index / 60, false)));
  assert.deepEqual(
    [...left].map((user) => user?.name).sort(),
    all.slice(2).map(({ name }) => name),
  );
  users.settle(first, "new");
  assert.equal(
    users.choose(() => 0, true),
    first,
  );
});

function status(
  startedAt: number,
  ...nodes: [name: string, state: NodeState, since: number, reads: number][]
): Status {
  return {
    startedAt,
    nodes: nodes.map(([name, state, since, reads]) => ({ name, state, since, reads })),
  } as unknown as Status;
}

test("reads are even within ±1 over the nodes that never left", () => {
  const before = status(1, ["a", "in-sync", 5, 100], ["b", "in-sync", 5, 90], ["c", "in-sync", 5, 90]);
  const after = status(1, ["a", "in-sync", 5, 150], ["b", "in-sync", 5, 141], ["c", "in-sync", 99, 95]);
  const { even, difference, nodes } = spreadOf(before, after);
  assert.deepEqual([even, difference], [true, 1]);
  assert.deepEqual(
    nodes.map(({ reads, throughout }) => [reads, throughout]),
    [
      [50, true],
      [51, true],
      [5, false],
    ],
  );
});

test("reads that differ by 2 are uneven", () => {
  const before = status(1, ["a", "in-sync", 5, 0], ["b", "in-sync", 5, 0]);
  assert.equal(spreadOf(before, status(1, ["a", "in-sync", 5, 7], ["b", "in-sync", 5, 5])).even, false);
});

test("after a restart of the balancer there is no verdict on the spread", () => {
  const before = status(1, ["a", "in-sync", 5, 100]);
  const { even, unknown } = spreadOf(before, status(2, ["a", "in-sync", 6, 3]));
  assert.equal(even, null);
  assert.match(unknown ?? "", /restarted/);
});

test("progress is one line that is written over on a terminal, and plain lines elsewhere", () => {
  const kind = { ok: 1234, errors: 1, p99: 3.21 };
  const progress = {
    phase: "load",
    elapsedMs: 2000,
    durationMs: 30_000,
    reads: kind,
    writes: kind,
    inFlight: 7,
  } as const;
  const written: string[] = [];
  const write = (text: string) => written.push(text);
  showProgress({ isTTY: true, write }).onProgress(progress);
  assert.equal(
    written.pop(),
    "\r\x1b[2K2 of 30 s | reads 1,234, 1 error, p99 3.2 ms | writes 1,234, 1 error, p99 3.2 ms | 7 in flight",
  );
  const plain = showProgress({ write });
  plain.onProgress({ ...progress, phase: "warm-up" });
  for (let time = 0; time < 3; time += 1) plain.onProgress(progress);
  plain.onProgress({ ...progress, phase: "audit" });
  assert.equal(written.length, 2);
  assert.ok(written.every((line) => line.endsWith("\n")));
});
