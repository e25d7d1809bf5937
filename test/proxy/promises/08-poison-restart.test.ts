import assert from "node:assert/strict";
import { test } from "node:test";
import type { WriteStory } from "../../../proxy/api.ts";
import { seqOf, seqsAt, startCluster, userOf, writesAt } from "../../support/bare-cluster.ts";
import { key, read, register } from "../../support/client.ts";
import type { Arrival, Reaction, TestNode } from "../../support/nodes.ts";
import { until } from "../../support/wait.ts";

const WRITES = { maxAttempts: 3, attemptTimeout: "300ms", sendTimeout: "200ms", ackTimeout: "700ms" };

function poison(reaction: Reaction) {
  return (arrival: Arrival): Reaction =>
    arrival.method === "POST" && userOf(arrival) === "ada" ? reaction : {};
}

for (const fault of ["hang", "reset"] as const) {
  test(`promise 8, a poison write stops nobody: pending at a restart (${fault}), it is set aside and the nodes serve again`, async (t) => {
    const { balancer, nodes } = await startCluster(t, 2, { writes: WRITES });
    for (const node of nodes) node.behave(poison({ fault }));
    assert.equal((await register(balancer, "ada")).status, 504);
    await balancer.kill9();
    await balancer.start("listening");
    await until(async () => (await balancer.write(1)).setAside, { what: "write 1 set aside" });
    await until(async () => (await balancer.status()).inSync === 2, { what: "both nodes in-sync" });
    assert.equal((await register(balancer, "bob")).status, 200);
    assert.equal((await read(balancer)).status, 200);
    for (const node of nodes) node.behave({ status: 201 });
    await balancer.admin<WriteStory>("/api/writes/1/retry", "POST");
    await balancer.settled();
    for (const node of nodes) assert.equal(seqsAt(node).at(-1), 1, "nothing is lost");
  });
}

test("promise 8, a poison write stops nobody: after a restart one node that can't carry it out does not decide for those that can", async (t) => {
  const { balancer, nodes } = await startCluster(t, 3, { writes: { ...WRITES, attemptTimeout: "2s" } });
  for (const node of nodes) node.behave(poison({ fault: "hang" }));
  await register(balancer, "ada");
  await balancer.kill9();
  const [sick, slow, away] = nodes as [TestNode, TestNode, TestNode];
  await away.stop();
  sick.behave(poison({ fault: "reset" }));
  const tries = () => writesAt(sick).filter((arrival) => seqOf(arrival) === 1).length;
  const before = tries();
  slow.behave(async (arrival) => {
    if (userOf(arrival) === "ada") await until(() => tries() > before + WRITES.maxAttempts + 1);
    return {};
  });
  away.behave({});
  await balancer.start("listening");
  await until(() => tries() > before + WRITES.maxAttempts, { what: "attempts at app1 used up" });
  await away.restart();
  await until(
    async () => {
      await register(balancer, "other");
      return (await balancer.node("app1")).state === "quarantined";
    },
    { what: "app1 quarantined" },
  );
  const story = await balancer.write(1);
  assert.deepEqual([story.setAside, story.outcome], [false, 200]);
  assert.equal((await balancer.status()).inSync, 2);
});

test("promise 8, a poison write stops nobody: an operator may skip a write that no node has acked, without waiting", async (t) => {
  const { balancer, nodes } = await startCluster(t, 2, { writes: { ...WRITES, maxAttempts: 1000 } });
  for (const node of nodes) node.behave(poison({ fault: "hang" }));
  await register(balancer, "ada", key("k1"));
  await balancer.kill9();
  await balancer.start("listening");
  await until(async () => (await balancer.status()).nodes.every(({ state }) => state === "catching-up"), {
    what: "both nodes catching up",
  });
  const repeat = register(balancer, "ada", key("k1"));
  await balancer.admin<WriteStory>("/api/writes/1/skip", "POST");
  await until(async () => (await balancer.status()).inSync === 2, { what: "both nodes in-sync" });
  assert.ok([409, 503].includes((await repeat).status));
  const story = await balancer.write(1);
  assert.deepEqual([story.outcome, story.setAside], [0, false]);
  const again = await register(balancer, "ada", key("k1"));
  assert.deepEqual([again.status, again.code], [409, "write_skipped"]);
  const arrived = nodes.map((node) => seqsAt(node).length);
  assert.equal((await register(balancer, "bob")).status, 200);
  for (const [index, node] of nodes.entries()) {
    assert.deepEqual(seqsAt(node).slice(arrived[index]), [2], "nobody gets it any more");
  }
});

test("promise 8, a poison write stops nobody: a write that a node has acked can't be skipped", async (t) => {
  const { balancer, nodes } = await startCluster(t, 2, { writes: { ...WRITES, maxAttempts: 1000 } });
  nodes[1]?.behave(poison({ fault: "hang" }));
  assert.equal((await register(balancer, "ada")).status, 200);
  await assert.rejects(balancer.admin("/api/writes/1/skip", "POST"), /409.*not_set_aside/s);
  nodes[1]?.behave({});
  await balancer.settled();
  assert.ok(seqsAt(nodes[1] as TestNode).includes(1));
});
