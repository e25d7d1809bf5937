import assert from "node:assert/strict";
import { test } from "node:test";
import { arrived, gate, startCluster } from "../../support/bare-cluster.ts";
import { read, register } from "../../support/client.ts";
import type { TestNode } from "../../support/nodes.ts";

/** What a busy machine adds. */
const SLACK = 700;

async function took(work: () => Promise<{ status: number }>): Promise<{ ms: number; status: number }> {
  const begun = performance.now();
  const { status } = await work();
  return { ms: performance.now() - begun, status };
}

test("promise 10, a slow node delays little: a write by at most the send timeout, and only the first one", async (t) => {
  const { balancer, nodes } = await startCluster(t, 3, {
    writes: { sendTimeout: "2s", attemptTimeout: "60s", ackTimeout: "10s" },
  });
  nodes[1]?.behave({ fault: "hang" });
  const first = await took(() => register(balancer, "ada"));
  const second = await took(() => register(balancer, "bob"));
  assert.deepEqual([first.status, second.status], [200, 200]);
  assert.ok(first.ms >= 1990 && first.ms < 2000 + SLACK, `first: ${first.ms} ms`);
  assert.ok(second.ms < 1990, `second: ${second.ms} ms, the node has left`);
});

test("promise 10, a slow node delays little: the send timeout counts from journaling, queueing included", async (t) => {
  const { balancer, nodes } = await startCluster(t, 2, {
    writes: { window: 1, sendTimeout: "500ms", attemptTimeout: "60s", ackTimeout: "10s" },
  });
  nodes[1]?.behave({ delay: 150 });
  const replies = await Promise.all(
    Array.from({ length: 8 }, (_, n) => took(() => register(balancer, `user${n}`))),
  );
  for (const { status, ms } of replies)
    assert.ok(status === 200 && ms < 500 + SLACK, `${status} in ${ms} ms`);
  nodes[1]?.behave({});
  await balancer.settled();
});

test("promise 10, a slow node delays little: a node that fails, is tried again and then hangs, too", async (t) => {
  const { balancer, nodes } = await startCluster(t, 3, {
    writes: { sendTimeout: "500ms", attemptTimeout: "60s", ackTimeout: "10s" },
  });
  nodes[1]?.behave(({ index }) => (index === 0 ? { status: 500 } : { fault: "hang" }));
  nodes[2]?.behave({ delay: 100 });
  const { status, ms } = await took(() => register(balancer, "ada"));
  assert.ok(status === 200 && ms < 500 + SLACK, `${status} in ${ms} ms`);
});

test("promise 10, a slow node delays little: a dead node delays a write hardly at all", async (t) => {
  const { balancer, nodes } = await startCluster(t, 3, {
    writes: { sendTimeout: "3s", ackTimeout: "10s" },
    health: { interval: "3s" },
  });
  await nodes[1]?.stop();
  const { status, ms } = await took(() => register(balancer, "ada"));
  assert.ok(status === 200 && ms < SLACK, `${status} in ${ms} ms`);
  assert.equal((await balancer.node("app2")).state, "down");
});

test("promise 10, a slow node delays little: a read by at most firstByteTimeout, then another node answers", async (t) => {
  const routes = [{ match: { methods: ["GET"] }, to: "one", firstByteTimeout: "1s" }];
  // The checks, which this node passes, come too seldom to bring it back before the reads are through; so the first must pass.
  const health = { interval: "30s", timeout: "15s" };
  const { balancer, nodes } = await startCluster(t, 3, { routes, health });
  nodes[0]?.behave({ fault: "hang" });
  const replies: { ms: number; status: number }[] = [];
  for (let n = 0; n < 15; n++) replies.push(await took(() => read(balancer)));
  assert.ok(replies.every(({ status }) => status === 200));
  assert.ok(
    replies.every(({ ms }) => ms < 1000 + SLACK),
    String(replies.map(({ ms }) => ms)),
  );
  const { state, readErrors } = await balancer.node("app1");
  assert.deepEqual([state, readErrors], ["down", 3], "three timeouts in a row, and the node counts as down");
});

test("promise 10, a slow node delays little: reads at other nodes are not delayed by a write that hangs", async (t) => {
  const { balancer, nodes } = await startCluster(t, 2, {
    writes: { sendTimeout: "4s", ackTimeout: "9s", attemptTimeout: "60s" },
  });
  const held = gate();
  for (const node of nodes)
    node.behave((arrival) => (arrival.method === "GET" ? {} : held.answers()(arrival)));
  const write = register(balancer, "ada");
  await arrived(nodes[0] as TestNode, 1);
  const { status, ms } = await took(() => read(balancer));
  assert.ok(status === 200 && ms < SLACK, `${status} in ${ms} ms`);
  held.open();
  assert.equal((await write).status, 200);
});

test("promise 10, a slow node delays little: reads that hang at a node do not keep writes from it", async (t) => {
  const { balancer, nodes } = await startCluster(t, 2, {
    limits: { readConnections: 4 },
    writes: { sendTimeout: "3s", ackTimeout: "9s" },
  });
  const held = gate();
  for (const node of nodes)
    node.behave((arrival) => (arrival.method === "POST" ? {} : held.answers()(arrival)));
  const reads = Array.from({ length: 20 }, () => read(balancer).catch(() => null));
  const { status, ms } = await took(() => register(balancer, "ada"));
  assert.ok(status === 200 && ms < SLACK, `${status} in ${ms} ms`);
  held.open();
  await Promise.all(reads);
});
