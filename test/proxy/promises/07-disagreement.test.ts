import assert from "node:assert/strict";
import { test } from "node:test";
import { arrived, gate, header, metric, seqOf, startCluster, writesAt } from "../../support/bare-cluster.ts";
import { register } from "../../support/client.ts";
import type { TestNode } from "../../support/nodes.ts";
import { until } from "../../support/wait.ts";

const PATIENT = { sendTimeout: "3s", ackTimeout: "6s", attemptTimeout: "4s" };

async function states(balancer: {
  status(): Promise<{ nodes: readonly { state: string }[] }>;
}): Promise<string[]> {
  return (await balancer.status()).nodes.map(({ state }) => state);
}

test("promise 7, disagreement is seen: the minority is quarantined, counted, logged and shown", async (t) => {
  const { balancer, nodes } = await startCluster(t, 3);
  nodes[1]?.behave({ status: 409, body: "taken" });
  assert.equal((await register(balancer, "ada")).status, 200);
  const node = await balancer.reached("app2", "quarantined");
  assert.match(String(node.reason), /diverged at write 1: answered 409, the others 200/);
  assert.deepEqual(await states(balancer), ["in-sync", "quarantined", "in-sync"]);
  assert.equal(await metric(balancer, "lb_node_divergent_answers_total", 'node="app2"'), 1);
  assert.equal((await balancer.status()).totals.divergent, 1);
  await balancer.logged(/"seq":1,"node":"app2","status":409/);
});

test("promise 7, disagreement is seen: each node's answer is stored with its record", async (t) => {
  const { balancer, nodes } = await startCluster(t, 2);
  let tries = 0;
  nodes[1]?.behave(() => ({ status: tries++ === 0 ? 503 : 201 }));
  nodes[0]?.behave({ status: 201 });
  const before = Date.now();
  await register(balancer, "ada");
  await balancer.settled();
  const { acks, outcome } = await balancer.write(1);
  const facts = acks.map(({ node, status, attempts, ambiguous }) => ({ node, status, attempts, ambiguous }));
  assert.deepEqual(
    facts.toSorted((a, b) => a.node.localeCompare(b.node)),
    [
      { node: "app1", status: 201, attempts: 1, ambiguous: false },
      { node: "app2", status: 201, attempts: 2, ambiguous: false },
    ],
  );
  assert.equal(outcome, 201);
  for (const { firstAt, at } of acks) assert.ok(firstAt >= before && at >= firstAt && at <= Date.now());
});

test("promise 7, disagreement is seen: in a tie those that differ from what the client got are quarantined", async (t) => {
  const { balancer, nodes } = await startCluster(t, 4);
  nodes[1]?.behave({ status: 409 });
  nodes[3]?.behave({ status: 409 });
  assert.equal((await register(balancer, "ada")).status, 200);
  assert.deepEqual(await states(balancer), ["in-sync", "quarantined", "in-sync", "quarantined"]);
});

test("promise 7, disagreement is seen: three answers that all differ leave the node whose answer the client got", async (t) => {
  const { balancer, nodes } = await startCluster(t, 3);
  nodes.forEach((node, index) => void node.behave({ status: [201, 409, 422][index] ?? 0 }));
  assert.equal((await register(balancer, "ada")).status, 201);
  assert.deepEqual(await states(balancer), ["in-sync", "quarantined", "quarantined"]);
});

test("promise 7, disagreement is seen: policy one sends the first answer; the majority decides who is right", async (t) => {
  const routes = [{ match: { methods: ["POST"] }, to: "all", ack: "one", orderBy: "username" }];
  const { balancer, nodes } = await startCluster(t, 3, { routes, writes: PATIENT });
  const held = gate();
  nodes[0]?.behave({ status: 409 });
  for (const node of nodes.slice(1)) node.behave(held.answers({ status: 201 }));
  assert.equal((await register(balancer, "ada")).status, 409);
  held.open();
  await balancer.reached("app1", "quarantined");
  assert.deepEqual(await states(balancer), ["quarantined", "in-sync", "in-sync"]);
});

test("promise 7, disagreement is seen: the last in-sync node is never quarantined; an alarm says so", async (t) => {
  const { balancer, nodes } = await startCluster(t, 2, { writes: PATIENT });
  const [first, second] = nodes as [TestNode, TestNode];
  // app1 answers and then is drained: app2, alone in-sync, gives another answer.
  const held = gate();
  first.behave({ status: 201 });
  second.behave(held.answers({ status: 409 }));
  const reply = register(balancer, "ada");
  await until(async () => (await balancer.write(1).catch(() => null))?.acks.length === 1);
  await balancer.admin("/api/nodes/app1/drain", "POST");
  held.open();
  await reply;
  await balancer.logged(/would quarantine the last in-sync node/);
  assert.equal((await balancer.node("app2")).state, "in-sync");
  assert.equal((await balancer.status()).totals.divergent, 1);
});

test("promise 7, disagreement is seen: an answer after a lost one is ambiguous, never divergence", async (t) => {
  const { balancer, nodes } = await startCluster(t, 2);
  let tries = 0;
  nodes[0]?.behave({ status: 201 });
  // The app made the user, and the connection broke before it could say so.
  nodes[1]?.behave(() => (tries++ === 0 ? { fault: "reset" } : { status: 409 }));
  assert.equal((await register(balancer, "ada")).status, 201);
  await balancer.settled();
  const { acks } = await balancer.write(1);
  assert.equal(acks.find(({ node }) => node === "app2")?.ambiguous, true);
  assert.deepEqual((await balancer.status()).totals.divergent, 0);
  assert.equal(await metric(balancer, "lb_node_ambiguous_answers_total", 'node="app2"'), 1);
});

test("promise 7, disagreement is seen: an answer after a timeout is ambiguous, never divergence", async (t) => {
  const { balancer, nodes } = await startCluster(t, 2, { writes: { attemptTimeout: "500ms" } });
  let tries = 0;
  nodes[1]?.behave(() => (tries++ === 0 ? { fault: "hang" } : { status: 409 }));
  assert.equal((await register(balancer, "ada")).status, 200);
  await balancer.settled();
  assert.deepEqual([header(writesAt(nodes[1] as TestNode).at(-1), "lb-attempt")], ["2"]);
  assert.equal((await balancer.status()).totals.divergent, 0);
});

test("promise 7, disagreement is seen: the majority of certain answers outweighs ambiguous ones", async (t) => {
  const { balancer, nodes } = await startCluster(t, 3, { writes: PATIENT });
  for (const node of nodes.slice(0, 2)) {
    let tries = 0;
    node.behave(() => (tries++ === 0 ? { fault: "half" } : { status: 409 }));
  }
  const held = gate();
  nodes[2]?.behave(held.answers({ status: 201 }));
  const reply = register(balancer, "ada");
  await until(async () => (await balancer.write(1).catch(() => null))?.acks.length === 2);
  held.open();
  assert.equal((await reply).status, 201);
  assert.deepEqual(await states(balancer), ["in-sync", "in-sync", "in-sync"]);
});

test("promise 7, disagreement is seen: an answer to a record sent before a restart is ambiguous", async (t) => {
  const { balancer, nodes } = await startCluster(t, 2, { writes: PATIENT });
  const held = gate();
  nodes[0]?.behave({ status: 201 });
  nodes[1]?.behave(held.answers());
  const reply = register(balancer, "ada").catch(() => null);
  await until(async () => (await balancer.write(1).catch(() => null))?.acks.length === 1);
  await balancer.kill9();
  await reply;
  nodes[1]?.behave({ status: 409 });
  await balancer.start();
  const { acks } = await balancer.write(1);
  assert.equal(acks.find(({ node }) => node === "app2")?.ambiguous, true);
  assert.equal((await balancer.status()).totals.divergent, 0);
});

test("promise 7, disagreement is seen: a node that catches up and answers otherwise is quarantined", async (t) => {
  const { balancer, nodes } = await startCluster(t, 3);
  await nodes[2]?.stop();
  await register(balancer, "ada");
  await register(balancer, "bob");
  nodes[2]?.behave((arrival) => ({ status: seqOf(arrival) === 1 ? 409 : 200 }));
  await nodes[2]?.restart();
  const { reason } = await balancer.reached("app3", "quarantined");
  assert.match(String(reason), /diverged at write 1: answered 409, the others 200/);
});

test("promise 7, disagreement is seen: also of a node that answered while it was out of the in-sync set", async (t) => {
  const { balancer, nodes } = await startCluster(t, 3, { writes: PATIENT });
  const [, shaky, slow] = nodes as [TestNode, TestNode, TestNode];
  const [late, stuck] = [gate(), gate()];
  // app2 fails writes 1 and 2, and so leaves; it answers 2 otherwise than the others while 1 keeps it out.
  shaky.behave((arrival) => {
    if (header(arrival, "lb-attempt") === "1") return { status: 500 };
    return seqOf(arrival) === 1 ? stuck.answers()(arrival) : { status: 409 };
  });
  slow.behave((arrival) => (seqOf(arrival) === 2 ? late.answers()(arrival) : {}));
  await register(balancer, "ada");
  const second = register(balancer, "bob");
  await arrived(shaky, 4);
  await until(async () => (await balancer.write(2)).acks.length === 2, {
    what: "app1's and app2's answers to 2",
  });
  late.open();
  assert.equal((await second).status, 200);
  const { reason } = await balancer.reached("app2", "quarantined");
  assert.match(String(reason), /diverged at write 2: answered 409, the others 200/);
  stuck.open();
});

test("promise 7, disagreement is seen: quarantine outlives a restart, and no read or write goes there", async (t) => {
  const { balancer, nodes } = await startCluster(t, 3);
  nodes[1]?.behave({ status: 409 });
  await register(balancer, "ada");
  await balancer.reached("app2", "quarantined");
  // On disk: it is stored with the answers that led to it, at the latest 50 ms later.
  await until(async () => (await balancer.write(1)).acks.length === 3, { what: "three acks on disk" });
  await balancer.kill9();
  const count = nodes[1]?.log.length;
  await balancer.start("listening");
  await balancer.reached("app1", "in-sync");
  assert.equal((await balancer.node("app2")).state, "quarantined");
  assert.equal((await register(balancer, "bob")).status, 200);
  assert.equal(nodes[1]?.log.length, count);
});
