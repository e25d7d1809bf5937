import assert from "node:assert/strict";
import { test } from "node:test";
import type { WriteStory } from "../../../proxy/api.ts";
import {
  header,
  metric,
  readsAt,
  seqOf,
  seqsAt,
  startCluster,
  userOf,
  writesAt,
} from "../../support/bare-cluster.ts";
import { barrier, key, read, register } from "../../support/client.ts";
import type { TestNode } from "../../support/nodes.ts";
import { meanwhile, poison, startWithSetAside } from "../../support/poison.ts";
import { until } from "../../support/wait.ts";

async function states(balancer: {
  status(): Promise<{ nodes: readonly { state: string }[] }>;
}): Promise<string[]> {
  return (await balancer.status()).nodes.map(({ state }) => state);
}

for (const status of [500, 503, 429]) {
  test(`promise 8, a poison write stops nobody: the same ${status} from all after one retry is the app's answer`, async (t) => {
    const { balancer, nodes } = await startCluster(t, 3);
    for (const node of nodes)
      node.behave(poison("ada", { status, body: "no", headers: { "retry-after": "7" } }));
    const reply = await register(balancer, "ada");
    assert.deepEqual([reply.status, reply.body, reply.headers["retry-after"]], [status, "no", "7"]);
    assert.deepEqual(await states(balancer), Array(3).fill("in-sync"));
    for (const node of nodes) assert.ok(writesAt(node).length >= 2);
    const entered = await metric(balancer, "lb_node_state_changes_total", 'state="in-sync"');
    assert.equal(entered, 3, "nobody left the reads and came back");
    assert.equal((await register(balancer, "ada")).seq, 2);
  });
}

test("promise 8, a poison write stops nobody: different errors are no agreement; nobody misses it", async (t) => {
  const { balancer, nodes } = await startCluster(t, 2, { writes: { ackTimeout: "1s", maxAttempts: 1000 } });
  nodes[0]?.behave(poison("ada", { status: 500 }));
  nodes[1]?.behave(poison("ada", { status: 503 }));
  const reply = await register(balancer, "ada");
  assert.deepEqual([reply.status, reply.code], [504, "ack_timeout"]);
  assert.deepEqual(await states(balancer), ["in-sync", "in-sync"]);
});

test("promise 8, a poison write stops nobody: a node that catches up accepts the error that the others agreed on", async (t) => {
  const { balancer, nodes } = await startCluster(t, 2);
  await nodes[1]?.stop();
  await balancer.reached("app2", "down");
  nodes[0]?.behave(poison("ada", { status: 500 }));
  assert.equal((await register(balancer, "ada")).status, 500);
  nodes[1]?.behave(poison("ada", { status: 500 }));
  await nodes[1]?.restart();
  await balancer.settled();
  assert.equal(writesAt(nodes[1] as TestNode).length, 1);
});

test("promise 8, a poison write stops nobody: a node that keeps failing where others succeed is quarantined with the reason", async (t) => {
  const { balancer, nodes } = await startCluster(t, 3, { writes: { maxAttempts: 4 } });
  const sick = nodes[2] as TestNode;
  sick.behave(poison("ada", { status: 500 }));
  assert.equal((await register(balancer, "ada")).status, 200);
  const { reason, cursor } = await balancer.reached("app3", "quarantined");
  assert.match(String(reason), /keeps failing write 1, which others acked: answered 500/);
  assert.deepEqual([cursor, writesAt(sick).length], [0, 4], "never a silent skip");
  const gaps = writesAt(sick).map((arrival, index, all) => arrival.at - (all[index - 1]?.at ?? arrival.at));
  assert.ok(
    gaps.slice(1).every((gap) => gap >= 4),
    `backoff between attempts: ${gaps}`,
  );
});

test("promise 8, a poison write stops nobody: a node that was quarantined for failing heals when it is let in again", async (t) => {
  const { balancer, nodes } = await startCluster(t, 2, { writes: { maxAttempts: 3 } });
  const [first, second] = nodes as [TestNode, TestNode];
  first.behave(poison("ada", { status: 500 }));
  await register(balancer, "ada");
  await balancer.reached("app1", "quarantined");
  first.behave({});
  await balancer.admin("/api/nodes/app1/ready?force=1", "POST");
  await balancer.settled();
  assert.deepEqual([...new Set(seqsAt(first))], seqsAt(second));
});

for (const fault of ["hang", "reset"] as const) {
  test(`promise 8, a poison write stops nobody: no node acks it (${fault}): reads go on, it is set aside on all alike`, async (t) => {
    const { balancer, nodes } = await startCluster(t, 2, {
      writes: { maxAttempts: 3, attemptTimeout: "300ms", sendTimeout: "200ms", ackTimeout: "700ms" },
    });
    for (const node of nodes) node.behave(poison("ada", { fault }));
    const reply = await register(balancer, "ada", key("k1"));
    assert.equal(reply.status, 504);
    assert.equal((await read(balancer)).status, 200);
    const second = register(balancer, "ada");
    await meanwhile(balancer, async () => (await balancer.write(1)).setAside);
    assert.equal((await second).status, 504, "its key is held back");
    const { setAside, inSync } = await balancer.status();
    assert.deepEqual([setAside, inSync], [1, 2]);
    assert.equal(await metric(balancer, "lb_set_aside_writes"), 1);
    await balancer.logged(/set aside/);
    for (const node of nodes) {
      const tries = writesAt(node).filter((arrival) => seqOf(arrival) === 1);
      assert.ok(tries.length >= 3);
      assert.ok(!seqsAt(node).includes(2));
    }
    for (const node of nodes) node.behave({ status: 201 });
    assert.equal((await register(balancer, "bob")).status, 201);
    await balancer.admin<WriteStory>("/api/writes/1/retry", "POST");
    await balancer.settled();
    for (const node of nodes) {
      const ada = writesAt(node).filter((arrival) => userOf(arrival) === "ada");
      assert.deepEqual(ada.slice(-2).map(seqOf), [1, 2], "in order again");
      assert.ok(Number(header(ada.at(-2), "lb-attempt")) > 3, "attempts are still counted");
    }
    const repeat = await register(balancer, "ada", key("k1"));
    assert.deepEqual([repeat.status, repeat.seq], [201, 1]);
  });
}

test("promise 8, a poison write stops nobody: skipped means for good, on all nodes, also after a restart", async (t) => {
  // app3 is away all the while, and the balancer starts anew before it is back.
  const { balancer, nodes } = await startWithSetAside(t, 3, { away: true, headers: key("k1") });
  await balancer.admin("/api/writes/1/skip", "POST");
  for (const node of nodes) node.behave({});
  await balancer.kill9();
  const count = () => nodes.map((node) => seqsAt(node).filter((seq) => seq === 1).length);
  const before = count();
  await nodes[2]?.restart();
  await balancer.start();
  assert.equal((await register(balancer, "ada")).status, 200);
  assert.deepEqual(count(), before, "nobody gets it any more");
  assert.equal((await balancer.status()).setAside, 0);
  const repeat = await register(balancer, "ada", key("k1"));
  assert.deepEqual(
    [repeat.status, repeat.code],
    [409, "write_skipped"],
    "the client is told what became of it",
  );
});

test("promise 8, a poison write stops nobody: a write without a key that is set aside holds back nothing", async (t) => {
  const { balancer, nodes } = await startCluster(t, 2, {
    writes: { maxAttempts: 2, attemptTimeout: "200ms", sendTimeout: "100ms", ackTimeout: "500ms" },
  });
  for (const node of nodes)
    node.behave(({ body, method }) => (method === "POST" && body === "all" ? { fault: "hang" } : {}));
  const barred = barrier(balancer);
  // A barrier lets no write through that could show that the nodes run, and nobody reads.
  await until(async () => (await balancer.write(1).catch(() => null))?.setAside, {
    what: "the barrier set aside",
  });
  assert.equal((await barred).status, 504);
  assert.equal((await register(balancer, "ada")).status, 200);
  assert.equal((await balancer.status()).inSync, 2);
  assert.equal(readsAt(nodes[0] as TestNode), 0);
});

test("promise 8, a poison write stops nobody: set aside survives a restart; a node that was away then holds it, too", async (t) => {
  const { balancer, nodes } = await startWithSetAside(t, 3, { away: true });
  const away = nodes[2] as TestNode;
  await away.restart();
  await balancer.reached("app3", "in-sync");
  assert.ok(!seqsAt(away).includes(1), "not sent there either");
  await balancer.kill9();
  await balancer.start("listening");
  await until(async () => (await balancer.status()).inSync === 3, { what: "three nodes in-sync" });
  assert.equal((await balancer.status()).setAside, 1);
  for (const node of nodes) node.behave({});
  await balancer.admin("/api/writes/1/retry", "POST");
  await balancer.settled();
  for (const node of nodes) assert.ok(seqsAt(node).includes(1));
});

test("promise 8, a poison write stops nobody: retry reaches a node that was away while it was set aside", async (t) => {
  const { balancer, nodes } = await startWithSetAside(t, 3, { away: true });
  const away = nodes[2] as TestNode;
  for (const node of nodes) node.behave({});
  await balancer.admin("/api/writes/1/retry", "POST");
  await until(async () => (await balancer.write(1)).outcome === 200);
  await away.restart();
  await balancer.settled();
  assert.ok(seqsAt(away).includes(1));
});
