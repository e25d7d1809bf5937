import assert from "node:assert/strict";
import { test } from "node:test";
import { Past } from "../../../../../proxy/admin/stats/browser/past.ts";
import type { HistoryAnswer, HistoryTick } from "../../../../../proxy/api.ts";

/** An answer with these times, in which each value is its time. */
function answer(at: readonly number[], nodes = ["app1"]): HistoryAnswer {
  const line = { lag: at, reads: at };
  return {
    id: "1-1",
    at,
    states: [],
    events: [],
    cluster: line,
    routes: {},
    nodes: named(nodes, line),
  } as never;
}

function tick(at: number, nodes = ["app1"]): HistoryTick {
  const point = { lag: at, reads: at };
  return { id: "1-2", at, events: [], cluster: point, routes: {}, nodes: named(nodes, point) } as never;
}

function named<T>(names: readonly string[], value: T): Record<string, T> {
  return Object.fromEntries(names.map((name) => [name, value]));
}

test("samples come after the history, and one that came already is not taken twice", () => {
  const past = new Past();
  past.load(answer([1000, 2000]));
  past.add(tick(2000));
  past.add(tick(3000));
  assert.deepEqual(past.at, [1000, 2000, 3000]);
  assert.deepEqual(past.lag.get("app1"), [1000, 2000, 3000]);
});

test("what was seen of a balancer before its restart stays, with a gap before the new one's", () => {
  const past = new Past();
  past.load(answer([1000, 2000]));
  past.load(answer([9000, 10_000]));
  assert.deepEqual(past.at, [1000, 2000, 8999, 9000, 10_000]);
  assert.deepEqual(past.cluster.get("reads"), [1000, 2000, null, 9000, 10_000]);
});

test("the same balancer's history replaces what was seen of it", () => {
  const past = new Past();
  past.load(answer([1000, 2000]));
  past.load(answer([1000, 2000, 3000]));
  assert.deepEqual(past.at, [1000, 2000, 3000]);
});

test("nodes that come have nothing before, and those that go take their line along", () => {
  const past = new Past();
  past.load(answer([1000, 2000]));
  past.add(tick(3000, ["app2"]));
  assert.deepEqual([...past.lag], [["app2", [null, null, 3000]]]);
});

test("only 15 minutes are kept, however long the page is open", () => {
  const past = new Past();
  for (let second = 0; second < 2000; second++) past.add(tick(second * 1000));
  assert.equal(past.at.length, 901);
  assert.equal(past.lag.get("app1")?.length, 901);
  assert.equal(past.cluster.get("reads")?.[0], 1_099_000);
});
