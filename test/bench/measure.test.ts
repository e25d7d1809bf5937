import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { cpuMicros, familyOf, residentBytes } from "./machine.ts";
import { median, summarize } from "./measure.ts";
import { trendOf } from "./trend.ts";

test("the median of an even number of rounds lies between the middle two", () => {
  assert.equal(median([4, 1, 3, 2]), 2.5);
  assert.equal(median([5]), 5);
  assert.equal(median([9, 1, 5]), 5);
});

test("rounds are summed up by medians and extremes, errors by their sum", () => {
  const round = { requests: 1000, seconds: 2, p50: 1, p99: 3, errors: 1 };
  const rounds = [10, 30, 20].map((microsPerRequest) => ({ ...round, microsPerRequest }));
  const { micros, from, to, rate, errors } = summarize("one", rounds);
  assert.deepEqual([micros, from, to, rate, errors], [20, 10, 30, 500, 3]);
});

test("CPU and memory of a process are read from /proc", () => {
  const before = cpuMicros(process.pid);
  const until = performance.now() + 150;
  while (performance.now() < until);
  const used = cpuMicros(process.pid) - before;
  assert.ok(used >= 20_000 && used < 2_000_000, `${used} µs`);
  assert.ok(residentBytes(process.pid) > 10e6);
  assert.equal(familyOf(process.pid)[0], process.pid);
});

test("a steady rise in the second half is growth, one that ended in the first half is not", () => {
  const minutes = Array.from({ length: 20 }, (_, index) => index);
  const rising = trendOf(minutes.map((minute) => ({ atMs: minute * 60_000, bytes: 100 + minute })));
  assert.equal(Math.round(rising.secondHalf.bytesPerMinute * 1000), 1000);
  assert.equal(Math.round(rising.secondHalf.growth), 9);
  assert.equal(rising.max, 119);
  const settled = trendOf(
    minutes.map((minute) => ({ atMs: minute * 60_000, bytes: Math.min(105, 100 + minute) })),
  );
  assert.equal(settled.secondHalf.growth, 0);
});

for (const [script, flag, value] of [
  ["peers", "--rounds", "0"],
  ["peers", "--seconds", "x"],
  ["memory", "--minutes", "-1"],
  ["memory", "--hours", "1"],
] as const) {
  test(`${script} refuses ${flag} ${value} with exit code 2`, () => {
    const { status, stderr } = spawnSync(process.execPath, [
      join(import.meta.dirname, `${script}.ts`),
      flag,
      value,
    ]);
    assert.equal(status, 2);
    assert.match(String(stderr), new RegExp(flag));
  });
}
