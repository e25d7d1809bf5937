import assert from "node:assert/strict";
import { test } from "node:test";
import type { VerifyReport } from "../../../proxy/api.ts";
import { arrived, gate, header, seqsAt, startCluster, userOf, writesAt } from "../../support/bare-cluster.ts";
import { ask, key, register } from "../../support/client.ts";
import { addUsed, once, SNAPSHOT, writeSome } from "../../support/newcomer.ts";
import { startNode, type TestNode } from "../../support/nodes.ts";
import { keepState } from "../../support/stateful-node.ts";
import { until } from "../../support/wait.ts";

test("a new node that is empty gets every write from the first, where the journal is whole", async (t) => {
  const cluster = await startCluster(t, 2);
  const states = cluster.nodes.map((node) => keepState(node));
  await writeSome(cluster.balancer, 25);
  const added = await startNode(t);
  states.push(keepState(added));
  await cluster.balancer.reload({ nodes: [...cluster.listed, { name: "new", url: added.url }] });
  await writeSome(cluster.balancer, 25, "v");
  await cluster.balancer.reached("new", "in-sync");
  await cluster.balancer.settled();
  once(states);
  assert.ok(writesAt(added).every((arrival) => header(arrival, "lb-attempt") === "1"));
});

test("a replay goes on where it was after kill -9: nothing that was acked comes twice", async (t) => {
  const cluster = await startCluster(t, 1, { writes: { window: 1 } });
  const { balancer } = cluster;
  keepState(cluster.nodes[0] as TestNode);
  await writeSome(balancer, 20);
  const added = await startNode(t);
  const stuck = gate();
  const state = keepState(added, { override: ({ index }) => (index === 10 ? { fault: "hang" } : null) });
  await balancer.reload({
    nodes: [...cluster.listed, { name: "new", url: added.url }],
    config: { writes: { window: 1 } },
  });
  await arrived(added, 11);
  await until(async () => (await balancer.node("new")).cursor === 10);
  // The cursor goes to disk with the next commit.
  await until(async () => (await balancer.write(10)).acks.some(({ node }) => node === "new"));
  await balancer.kill9();
  stuck.open();
  await balancer.start();
  for (const [user, times] of state.users) assert.equal(times, 1, user);
  assert.equal(state.users.size, 20);
  const attempts = writesAt(added)
    .slice(11)
    .map((arrival) => header(arrival, "lb-attempt"));
  assert.equal(attempts[0], "2", "the one under way may have been sent before");
});

test("verify does not disturb a donor that is held for a snapshot", async (t) => {
  const cluster = await startCluster(t, 2, SNAPSHOT);
  const slow = gate();
  const states = cluster.nodes.map((node, index) => keepState(node, index === 0 ? { slow } : {}));
  await writeSome(cluster.balancer, 5);
  const { state } = await addUsed(t, cluster);
  await until(() => cluster.nodes[0]?.log.some(({ url }) => url === "/lb/snapshot"));
  const writes = writeSome(cluster.balancer, 5, "meanwhile");
  await until(() => seqsAt(cluster.nodes[1] as TestNode).length === 10);
  const verified = cluster.balancer.admin<VerifyReport>("/api/verify", "POST");
  await until(() => cluster.nodes[1]?.log.some(({ url }) => url === "/lb/digest"));
  assert.equal(seqsAt(cluster.nodes[0] as TestNode).length, 5, "nothing was sent to the donor");
  slow.open();
  await Promise.all([writes, verified]);
  await cluster.balancer.settled();
  once([...states, state]);
});

test("a node that nothing can bring in stays out, and says why and what to do", async (t) => {
  const cluster = await startCluster(t, 1);
  await writeSome(cluster.balancer, 2);
  const node = await startNode(t);
  await cluster.balancer.reload({
    nodes: [...cluster.listed, { name: "new", url: node.url, empty: false } as never],
  });
  const { bootstrap, state } = await until(async () => {
    const now = await cluster.balancer.node("new");
    return now.bootstrap === null ? null : now;
  });
  assert.match(
    String(bootstrap),
    /not declared empty.*no snapshot; lbctl nodes resync new --from DONOR --manual/,
  );
  assert.deepEqual([state, node.log.length], ["joining", 0]);
});

test("a resync gives a quarantined node the donor's state, never a replay on top of its own", async (t) => {
  const { balancer, nodes } = await startCluster(t, 3, SNAPSHOT);
  const states = nodes.map((node, index) =>
    keepState(node, {
      override: (arrival) => (index === 2 && userOf(arrival) === "odd" ? { status: 409 } : null),
    }),
  );
  await writeSome(balancer, 5);
  await register(balancer, "odd");
  await balancer.reached("app3", "quarantined");
  await balancer.admin("/api/nodes/app3/resync", "POST", {});
  await balancer.settled();
  assert.equal(states[2]?.taken, 1);
  once(states);
});

test("a node whose state is unknown is not replayed to after a restart either", async (t) => {
  const { balancer, nodes } = await startCluster(t, 2, SNAPSHOT);
  const never = gate();
  const states = nodes.map((node, index) =>
    keepState(
      node,
      index === 0
        ? { slow: never }
        : { override: (arrival) => (userOf(arrival) === "odd" ? { status: 409 } : null) },
    ),
  );
  await writeSome(balancer, 5);
  await register(balancer, "odd");
  await balancer.reached("app2", "quarantined");
  await balancer.admin("/api/nodes/app2/resync", "POST", {});
  await balancer.reached("app2", "joining");
  await until(() => nodes[0]?.log.some(({ url }) => url === "/lb/snapshot"));
  await balancer.kill9();
  never.open();
  const count = writesAt(nodes[1] as TestNode).length;
  await balancer.start();
  assert.equal(states[1]?.taken, 1, "a snapshot brought it in");
  assert.equal(writesAt(nodes[1] as TestNode).length, count);
  once(states);
});

test("a snapshot waits for a write that is set aside: its donor does not have it, and the new node would never get it", async (t) => {
  const writes = { maxAttempts: 2, attemptTimeout: "300ms", sendTimeout: "200ms", ackTimeout: "700ms" };
  const cluster = await startCluster(t, 2, { ...SNAPSHOT, writes });
  const { balancer } = cluster;
  let poisoned = true;
  const states = cluster.nodes.map((node) =>
    keepState(node, {
      override: (arrival) => (poisoned && userOf(arrival) === "poison" ? { fault: "reset" } : null),
    }),
  );
  await register(balancer, "poison", key("k1"));
  for (let n = 0; !(await balancer.write(1)).setAside; n++) await register(balancer, `other${n}`);
  const { state } = await addUsed(t, cluster, { config: { ...SNAPSHOT, writes } });
  await until(async () => /write 1 is set aside/.test(String((await balancer.node("new")).bootstrap)));
  poisoned = false;
  await balancer.admin("/api/writes/1/retry", "POST");
  await balancer.settled();
  assert.ok([...states, state].every(({ users }) => users.get("poison") === 1));
  once([...states, state]);
});

test("a node that fell so far behind that the journal no longer has what it missed gets a snapshot", async (t) => {
  const cluster = await startCluster(t, 2, {
    ...SNAPSHOT,
    journal: { maxSize: "1MiB", retention: "1s" },
    limits: { body: "256KiB" },
    writes: { idempotencyWindow: "1s" },
  });
  const { balancer, nodes } = cluster;
  const states = nodes.map((node) => keepState(node));
  await nodes[1]?.stop();
  await balancer.reached("app2", "down");
  let accepted = 0;
  await until(
    async () => {
      const headers = { "content-type": "application/x-www-form-urlencoded" };
      const body = `username=u${accepted}&x=${"x".repeat(120_000)}`;
      if ((await ask(balancer.url, { method: "POST", path: "/register", headers, body })).status === 201)
        accepted++;
      return accepted >= 15;
    },
    { timeout: 20_000 },
  );
  await nodes[1]?.restart();
  await balancer.settled();
  assert.equal(states[1]?.taken, 1);
  once(states);
});
