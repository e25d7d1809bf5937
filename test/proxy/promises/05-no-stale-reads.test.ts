import assert from "node:assert/strict";
import { test } from "node:test";
import { arrived, gate, readsAt, startCluster, userOf, writesAt } from "../../support/bare-cluster.ts";
import { read, register } from "../../support/client.ts";
import type { Arrival, TestNode } from "../../support/nodes.ts";
import { until } from "../../support/wait.ts";

const PATIENT = { sendTimeout: "3s", ackTimeout: "6s", attemptTimeout: "4s" };

/** How many of so many reads each node got. */
async function spread(
  balancer: { url: string },
  nodes: readonly TestNode[],
  reads: number,
): Promise<number[]> {
  const before = nodes.map(readsAt);
  for (let index = 0; index < reads; index++) assert.equal((await read(balancer)).status, 200);
  return nodes.map((node, index) => readsAt(node) - (before[index] ?? 0));
}

test("promise 5, no stale reads: a node whose attempt failed where another acked leaves the reads at once", async (t) => {
  const { balancer, nodes } = await startCluster(t, 3, { writes: PATIENT });
  const held = gate();
  let failed = false;
  nodes[1]?.behave((arrival) => {
    if (arrival.method === "GET" || failed) return arrival.method === "GET" ? {} : held.answers()(arrival);
    failed = true;
    return { status: 500 };
  });
  const { headers } = await register(balancer, "ada");
  assert.match(String(headers["lb-acks"]), /app2=catching-up/);
  assert.deepEqual(await spread(balancer, nodes, 12), [6, 0, 6]);
  held.open();
  await balancer.reached("app2", "in-sync");
  assert.deepEqual(await spread(balancer, nodes, 12), [4, 4, 4]);
});

test("promise 5, no stale reads: a node past the send timeout leaves the reads, and comes back when it has caught up", async (t) => {
  const { balancer, nodes } = await startCluster(t, 2, { writes: { attemptTimeout: "10s" } });
  const held = gate();
  nodes[0]?.behave((arrival) => (arrival.method === "GET" ? {} : held.answers()(arrival)));
  await register(balancer, "ada");
  assert.deepEqual(await spread(balancer, nodes, 6), [0, 6]);
  held.open();
  await balancer.reached("app1", "in-sync");
  assert.deepEqual(await spread(balancer, nodes, 6), [3, 3]);
});

test("promise 5, no stale reads: a node that missed a write stays out while the client still waits for others", async (t) => {
  // app1 acked, app2 failed, app3 has not answered yet: nobody was told, but a read might see app1's new state.
  const { balancer, nodes } = await startCluster(t, 3, { writes: PATIENT });
  const [late, never] = [gate(), gate()];
  const [, shaky, slow] = nodes as [TestNode, TestNode, TestNode];
  let tries = 0;
  shaky.behave((arrival) => {
    if (arrival.method === "GET") return {};
    tries++;
    return tries === 1 ? { status: 500 } : never.answers()(arrival);
  });
  slow.behave((arrival) => (arrival.method === "GET" ? {} : late.answers()(arrival)));
  const reply = register(balancer, "ada");
  await arrived(shaky, 2);
  assert.equal((await balancer.node("app2")).state, "catching-up");
  assert.deepEqual(await spread(balancer, nodes, 6), [3, 0, 3]);
  late.open();
  assert.equal((await reply).headers["lb-acks"], "app1=200, app2=catching-up, app3=200");
  never.open();
  await balancer.settled();
});

test("promise 5, no stale reads: behind the reply to a write every read comes from a node that has it", async (t) => {
  const { balancer, nodes } = await startCluster(t, 3, { log: { access: false } });
  const users = nodes.map(() => new Set<string>());
  nodes.forEach((node, index) => {
    const mine = users[index] as Set<string>;
    let turn = index * 3;
    node.behave((arrival: Arrival) => {
      if (arrival.method === "GET") return { body: String(mine.has(arrival.url.slice(2))) };
      turn++;
      if (turn % 7 === 0) return { status: 503 };
      if (turn % 11 === 0) return { fault: "reset" };
      mine.add(userOf(arrival));
      return turn % 13 === 0 ? { fault: "reset" } : { delay: turn % 5 };
    });
  });
  let stale = 0;
  let [told, fresh] = [0, 0];
  const client = async (name: string) => {
    for (let n = 0; n < 25; n++) {
      const user = `${name}${n}`;
      const { status } = await register(balancer, user);
      if (status !== 200) continue;
      told++;
      const answers = await Promise.all([1, 2, 3].map(() => read(balancer, `/?${user}`)));
      stale += answers.filter(({ body }) => body === "false").length;
      fresh += answers.filter(({ body }) => body === "true").length;
    }
  };
  await Promise.all(["a", "b", "c", "d"].map(client));
  assert.ok(told > 50, `${told} writes succeeded`);
  // While each node has missed something that another acked, no read is answered at all.
  assert.ok(fresh > 100, `${fresh} reads answered`);
  assert.equal(stale, 0);
});

test("promise 5, no stale reads: a node that joins behind the send timeout of a hanging write may not be waited for", async (t) => {
  const { balancer, nodes } = await startCluster(t, 3, {
    writes: { attemptTimeout: "10s", ackTimeout: "5s" },
  });
  const [first, second, joiner] = nodes as [TestNode, TestNode, TestNode];
  const [firstGate, never] = [gate(), gate()];
  await joiner.stop();
  await balancer.reached("app3", "down");
  first.behave((arrival) => (arrival.method === "GET" ? {} : firstGate.answers()(arrival)));
  second.behave((arrival) => (arrival.method === "GET" ? {} : never.answers()(arrival)));
  joiner.behave((arrival) => (arrival.method === "GET" ? {} : never.answers()(arrival)));
  const reply = register(balancer, "ada");
  await arrived(second, 1);
  const begun = performance.now();
  await until(() => performance.now() - begun > 500, { what: "the send timeout" });
  await joiner.restart();
  await arrived(joiner, 1);
  firstGate.open();
  const { status } = await reply;
  assert.equal(status, 200);
  const states = (await balancer.status()).nodes.map(({ state }) => state);
  assert.deepEqual(states, ["in-sync", "catching-up", "catching-up"], "both missed what app1 acked");
  assert.deepEqual(await spread(balancer, nodes, 4), [4, 0, 0]);
  never.open();
  await balancer.settled();
  assert.equal(writesAt(joiner).length, 1);
});
