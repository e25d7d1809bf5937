import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { VerifyReport } from "../../proxy/api.ts";
import {
  arrived,
  type BareCluster,
  gate,
  header,
  seqsAt,
  startCluster,
  userOf,
  writesAt,
} from "../support/bare-cluster.ts";
import { ask, key, register } from "../support/client.ts";
import { startNode, type TestNode } from "../support/nodes.ts";
import { digestOf, keepState, type State } from "../support/stateful-node.ts";
import { until } from "../support/wait.ts";

const SNAPSHOT = { app: { snapshot: "/lb/snapshot", digest: "/lb/digest" } };

async function writeSome(balancer: { url: string }, count: number, prefix = "u"): Promise<void> {
  const replies = await Promise.all(
    Array.from({ length: count }, (_, n) => register(balancer, `${prefix}${n}`)),
  );
  assert.ok(
    replies.every(({ status }) => status < 300),
    JSON.stringify(replies.map(({ status }) => status)),
  );
}

/** Adds a node that holds state already, so that only a snapshot can bring it in. */
async function addUsed(
  t: TestContext,
  { balancer, listed }: BareCluster,
  config = {},
): Promise<{ node: TestNode; state: State }> {
  const node = await startNode(t);
  const state = keepState(node);
  await balancer.reload({
    nodes: [...listed, { name: "new", url: node.url, empty: false } as never],
    config: { ...SNAPSHOT, ...config },
  });
  return { node, state };
}

function once(states: readonly State[]): void {
  for (const { users } of states) for (const [user, times] of users) assert.equal(times, 1, user);
  assert.equal(new Set(states.map(digestOf)).size, 1);
}

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

test("a node that is not declared empty gets a snapshot, and writes go on meanwhile", async (t) => {
  const cluster = await startCluster(t, 2, SNAPSHOT);
  const slow = gate();
  const states = cluster.nodes.map((node, index) => keepState(node, index === 0 ? { slow } : {}));
  await writeSome(cluster.balancer, 10);
  const { node, state } = await addUsed(t, cluster);
  await until(() => cluster.nodes[0]?.log.some(({ url }) => url === "/lb/snapshot"));
  // The donor's deliveries pause until its copy is fixed; these go to the other node meanwhile.
  const writes = writeSome(cluster.balancer, 5, "meanwhile");
  await until(() => seqsAt(cluster.nodes[1] as TestNode).length === 15);
  assert.equal(seqsAt(cluster.nodes[0] as TestNode).length, 10);
  slow.open();
  await writes;
  await writeSome(cluster.balancer, 5, "after");
  await cluster.balancer.settled();
  assert.deepEqual([state.taken, state.users.size], [1, 20]);
  assert.equal(Math.min(...seqsAt(node)), 11, "what the snapshot holds is not sent");
  once([...states, state]);
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

test("a snapshot that fails is tried again, and the reason is shown", async (t) => {
  const cluster = await startCluster(t, 1, SNAPSHOT);
  let refusals = 0;
  const state = keepState(cluster.nodes[0] as TestNode, {
    override: ({ url }) => (url === "/lb/snapshot" && refusals++ < 1 ? { status: 500 } : null),
  });
  await writeSome(cluster.balancer, 3);
  const added = await addUsed(t, cluster);
  await until(async () =>
    /expected 200 from GET \/lb\/snapshot of app1, got 500/.test(
      String((await cluster.balancer.node("new")).bootstrap),
    ),
  );
  await cluster.balancer.reached("new", "in-sync");
  once([state, added.state]);
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

test("a manual resync holds the donor at a seq, and goes on from there when the copy is in place", async (t) => {
  const cluster = await startCluster(t, 2);
  const { balancer, nodes } = cluster;
  const states = nodes.map((node) => keepState(node));
  await writeSome(balancer, 6);
  const added = await startNode(t);
  const state = keepState(added);
  await balancer.reload({
    nodes: [...cluster.listed, { name: "new", url: added.url, empty: false } as never],
  });
  await balancer.reached("new", "joining");
  const { from, seq } = await balancer.admin<{ from: string; seq: number }>("/api/nodes/new/resync", "POST", {
    manual: true,
    from: "app2",
  });
  assert.deepEqual([from, seq], ["app2", 6]);
  const writes = writeSome(balancer, 4, "meanwhile");
  await until(() => seqsAt(nodes[0] as TestNode).length === 10);
  assert.equal(seqsAt(nodes[1] as TestNode).length, 6);
  state.users = new Map(states[1]?.users);
  await balancer.admin("/api/nodes/new/resync/done", "POST");
  await writes;
  await balancer.settled();
  assert.deepEqual(
    seqsAt(added).toSorted((a, b) => a - b),
    [7, 8, 9, 10],
  );
  once([...states, state]);
});

test("a manual resync of a node that was declared empty is not undercut by a replay", async (t) => {
  const { balancer, nodes } = await startCluster(t, 3);
  const states = nodes.map((node, index) =>
    keepState(node, {
      override: (arrival) => (index === 2 && userOf(arrival) === "odd" ? { status: 409 } : null),
    }),
  );
  await writeSome(balancer, 3);
  await register(balancer, "odd");
  await balancer.reached("app3", "quarantined");
  await balancer.admin("/api/nodes/app3/resync", "POST", { manual: true, from: "app1" });
  const count = writesAt(nodes[2] as TestNode).length;
  await writeSome(balancer, 3, "more").catch(() => null);
  assert.equal(writesAt(nodes[2] as TestNode).length, count, "nothing is sent before the copy is in place");
  (states[2] as State).users = new Map(states[0]?.users);
  await balancer.admin("/api/nodes/app3/resync/done", "POST");
  await balancer.settled();
  once(states);
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
  const { state } = await addUsed(t, cluster, { writes });
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

test("a reference node whose donor is killed during the copy gets it from another", async (t) => {
  const cluster = await startCluster(t, 3, SNAPSHOT);
  const never = gate();
  const states = cluster.nodes.map((node, index) => keepState(node, index === 0 ? { slow: never } : {}));
  await writeSome(cluster.balancer, 5);
  const { state } = await addUsed(t, cluster);
  await until(() => cluster.nodes[0]?.log.some(({ url }) => url === "/lb/snapshot"));
  await cluster.nodes[0]?.stop();
  await cluster.balancer.reached("new", "in-sync");
  once([...states.slice(1), state]);
});
