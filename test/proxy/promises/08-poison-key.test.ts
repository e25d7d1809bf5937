import assert from "node:assert/strict";
import { test } from "node:test";
import type { WriteStory } from "../../../proxy/api.ts";
import {
  type BareCluster,
  gate,
  metric,
  seqOf,
  seqsAt,
  startCluster,
  userOf,
} from "../../support/bare-cluster.ts";
import { key, register } from "../../support/client.ts";
import type { Arrival, Reaction, TestNode } from "../../support/nodes.ts";
import { until } from "../../support/wait.ts";

const WRITES = { maxAttempts: 2, attemptTimeout: "300ms", sendTimeout: "200ms", ackTimeout: "700ms" };

/** A write of ada that no node can carry out, and that is set aside. */
async function setAside(cluster: BareCluster, headers: Readonly<Record<string, string>> = {}): Promise<void> {
  const { balancer, nodes } = cluster;
  for (const node of nodes) node.behave(poison);
  await register(balancer, "ada", headers);
  await until(
    async () => {
      await register(balancer, "other");
      return (await balancer.write(1)).setAside;
    },
    { what: "write 1 set aside" },
  );
}

function poison(arrival: Arrival): Reaction {
  return arrival.method === "POST" && userOf(arrival) === "ada" ? { fault: "reset" } : {};
}

test("promise 8, a poison write stops nobody: new writes of its key are refused, and nothing of them is recorded", async (t) => {
  const cluster = await startCluster(t, 2, { writes: WRITES });
  const { balancer } = cluster;
  await setAside(cluster);
  const { head } = await balancer.status();
  const refused = await register(balancer, "ADA");
  assert.deepEqual(
    [refused.status, refused.code, refused.headers["retry-after"]],
    [503, "key_set_aside", "30"],
  );
  assert.match(refused.body, /"held":1/);
  assert.equal((await balancer.status()).head, head);
  assert.equal((await register(balancer, "bob")).status, 200);
  await balancer.kill9();
  await balancer.start("listening");
  await until(async () => (await balancer.status()).inSync === 2, { what: "two nodes in-sync" });
  assert.equal((await register(balancer, "ada")).code, "key_set_aside", "a restart changes nothing");
  await balancer.admin<WriteStory>("/api/writes/1/skip", "POST");
  for (const node of cluster.nodes) node.behave({});
  assert.equal((await register(balancer, "ada")).status, 200, "its turn comes when an operator has decided");
});

test("promise 8, a poison write stops nobody: while its key is held, a repeat of an earlier write has its outcome", async (t) => {
  const cluster = await startCluster(t, 2, { writes: { ...WRITES, ackTimeout: "1s" } }, { status: 201 });
  const { balancer, nodes } = cluster;
  await register(balancer, "ada", key("before"));
  for (const node of nodes) node.behave(poison);
  await register(balancer, "ada", key("poison"));
  await until(async () => {
    await register(balancer, "other");
    return (await balancer.write(2)).setAside;
  });
  const repeat = await register(balancer, "ada", key("before"));
  assert.deepEqual([repeat.status, repeat.seq, repeat.headers["lb-repeat"]], [201, 1, "1"]);
  const itself = await register(balancer, "ada", key("poison"));
  assert.deepEqual([itself.status, itself.code, itself.seq], [504, "ack_timeout", 2]);
});

test("promise 8, a poison write stops nobody: what waits behind it takes no room that other writes need", async (t) => {
  const cluster = await startCluster(t, 2, {
    writes: { ...WRITES, maxAttempts: 4 },
    limits: { writesOpen: 4 },
  });
  const { balancer, nodes } = cluster;
  for (const node of nodes) node.behave(poison);
  await Promise.all([1, 2, 3].map(() => register(balancer, "ada")));
  await until(
    async () => {
      await register(balancer, "other");
      return (await balancer.write(1)).setAside;
    },
    { what: "write 1 set aside" },
  );
  assert.equal((await balancer.status()).writesOpen, 0);
  const replies = await Promise.all([1, 2, 3, 4].map((n) => register(balancer, `user${n}`)));
  assert.deepEqual(
    replies.map(({ status }) => status),
    [200, 200, 200, 200],
  );
  for (const node of nodes) node.behave({});
  await balancer.admin<WriteStory>("/api/writes/1/retry", "POST");
  await balancer.settled();
  for (const node of nodes) {
    assert.deepEqual(
      seqsAt(node).filter((seq, index, all) => seq <= 3 && all.lastIndexOf(seq) === index),
      [1, 2, 3],
      "nothing is lost, and in order",
    );
  }
});

test("promise 8, a poison write stops nobody: an attempt that is answered after it was set aside brings it to all nodes", async (t) => {
  const { balancer, nodes } = await startCluster(t, 2, {
    writes: { ...WRITES, maxAttempts: 2, attemptTimeout: "20s" },
  });
  const [late, first] = nodes as [TestNode, TestNode];
  const [slow, hold] = [gate(), gate()];
  let hangs = false;
  let waiting = 0;
  late.behave((arrival) => {
    if (userOf(arrival) !== "ada") return {};
    if (!hangs) return { fault: "reset" };
    waiting++;
    return slow.answers({ status: 201 })(arrival);
  });
  first.behave((arrival) => (userOf(arrival) === "ada" ? hold.answers({ fault: "reset" })(arrival) : {}));
  const meanwhile = (condition: () => boolean | Promise<boolean>, what: string) =>
    until(
      async () => {
        await register(balancer, "other");
        return await condition();
      },
      { what },
    );
  await register(balancer, "ada");
  const tries = () => seqsAt(late).filter((seq) => seq === 1).length;
  await register(balancer, "other");
  const before = tries();
  await until(() => tries() > before + WRITES.maxAttempts, { what: "app1 used up its attempts, and runs" });
  hangs = true;
  await until(() => waiting > 0, { what: "an attempt under way at app1" });
  hold.open();
  await meanwhile(async () => (await balancer.write(1)).setAside, "write 1 set aside");
  first.behave((arrival) => ({ status: userOf(arrival) === "ada" ? 201 : 200 }));
  slow.open();
  await balancer.settled();
  const story = await balancer.write(1);
  assert.deepEqual([story.setAside, story.outcome, story.acks.length], [false, 201, 2]);
  assert.equal(await metric(balancer, "lb_writes_set_aside"), 0);
  assert.equal(seqOf(first.log.findLast((arrival) => userOf(arrival) === "ada")), 1);
});
