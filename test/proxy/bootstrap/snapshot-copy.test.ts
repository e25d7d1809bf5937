import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import {
  arrived,
  type BareCluster,
  gate,
  seqsAt,
  startCluster,
  userOf,
  writesAt,
} from "../../support/bare-cluster.ts";
import { ask, register } from "../../support/client.ts";
import { addUsed, noted, once, SNAPSHOT, snapshotsAt, writeSome } from "../../support/newcomer.ts";
import { type Arrival, type Reaction, startNode, type TestNode } from "../../support/nodes.ts";
import { keepState, type Override, type State } from "../../support/stateful-node.ts";
import { until } from "../../support/wait.ts";

const POST = "POST";
const PUT = `PUT ${SNAPSHOT.app.snapshot}`;

const isSnapshot =
  (method: string) =>
  (arrival: Pick<Arrival, "method" | "url">): boolean =>
    arrival.method === method && arrival.url === SNAPSHOT.app.snapshot;
const isGet = isSnapshot("GET");
const isPut = isSnapshot("PUT");

/** Reacts so to the first request that fits, and as usual to the others. */
function first(fits: (arrival: Arrival) => boolean, reaction: Reaction): Override {
  let done = false;
  return (arrival) => {
    if (done || !fits(arrival)) return null;
    done = true;
    return reaction;
  };
}

interface Three extends BareCluster {
  readonly states: readonly [State, State, State];
}

/** Three nodes that have five writes; app1, the first donor, does otherwise where `donor` says so. */
async function startThree(t: TestContext, donor: Override = () => null, config = {}): Promise<Three> {
  const cluster = await startCluster(t, 3, { ...SNAPSHOT, ...config });
  const [one, two, three] = cluster.nodes as [TestNode, TestNode, TestNode];
  const states = [keepState(one, { override: donor }), keepState(two), keepState(three)] as const;
  await writeSome(cluster.balancer, 5);
  return { ...cluster, states };
}

const diverges: Override = (arrival) => (userOf(arrival) === "odd" ? { status: 409 } : null);

test("a node that is not declared empty gets a snapshot, and writes go on meanwhile", async (t) => {
  const cluster = await startCluster(t, 2, SNAPSHOT);
  const slow = gate();
  const states = cluster.nodes.map((node, index) => keepState(node, index === 0 ? { slow } : {}));
  await writeSome(cluster.balancer, 10);
  const { node, state } = await addUsed(t, cluster);
  await until(() => snapshotsAt(cluster.nodes[0], "GET") === 1);
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

for (const [what, donor, put] of [
  ["the node has all of it", diverges, { fault: "hang" }],
  ["half of it is on its way", first(isGet, { fault: "stall", body: "x".repeat(1000) }), null],
] as const) {
  test(`a donor that is quarantined during the copy ends it, and the next try takes another: ${what}`, async (t) => {
    const both: Override = async (arrival) => diverges(arrival) ?? (await donor(arrival));
    const { balancer, nodes, states, ...rest } = await startThree(t, both);
    const { node, state } = await addUsed(
      t,
      { balancer, nodes, ...rest },
      put === null ? {} : { override: first(isPut, put) },
    );
    await until(() => node.heads.includes(PUT), { what: "the PUT to begin" });
    if (put !== null) await until(() => snapshotsAt(node, "PUT") === 1);
    await register(balancer, "odd");
    await noted(balancer, "new", /app1 was quarantined: diverged at write 6.*tries again/);
    await until(() => node.cut === 1, { what: "the PUT under way to be cut" });
    assert.equal((await balancer.node("new")).state, "joining");
    await balancer.reached("new", "in-sync");
    assert.deepEqual([snapshotsAt(nodes[0], "GET"), states[1].given], [1, 1]);
    once([states[1], states[2], state]);
  });
}

for (const what of ["is removed", "is replaced by another of its name"]) {
  test(`a donor that ${what} during the copy ends it, and the next try takes another`, async (t) => {
    const { balancer, nodes, states, listed } = await startThree(t);
    const cluster = { balancer, nodes, listed };
    const { node, state } = await addUsed(t, cluster, { override: first(isPut, { fault: "hang" }) });
    await until(() => snapshotsAt(node, "PUT") === 1);
    const stays = [...listed.slice(1), { name: "new", url: node.url, empty: false }];
    const namesake = await startNode(t);
    keepState(namesake, { override: (arrival) => (isPut(arrival) ? { fault: "hang" } : null) });
    const replaced = { name: "app1", url: namesake.url, empty: false };
    await balancer.reload({
      nodes: what === "is removed" ? stays : [replaced, ...stays],
      config: SNAPSHOT,
    });
    await noted(balancer, "new", /app1 was removed.*tries again/);
    await until(() => node.cut === 1, { what: "the PUT under way to be cut" });
    await balancer.reached("new", "in-sync");
    assert.equal(snapshotsAt(nodes[0], "GET"), 1);
    assert.equal(snapshotsAt(namesake, "GET"), 0);
    once([states[1], states[2], state]);
  });
}

test("a donor that loses its history during the copy ends it, and the next try takes another", async (t) => {
  let stateId = "its own";
  const health = { path: "/healthz" };
  const donor: Override = ({ url }) => (url === "/healthz" ? { body: JSON.stringify({ stateId }) } : null);
  const three = await startThree(t, donor, { health });
  const { node, state } = await addUsed(t, three, {
    config: { ...SNAPSHOT, health },
    override: first(isPut, { fault: "hang" }),
  });
  await until(() => snapshotsAt(node, "PUT") === 1);
  await until(() => three.nodes[0]?.log.some(({ url }) => url === "/healthz"));
  stateId = "another disk's";
  await noted(three.balancer, "new", /app1 lost its history.*stateId changed.*tries again/);
  await until(() => node.cut === 1, { what: "the PUT under way to be cut" });
  await three.balancer.settled();
  assert.equal(snapshotsAt(three.nodes[0], "GET"), 1, "it has no history to give");
  once([...three.states, state]);
});

test("a node that is put in maint during its copy gets no more of it, and another copy when it is ready", async (t) => {
  const three = await startThree(t);
  const { node, state } = await addUsed(t, three, { override: first(isPut, { fault: "hang" }) });
  await until(() => snapshotsAt(node, "PUT") === 1);
  await three.balancer.admin("/api/nodes/new/maint", POST);
  await until(() => node.cut === 1, { what: "the PUT under way to be cut" });
  assert.equal((await three.balancer.node("new")).state, "maint");
  await three.balancer.admin("/api/nodes/new/ready", POST);
  await three.balancer.settled();
  assert.equal(state.taken, 1);
  once([...three.states, state]);
});

test("a resync that names another donor ends the copy under way; one that names none leaves it, and says whose it is", async (t) => {
  const three = await startThree(t);
  const { balancer } = three;
  const { node, state } = await addUsed(t, three, { override: first(isPut, { fault: "hang" }) });
  await until(() => snapshotsAt(node, "PUT") === 1);
  const resync = (body: object) => balancer.admin<{ from: string }>("/api/nodes/new/resync", POST, body);
  assert.deepEqual([(await resync({})).from, node.cut], ["app1", 0]);
  assert.equal((await resync({ from: "app3" })).from, "app3");
  await balancer.settled();
  assert.deepEqual([node.cut, snapshotsAt(three.nodes[2], "GET")], [1, 1]);
  once([...three.states, state]);
});

/** Slow enough that a node which holds back its answer stays in-sync. */
const PATIENT = { writes: { sendTimeout: "20s", ackTimeout: "25s", attemptTimeout: "25s" } };

test("a copy waits for the writes that are on their way to the node: none is carried out on top of it", async (t) => {
  const writes = { sendTimeout: "300ms", ackTimeout: "700ms", attemptTimeout: "20s" };
  const cluster = await startCluster(t, 3, { ...SNAPSHOT, writes });
  const late = gate();
  const states = cluster.nodes.map((node, index) =>
    keepState(node, {
      override: async (arrival) => {
        if (index === 2 && userOf(arrival) === "late") await late.answers()(arrival);
        return null;
      },
    }),
  );
  const target = cluster.nodes[2] as TestNode;
  await writeSome(cluster.balancer, 5);
  await register(cluster.balancer, "late");
  await cluster.balancer.reached("app3", "catching-up");
  await cluster.balancer.admin("/api/nodes/app3/resync", POST, {});
  await noted(cluster.balancer, "app3", /waits for the writes on their way to it/);
  await writeSome(cluster.balancer, 5, "more");
  assert.equal(writesAt(target).length, 6, "nothing new goes to it");
  assert.equal(snapshotsAt(cluster.nodes[0], "GET"), 0, "its donor is not held meanwhile");
  late.open();
  await cluster.balancer.settled();
  once(states);
});

test("a copy waits for what is on its way to the node by an earlier name", async (t) => {
  const cluster = await startCluster(t, 3, { ...SNAPSHOT, ...PATIENT });
  const late = gate();
  const states = cluster.nodes.map((node, index) =>
    keepState(node, {
      override: async (arrival) => {
        if (index === 2 && userOf(arrival) === "late") await late.answers()(arrival);
        return null;
      },
    }),
  );
  const url = cluster.listed[2]?.url ?? "";
  await writeSome(cluster.balancer, 5);
  const waits = register(cluster.balancer, "late");
  await arrived(cluster.nodes[2] as TestNode, 6);
  await cluster.balancer.reload({
    nodes: [...cluster.listed.slice(0, 2), { name: "renamed", url, empty: false }],
    config: { ...SNAPSHOT, ...PATIENT },
  });
  assert.equal((await waits).status, 201, "it is not waited for any more");
  await noted(cluster.balancer, "renamed", /waits for the writes on their way to it/);
  late.open();
  await cluster.balancer.settled();
  once(states);
});

test("a donor that breaks off half-way: the node takes nothing of that, and gets another copy", async (t) => {
  const three = await startThree(t, first(isGet, { fault: "half", body: "x".repeat(1_000_000) }));
  const { node, state } = await addUsed(t, three);
  await noted(three.balancer, "new", /snapshot failed/);
  await three.balancer.reached("new", "in-sync");
  assert.deepEqual([node.cut, state.taken], [1, 1]);
  once([...three.states, state]);
});

test("a donor whose answer does not say where it ends is not copied from: it might break off unnoticed", async (t) => {
  const three = await startThree(t, first(isGet, { unframed: true, body: "[]" }));
  const { state } = await addUsed(t, three);
  await noted(three.balancer, "new", /expected Content-Length or chunked from GET \/lb\/snapshot of app1/);
  await three.balancer.reached("new", "in-sync");
  assert.equal(state.taken, 1);
  once([...three.states, state]);
});

for (const [status, said] of [
  [507, /expected 2xx from PUT \/lb\/snapshot of new, got 507/],
  [204, /answered 204 before it had the whole snapshot/],
] as const) {
  test(`a node that answers ${status} while its snapshot still streams does not have it; the donor's connection is let go`, async (t) => {
    // More than the sockets on the way take up.
    const three = await startThree(t, first(isGet, { body: "x".repeat(64_000_000) }));
    const node = await startNode(t);
    const state = keepState(node);
    let early = true;
    node.interrupt((head) => {
      if (!isPut(head) || !early) return null;
      early = false;
      return { status };
    });
    await three.balancer.reload({
      nodes: [...three.listed, { name: "new", url: node.url, empty: false }],
      config: SNAPSHOT,
    });
    await noted(three.balancer, "new", said);
    await until(() => three.nodes[0]?.cut === 1, { what: "the donor's answer to be cut" });
    await three.balancer.reached("new", "in-sync");
    assert.equal(state.taken, 1);
    once([...three.states, state]);
  });
}

test("a snapshot that fails is tried again, and the reason is shown", async (t) => {
  const cluster = await startCluster(t, 1, SNAPSHOT);
  const state = keepState(cluster.nodes[0] as TestNode, { override: first(isGet, { status: 500 }) });
  await writeSome(cluster.balancer, 3);
  const added = await addUsed(t, cluster);
  await noted(cluster.balancer, "new", /expected 200 from GET \/lb\/snapshot of app1, got 500/);
  await cluster.balancer.reached("new", "in-sync");
  once([state, added.state]);
});

test("a donor that answers an error and never ends it does not hold up the next try", async (t) => {
  const three = await startThree(t, first(isGet, { status: 500, fault: "stall", body: "x".repeat(1000) }));
  const { state } = await addUsed(t, three);
  await three.balancer.reached("new", "in-sync");
  await until(() => three.nodes[0]?.cut === 1, { what: "the donor's answer to be cut" });
  once([...three.states, state]);
});

test("a node whose donor is killed during the copy gets it from another", async (t) => {
  const cluster = await startCluster(t, 3, SNAPSHOT);
  const never = gate();
  const states = cluster.nodes.map((node, index) => keepState(node, index === 0 ? { slow: never } : {}));
  await writeSome(cluster.balancer, 5);
  const { state } = await addUsed(t, cluster);
  await until(() => snapshotsAt(cluster.nodes[0], "GET") === 1);
  await cluster.nodes[0]?.stop();
  await cluster.balancer.reached("new", "in-sync");
  once([...states.slice(1), state]);
});

test("a journal that was purged beyond the snapshot meanwhile: the node gets a newer one", async (t) => {
  const config = {
    ...SNAPSHOT,
    journal: { maxSize: "1MiB", retention: "1s" },
    limits: { body: "256KiB" },
    writes: { idempotencyWindow: "1s" },
  };
  const cluster = await startCluster(t, 2, config);
  const states = cluster.nodes.map((node) => keepState(node));
  await writeSome(cluster.balancer, 5);
  const imported = gate();
  const { state } = await addUsed(t, cluster, {
    config,
    override: async (arrival) => {
      if (isPut(arrival)) await imported.answers()(arrival);
      return null;
    },
  });
  await until(() => state.taken + cluster.nodes.reduce((sum, node) => sum + snapshotsAt(node, "GET"), 0) > 0);
  // More than is kept in memory.
  let accepted = 0;
  await until(
    async () => {
      const headers = { "content-type": "application/x-www-form-urlencoded" };
      const body = `username=big${accepted}&x=${"x".repeat(240_000)}`;
      const { status } = await ask(cluster.balancer.url, { method: POST, path: "/register", headers, body });
      if (status === 201) accepted++;
      return accepted >= 50;
    },
    { timeout: 60_000, what: "50 writes of 240 kB through a journal of 1 MiB" },
  );
  imported.open();
  await cluster.balancer.settled();
  assert.equal(state.taken, 2);
  once([...states, state]);
});
