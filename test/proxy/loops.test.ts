/** Nodes that lead back to the balancer: a request comes round once, and is refused. */

import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { startBalancer, type TestBalancer } from "../support/balancer.ts";
import { header, metric, QUICK } from "../support/bare-cluster.ts";
import { ask, read, register } from "../support/client.ts";
import { startForwarder } from "../support/forwarder.ts";
import { startNode } from "../support/nodes.ts";

const CONFIG = {
  routes: [
    { match: { methods: ["POST"] }, to: "all", orderBy: "username" },
    { match: { methods: ["GET"] }, to: "one", firstByteTimeout: "20s" },
  ],
  writes: { ...QUICK, maxAttempts: 2 },
};

function startOver(t: TestContext, ...urls: readonly string[]): Promise<TestBalancer> {
  const nodes = urls.map((url, index) => ({ name: `app${index + 1}`, url }));
  return startBalancer(t, { nodes, config: CONFIG });
}

function received(balancer: TestBalancer): Promise<number> {
  return metric(balancer, "lb_received_requests_total");
}

test("a read that comes back is 508, and went round once", async (t) => {
  const back = await startForwarder(t);
  const app = await startNode(t);
  const balancer = await startOver(t, app.url, back.url);
  back.leadTo(balancer.url);
  assert.deepEqual((await read(balancer)).body, "ok");
  const { status, code, body } = await read(balancer);
  assert.deepEqual([status, code], [508, "loop_detected"]);
  assert.match(JSON.parse(body).next, /nodes/);
  assert.deepEqual([app.log.length, await metric(balancer, "lb_problems_total", "loop_detected")], [1, 1]);
});

test("a write that comes back is not recorded again; the node that leads back is quarantined", async (t) => {
  const back = await startForwarder(t);
  const app = await startNode(t);
  const balancer = await startOver(t, app.url, back.url);
  back.leadTo(balancer.url);
  assert.equal((await register(balancer, "ada")).status, 200);
  assert.equal((await register(balancer, "ben")).status, 200);
  assert.match((await balancer.reached("app2", "quarantined")).reason ?? "", /508/);
  assert.deepEqual([(await balancer.status()).head, app.log.length], [2, 2]);
});

test("through a second balancer, too: the first one refuses what it sent", async (t) => {
  const back = await startForwarder(t);
  const second = await startOver(t, back.url);
  const first = await startOver(t, second.url);
  back.leadTo(first.url);
  const answer = await read(first);
  assert.deepEqual([answer.status, answer.code], [508, "loop_detected"]);
  assert.equal(await metric(first, "lb_problems_total", "loop_detected"), 1);
  assert.equal(await metric(second, "lb_requests_total"), 1);
  assert.equal((await register(first, "ada")).status, 508);
  assert.equal((await first.status()).head, 1);
});

test("a balancer behind a balancer is no loop, and the app sees which way a request came", async (t) => {
  const app = await startNode(t);
  const second = await startOver(t, app.url);
  const first = await startOver(t, second.url);
  assert.equal((await read(first)).status, 200);
  assert.equal((await register(first, "ada")).status, 200);
  for (const arrival of app.log) {
    const marks = header(arrival, "lb-via").split(", ");
    assert.deepEqual([marks.length, new Set(marks).size], [2, 2], arrival.method);
  }
});

test("a client cannot take the mark away", async (t) => {
  const back = await startForwarder(t);
  const balancer = await startOver(t, back.url);
  back.leadTo(balancer.url);
  for (const headers of [
    { connection: "close, lb-via" },
    { "lb-via": "someone" },
    { lb_via: "someone" },
  ] as const) {
    const before = await received(balancer);
    const { status } = await ask(balancer.url, { path: "/x", headers });
    assert.equal(status, 508);
    assert.ok((await received(balancer)) - before <= 2, "it went round more than once");
  }
});

test("the mark is the same after a restart: a write that was on its way round comes to an end", async (t) => {
  const app = await startNode(t);
  const balancer = await startOver(t, app.url);
  await read(balancer);
  await balancer.stop();
  await balancer.start();
  await read(balancer);
  const [before, after] = app.log.map((arrival) => header(arrival, "lb-via"));
  assert.ok(before !== "" && before === after);
});
