import assert from "node:assert/strict";
import { test } from "node:test";
import type { HistoryAnswer, HistoryTick, NodeStatus } from "../../../proxy/api.ts";
import { History, MOST_ROUTES } from "../../../proxy/history/history.ts";
import { SPAN } from "../../../proxy/history/history-columns.ts";
import { MOST_EVENTS } from "../../../proxy/history/history-events.ts";
import { historyJson } from "../../../proxy/history/history-json.ts";
import { LATENCY_WINDOW, quantile } from "../../../proxy/history/history-latency.ts";
import { createMetrics } from "../../../proxy/metrics/metrics.ts";
import { FakeControl, node, route } from "../admin/fake-control.ts";

const START = Date.now() - 1_000_000;

function setUp(nodes = [node("app1"), node("app2")]) {
  const control = new FakeControl(nodes);
  control.more = { startedAt: START };
  const metrics = createMetrics({
    routes: [
      { name: "all-1", to: "all" },
      { name: "one-2", to: "one" },
    ],
    nodes: nodes.map(({ name }) => name),
    codes: [],
  });
  return { control, metrics, history: new History({ control, metrics }) };
}

async function answerOf(history: History): Promise<HistoryAnswer> {
  return JSON.parse(await historyJson(history)) as HistoryAnswer;
}

function change(control: FakeControl, index: number, more: Partial<NodeStatus>): void {
  Object.assign(control.nodes[index] ?? {}, more);
}

test("rates are what was counted between two samples, by the time that really passed", () => {
  const { control, history } = setUp();
  history.sample(START);
  assert.equal(history.last?.cluster.reads, null, "one sample has no rate");
  const { totals, routes } = control.status();
  control.more = {
    totals: { ...totals, reads: totals.reads + 3000, writeErrors: 6 },
    routes: routes.map((one) => ({ ...one, requests: one.requests + 300, errors: 3 })),
  };
  change(control, 0, { reads: 900, acks: 30, readErrors: 3, ackErrors: 3, lag: 7, oldestUndelivered: 1.5 });
  history.sample(START + 3000);
  const tick = history.last;
  assert.equal(tick?.cluster.reads, 1000);
  assert.equal(tick?.cluster.writeErrors, 2);
  assert.equal(tick?.routes["one-2"]?.requests, 100);
  assert.equal(tick?.routes["all-1"]?.errors, 1);
  const { reads, writes, errors, lag, oldest } = tick?.nodes.app1 ?? {};
  assert.deepEqual(
    { reads, writes, errors, lag, oldest },
    { reads: 300, writes: 10, errors: 2, lag: 7, oldest: 1.5 },
  );
});

test("counters that begin anew with a re-created node make no negative rate", () => {
  const { control, history } = setUp();
  change(control, 0, { reads: 5000 });
  history.sample(START);
  change(control, 0, { reads: 10 });
  history.sample(START + 1000);
  assert.equal(history.last?.nodes.app1?.reads, 0);
});

test("percentiles are those of the last ten seconds, of a route, a node and all", () => {
  const { metrics, history } = setUp();
  history.sample(START);
  for (let index = 0; index < 100; index++) {
    metrics.readDone("one-2", 200, index < 95 ? 0.0015 : 0.4);
    metrics.readLeg("app1", "ok", 0.0015);
    metrics.writeLeg("app2", "ok", 0.025, index + 1);
  }
  history.sample(START + 1000);
  const { cluster, nodes, routes } = history.last as HistoryTick;
  for (const p50 of [cluster.readP50, routes["one-2"]?.P50, nodes.app1?.readP50]) {
    assert.ok(p50 !== null && p50 !== undefined && p50 > 0.001 && p50 < 0.002, String(p50));
  }
  assert.ok(cluster.readP99 !== null && cluster.readP99 > 0.3 && cluster.readP99 <= 0.5);
  assert.equal(cluster.writeP50, null, "no write, no latency");
  assert.ok((nodes.app2?.writeP90 ?? 0) > 0.02);
  for (let second = 2; second < LATENCY_WINDOW + 2; second++) history.sample(START + second * 1000);
  assert.equal(history.last?.cluster.readP99, null, "they are forgotten");
});

test("a quantile lies within the bucket that holds it, and never beyond the last bound", () => {
  const bounds = Float64Array.of(1, 2, 4);
  assert.equal(quantile(Float64Array.of(0, 10, 0, 0), bounds, 0.5), 1.5);
  assert.equal(quantile(Float64Array.of(5, 5, 0, 0), bounds, 0.5), 1);
  assert.equal(quantile(Float64Array.of(0, 0, 0, 3), bounds, 0.99), 4);
  assert.ok(Number.isNaN(quantile(new Float64Array(4), bounds, 0.5)));
});

test("15 minutes are kept and no more, oldest first, in memory that does not grow", async () => {
  const { control, history } = setUp();
  history.sample(START);
  const { bytes } = history;
  for (let second = 1; second < SPAN + 300; second++) {
    change(control, 0, { lag: second });
    history.sample(START + second * 1000);
  }
  assert.equal(history.bytes, bytes);
  const { at, nodes, cluster, states } = await answerOf(history);
  assert.equal(at.length, SPAN);
  assert.equal(at[0], START + 300_000);
  assert.equal(nodes.app1?.lag[0], 300);
  assert.equal(nodes.app1?.lag.at(-1), SPAN + 299);
  assert.equal(cluster.inSync.length, SPAN);
  assert.equal(states[nodes.app1?.state[0] ?? -1], "in-sync");
});

test("nine nodes and two routes take less than 600 kB", () => {
  const { history } = setUp(Array.from({ length: 9 }, (_, index) => node(`app${index + 1}`)));
  history.sample(START);
  assert.ok(history.bytes < 600_000, String(history.bytes));
});

test("many routes are bounded", () => {
  const { control, history } = setUp();
  control.more = { routes: Array.from({ length: 100 }, (_, index) => route(`r${index}`)) };
  history.sample(START);
  assert.equal(Object.keys(history.last?.routes ?? {}).length, MOST_ROUTES);
});

test("a node that comes has nothing before; one that goes takes its columns along", async () => {
  const { control, history } = setUp();
  history.sample(START + 200_000);
  control.nodes = [node("app2"), node("app3", { lag: 4 })];
  history.sample(START + 201_000);
  const { nodes, events } = await answerOf(history);
  assert.deepEqual(Object.keys(nodes).toSorted(), ["app2", "app3"]);
  assert.deepEqual(nodes.app3?.lag, [null, 4]);
  const told = events.map(({ kind, node: name, text }) => `${kind} ${name} ${text}`);
  assert.ok(told.includes("scale app3 added: http://127.0.0.1:4569"), told.join("\n"));
  assert.ok(told.includes("scale app1 removed"));
});

test("what happens is told once: states, reloads, writes set aside, bootstraps, shutting down", async () => {
  const { control, history } = setUp();
  history.sample(START + 200_000);
  history.nodeChanged("app1", "in-sync", "down", "refused", START + 200_500);
  history.nodeChanged("app1", "down", "in-sync", "up again", START + 200_700);
  control.more = {
    startedAt: START,
    setAside: 2,
    reload: { at: START + 200_800, ok: false, problems: ["a", "b"] },
  };
  change(control, 1, { bootstrap: "snapshot from app1" });
  history.sample(START + 201_000);
  const { totals } = control.status();
  control.more = { ...control.more, setAside: 1, draining: true, totals: { ...totals, divergent: 1 } };
  change(control, 1, { bootstrap: null });
  history.sample(START + 202_000);
  history.sample(START + 203_000);
  const events = history.events.map(({ kind, tone, node: name, text }) => [kind, tone, name, text].join("|"));
  assert.deepEqual(events, [
    "state|bad|app1|in-sync → down: refused",
    "state|good|app1|down → in-sync: up again",
    "bootstrap|busy|app2|snapshot from app1",
    "reload|bad||the new config was refused: a; b",
    "write|bad||set aside, since no node acks it: 2 writes",
    "bootstrap|good|app2|has the others' state",
    "write|good||no longer set aside: 1 write",
    "write|bad||answered otherwise than by the majority: 1 write",
    "stop|off||the balancer is shutting down",
  ]);
});

test("a node that flaps a thousand times takes bounded memory", () => {
  const { history } = setUp();
  history.sample(Date.now());
  for (let index = 0; index < 1000; index++)
    history.nodeChanged("app1", "in-sync", "down", "x".repeat(10_000));
  assert.equal(history.events.length, MOST_EVENTS);
  assert.ok(history.events.every(({ text }) => text.length < 250));
});

test("what came after a sample is told by its id; another process' or a forgotten one is not", () => {
  const { history } = setUp();
  history.sample(START);
  const first = history.last?.id ?? "";
  history.sample(START + 1000);
  history.sample(START + 2000);
  assert.deepEqual(
    history.after(first)?.map(({ at }) => at - START),
    [1000, 2000],
  );
  assert.deepEqual(history.after(history.last?.id ?? ""), []);
  for (const id of ["", "x", "1-0", `${START + 1}-0`, `${START}-7`, `${START}--1`, `${START}-1e9`]) {
    assert.equal(history.after(id), null, id);
  }
  for (let second = 3; second < SPAN + 10; second++) history.sample(START + second * 1000);
  assert.equal(history.after(first), null);
});

test("a node whose name is a word of JavaScript is a node like others", async () => {
  const { history } = setUp([node("__proto__"), node("constructor")]);
  history.sample(START);
  const { nodes } = await answerOf(history);
  assert.deepEqual(Object.keys(nodes), ["__proto__", "constructor"]);
  assert.deepEqual(Object.keys(history.last?.nodes ?? {}), ["__proto__", "constructor"]);
});
