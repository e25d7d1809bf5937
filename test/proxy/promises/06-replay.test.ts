import assert from "node:assert/strict";
import { test } from "node:test";
import { header, startCluster, userOf, writesAt } from "../../support/bare-cluster.ts";
import { ask, barrier, register } from "../../support/client.ts";
import type { Arrival, TestNode } from "../../support/nodes.ts";

/** What a node got of a write, but for what differs by node and time of delivery. */
function essence(arrival: Arrival) {
  const { method, url, body, headers } = arrival;
  const {
    host,
    "idempotency-key": key,
    "lb-seq": seq,
    "lb-attempt": attempt,
    "lb-time": time,
    "x-request-id": id,
  } = headers;
  return {
    method,
    url,
    body,
    host,
    key,
    seq,
    attempt,
    time,
    id,
    type: headers["content-type"],
    size: headers["content-length"],
  };
}

function bySeq(node: TestNode) {
  const seq = (arrival: Arrival) => Number(header(arrival, "lb-seq"));
  return writesAt(node)
    .toSorted((a, b) => seq(a) - seq(b))
    .map(essence);
}

test("promise 6, replay is not a second path: a node that was down gets the very requests that the others got", async (t) => {
  const { balancer, nodes } = await startCluster(t, 2);
  const [steady, away] = nodes as [TestNode, TestNode];
  await away.stop();
  await register(balancer, "ada", { "x-request-id": "r1" });
  await ask(balancer.url, {
    method: "POST",
    path: "/register?x=1",
    headers: { "content-type": "application/json", host: "example.org" },
    body: '{"username":"bob"}',
  });
  await barrier(balancer);
  await ask(balancer.url, { method: "POST", path: "/changePassword" });
  await away.restart();
  await balancer.settled();
  assert.deepEqual(bySeq(away), bySeq(steady));
  assert.deepEqual(
    bySeq(away).map(({ attempt }) => attempt),
    ["1", "1", "1", "1"],
    "no byte of them was sent before",
  );
});

test("promise 6, replay is not a second path: order and window hold while a node catches up under load", async (t) => {
  const { balancer, nodes } = await startCluster(t, 2, { writes: { window: 4 } });
  const [, away] = nodes as [TestNode, TestNode];
  await away.stop();
  const names = Array.from({ length: 60 }, (_, index) => `user${index % 6}`);
  await Promise.all(names.map((name) => register(balancer, name)));
  const open = new Map<string, number>();
  let [most, overlaps, now] = [0, 0, 0];
  away.behave(async (arrival) => {
    const user = userOf(arrival);
    now++;
    most = Math.max(most, now);
    open.set(user, (open.get(user) ?? 0) + 1);
    if ((open.get(user) ?? 0) > 1) overlaps++;
    await new Promise((resolve) => setImmediate(resolve));
    open.set(user, (open.get(user) ?? 0) - 1);
    now--;
    return {};
  });
  await away.restart();
  const more = names.map((name) => register(balancer, name));
  await balancer.settled();
  await Promise.all(more);
  await balancer.settled();
  assert.ok(most <= 4 && most > 1, `${most} in flight at a time, window 4`);
  assert.equal(overlaps, 0);
  const perUser = Map.groupBy(writesAt(away), userOf);
  assert.equal(perUser.size, 6);
  for (const list of perUser.values()) {
    const seqs = list.map((arrival) => Number(header(arrival, "lb-seq")));
    assert.deepEqual(
      seqs,
      seqs.toSorted((a, b) => a - b),
    );
  }
});

test("promise 6, replay is not a second path: the cursor that nodes are told never runs ahead of their acks", async (t) => {
  const { balancer, nodes } = await startCluster(t, 1);
  const [node] = nodes as [TestNode];
  const answered = new Set<number>();
  let wrong = 0;
  node.behave((arrival) => {
    for (let seq = 1; seq <= Number(header(arrival, "lb-cursor")); seq++) if (!answered.has(seq)) wrong++;
    answered.add(Number(header(arrival, "lb-seq")));
    return { delay: arrival.index % 4 };
  });
  await Promise.all(Array.from({ length: 50 }, (_, index) => register(balancer, `user${index}`)));
  await register(balancer, "last");
  assert.equal(wrong, 0);
  assert.ok(Number(header(writesAt(node).at(-1), "lb-cursor")) > 0);
});
