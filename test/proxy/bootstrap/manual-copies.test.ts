import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import type { ResyncStarted } from "../../../proxy/api.ts";
import {
  arrived,
  type BareCluster,
  type Gate,
  gate,
  seqsAt,
  startCluster,
  userOf,
  writesAt,
} from "../../support/bare-cluster.ts";
import { register } from "../../support/client.ts";
import { addUsed, noted, once, SNAPSHOT, snapshotsAt, writeSome } from "../../support/newcomer.ts";
import { startNode, type TestNode } from "../../support/nodes.ts";
import { keepState, type State } from "../../support/stateful-node.ts";
import { until } from "../../support/wait.ts";

const POST = "POST";

type Balancer = BareCluster["balancer"];

function manual(balancer: Balancer, name: string, from: string): Promise<ResyncStarted> {
  return balancer.admin(`/api/nodes/${name}/resync`, POST, { manual: true, from });
}

function done(balancer: Balancer, name: string): Promise<unknown> {
  return balancer.admin(`/api/nodes/${name}/resync/done`, POST);
}

/** The operator's copy: `to` holds what `from` does. */
function copy(from: State | undefined, to: State | undefined): void {
  if (to !== undefined) to.users = new Map(from?.users);
}

interface Stateful extends BareCluster {
  readonly states: readonly State[];
}

/** Slow enough that a node which holds back its answer stays in-sync. */
const PATIENT = { writes: { sendTimeout: "20s", ackTimeout: "25s", attemptTimeout: "25s" } };

/** Nodes that have five writes; app1 refuses `odd`; those in `slow` answer `odd` and `slow` when its gate is open. */
async function startStateful(
  t: TestContext,
  count: number,
  config = {},
  slow: { gate: Gate; at: readonly number[] } = { gate: gate(), at: [] },
): Promise<Stateful> {
  const cluster = await startCluster(t, count, config);
  const states = cluster.nodes.map((node, index) =>
    keepState(node, {
      override: async (arrival) => {
        const user = userOf(arrival);
        if (user === "odd" && index === 0) return { status: 409 };
        if (["odd", "slow"].includes(user) && slow.at.includes(index)) await slow.gate.answers()(arrival);
        return null;
      },
    }),
  );
  await writeSome(cluster.balancer, 5);
  return { ...cluster, states };
}

test("a manual resync holds the donor at a seq, and goes on from there when the copy is in place", async (t) => {
  const cluster = await startStateful(t, 2);
  const { balancer, nodes, states } = cluster;
  const { node, state } = await addUsed(t, cluster, { config: {} });
  await balancer.reached("new", "joining");
  const { from, seq } = await manual(balancer, "new", "app2");
  assert.deepEqual([from, seq], ["app2", 5]);
  const writes = writeSome(balancer, 4, "meanwhile");
  await until(() => seqsAt(nodes[0] as TestNode).length === 9);
  assert.equal(seqsAt(nodes[1] as TestNode).length, 5);
  copy(states[1], state);
  await done(balancer, "new");
  await writes;
  await balancer.settled();
  assert.deepEqual(
    seqsAt(node).toSorted((a, b) => a - b),
    [6, 7, 8, 9],
  );
  once([...states, state]);
});

test("a donor that is held is shown as that, and the operator is told that writes wait where it is the only one", async (t) => {
  const { balancer } = await startCluster(t, 3);
  assert.doesNotMatch((await manual(balancer, "app2", "app1")).next, /until then/);
  const { held } = await balancer.node("app1");
  assert.deepEqual(held, { at: 0, for: ["app2"] });
  assert.match(
    (await manual(balancer, "app3", "app1")).next,
    /no other node is in-sync: until then every write waits/,
  );
  assert.deepEqual((await balancer.node("app1")).held?.for, ["app2", "app3"]);
  for (const name of ["app2", "app3"]) await done(balancer, name);
  await until(async () => (await balancer.node("app1")).held === null);
});

test("a manual resync of a node that was declared empty is not undercut by a replay", async (t) => {
  const { balancer, nodes, states } = await startStateful(t, 3);
  await register(balancer, "odd");
  await balancer.reached("app1", "quarantined");
  await manual(balancer, "app1", "app2");
  const count = writesAt(nodes[0] as TestNode).length;
  await writeSome(balancer, 3, "more").catch(() => null);
  assert.equal(writesAt(nodes[0] as TestNode).length, count, "nothing is sent before the copy is in place");
  copy(states[1], states[0]);
  await done(balancer, "app1");
  await balancer.settled();
  once(states);
});

test("two manual resyncs of one node at once: one of them holds its donor, and neither does for good", async (t) => {
  // Both donors have to be waited for.
  const slow = { gate: gate(), at: [0, 1] };
  const { balancer, nodes, states } = await startStateful(t, 4, PATIENT, slow);
  const waits = register(balancer, "slow");
  for (const node of nodes) await arrived(node, 6);
  const asked = [manual(balancer, "app4", "app1"), manual(balancer, "app4", "app2")];
  const all = Promise.allSettled(asked);
  await balancer.status();
  slow.gate.open();
  assert.ok((await all).some(({ status }) => status === "fulfilled"));
  await waits;
  copy(states[2], states[3]);
  await done(balancer, "app4");
  await assert.rejects(done(balancer, "app4"), /409.*not_resyncing/s);
  await writeSome(balancer, 5, "after");
  await balancer.settled();
  once(states);
});

test("a second manual resync of a node takes the place of the first, whose donor goes on", async (t) => {
  const { balancer, states } = await startStateful(t, 4);
  await manual(balancer, "app4", "app1");
  await writeSome(balancer, 5, "between");
  assert.equal((await manual(balancer, "app4", "app2")).seq, 10);
  await balancer.reached("app1", "in-sync");
  copy(states[1], states[3]);
  await done(balancer, "app4");
  await balancer.settled();
  once(states);
});

test("two nodes can be copied from one donor: both at the seq where it is held", async (t) => {
  const { balancer, nodes, states } = await startStateful(t, 4, PATIENT);
  const first = await manual(balancer, "app3", "app1");
  const waits = register(balancer, "between");
  await arrived(nodes[1] as TestNode, 6);
  const second = await manual(balancer, "app4", "app1");
  assert.deepEqual([first.seq, second.seq], [5, 5]);
  for (const state of [states[2], states[3]]) copy(states[0], state);
  await done(balancer, "app3");
  assert.equal(seqsAt(nodes[0] as TestNode).length, 5, "the other copy still holds it");
  await done(balancer, "app4");
  assert.equal((await waits).status, 201);
  await balancer.settled();
  once(states);
});

test("a donor that is held cannot be resynced itself: the refusal says what to do", async (t) => {
  const { balancer, states } = await startStateful(t, 4, SNAPSHOT);
  await manual(balancer, "app3", "app1");
  for (const how of [{}, { manual: true }]) {
    await assert.rejects(
      balancer.admin("/api/nodes/app1/resync", POST, { from: "app2", ...how }),
      /409.*donor_held.*app3.*ready/s,
    );
  }
  assert.equal((await balancer.node("app1")).state, "in-sync");
  await balancer.admin("/api/nodes/app3/ready", POST);
  await balancer.settled();
  assert.equal(states[2]?.taken, 1);
});

test("manual resyncs of two nodes from each other at once do not hold both", async (t) => {
  const { balancer, states } = await startStateful(t, 3, SNAPSHOT);
  await Promise.allSettled([manual(balancer, "app1", "app2"), manual(balancer, "app2", "app1")]);
  for (const name of ["app1", "app2"]) await balancer.admin(`/api/nodes/${name}/ready`, POST);
  await writeSome(balancer, 5, "after");
  await balancer.settled();
  once(states);
});

/** What ends a manual copy of app1 to app4, and what is then said of app4. */
const ENDS: readonly {
  readonly when: string;
  readonly act: (cluster: Stateful) => Promise<unknown>;
  readonly said: RegExp;
}[] = [
  {
    when: "the donor goes down",
    act: ({ nodes }) => (nodes[0] as TestNode).stop(),
    said: /app1 went down.*maint/,
  },
  {
    when: "the donor is removed",
    act: ({ balancer, listed }) => balancer.reload({ nodes: listed.slice(1) }),
    said: /app1 was removed/,
  },
  {
    when: "an operator says maint",
    act: ({ balancer }) => balancer.admin("/api/nodes/app4/maint", POST),
    said: /an operator said maint/,
  },
];

for (const { when, act, said } of ENDS) {
  test(`a manual copy is over when ${when}: the donor is let go, the node says why`, async (t) => {
    const cluster = await startStateful(t, 4);
    const { balancer, states } = cluster;
    await manual(balancer, "app4", "app1");
    await act(cluster);
    assert.match(await noted(balancer, "app4", said), /resync app4 --from DONOR --manual/);
    await assert.rejects(done(balancer, "app4"), /409.*not_resyncing/s);
    assert.equal((await balancer.node("app4")).state, "maint");
    // Whatever became of the donor, the node gets a sound copy of another.
    await manual(balancer, "app4", "app2");
    copy(states[1], states[3]);
    await done(balancer, "app4");
    await writeSome(balancer, 3, "after");
    await balancer.reached("app4", "in-sync");
    once([states[1], states[2], states[3]] as State[]);
  });
}

test("a manual copy is over when the donor turns out to have diverged before it", async (t) => {
  const slow = { gate: gate(), at: [2] };
  const { balancer, nodes, states } = await startStateful(t, 4, PATIENT, slow);
  const waits = register(balancer, "odd");
  await arrived(nodes[2] as TestNode, 6);
  assert.equal((await manual(balancer, "app4", "app1")).seq, 6);
  slow.gate.open();
  await waits;
  await noted(balancer, "app4", /app1 was quarantined: diverged at write 6/);
  await assert.rejects(done(balancer, "app4"), /409.*not_resyncing.*quarantined/s);
  assert.equal(states[0]?.users.has("odd"), false);
});

test("a manual copy whose donor was put in maint first goes on while the donor's app is stopped", async (t) => {
  const { balancer, nodes, states } = await startStateful(t, 3);
  await manual(balancer, "app3", "app1");
  await balancer.admin("/api/nodes/app1/maint", POST);
  await nodes[0]?.stop();
  await until(async () => (await balancer.node("app1")).lastCheck?.ok === false);
  copy(states[0], states[2]);
  await nodes[0]?.restart();
  await done(balancer, "app3");
  await balancer.admin("/api/nodes/app1/ready", POST);
  await balancer.settled();
  once(states);
});

test("a manual copy is over when its node is removed, or replaced by another of its name: the donor goes on", async (t) => {
  for (const what of ["removed", "replaced"]) {
    const { balancer, listed, nodes } = await startStateful(t, 3);
    await manual(balancer, "app3", "app1");
    const namesake = await startNode(t);
    const stay = listed.slice(0, 2);
    await balancer.reload({
      nodes: what === "removed" ? stay : [...stay, { name: "app3", url: namesake.url, empty: false }],
    });
    await writeSome(balancer, 3, "after");
    await balancer.reached("app1", "in-sync");
    await until(() => writesAt(nodes[0] as TestNode).length === 8);
    await assert.rejects(done(balancer, "app3"), /unknown_node|not_resyncing/);
  }
});

test("a manual copy is over when its node is said to be ready: it is brought in as any other", async (t) => {
  const { balancer, states } = await startStateful(t, 3, SNAPSHOT);
  await manual(balancer, "app3", "app1");
  await balancer.admin("/api/nodes/app3/ready", POST);
  await writeSome(balancer, 3, "after");
  await balancer.settled();
  assert.equal(states[2]?.taken, 1);
  await assert.rejects(done(balancer, "app3"), /409.*not_resyncing/s);
  once(states);
});

test("a manual copy is over when a resync from a snapshot is asked for: its old seq is never gone back to", async (t) => {
  const { balancer, states } = await startStateful(t, 3, SNAPSHOT);
  await manual(balancer, "app3", "app1");
  await balancer.admin("/api/nodes/app3/resync", POST, { from: "app2" });
  await writeSome(balancer, 3, "after");
  await balancer.settled();
  assert.deepEqual([states[1]?.given, states[2]?.taken], [1, 1]);
  await assert.rejects(done(balancer, "app3"), /409.*not_resyncing/s);
  once(states);
});

test("a manual resync ends the snapshot that is under way to the node", async (t) => {
  const cluster = await startStateful(t, 2, SNAPSHOT);
  const { balancer, states } = cluster;
  const { node, state } = await addUsed(t, cluster, {
    override: ({ method, url }) =>
      method === "PUT" && url === SNAPSHOT.app.snapshot ? { fault: "hang" } : null,
  });
  await until(() => snapshotsAt(node, "PUT") === 1);
  await manual(balancer, "new", "app2");
  // The cut came before the answer; both may be read in one turn, and the node hears of its end in the next.
  await turn();
  await turn();
  assert.equal(node.cut, 1, "the operator's copy does not meet another one");
  copy(states[1], state);
  await done(balancer, "new");
  await balancer.settled();
  once([...states, state]);
});

test("a manual resync waits for the writes on their way to the node before the operator may copy", async (t) => {
  const writes = { sendTimeout: "300ms", ackTimeout: "700ms", attemptTimeout: "20s" };
  const { balancer, nodes, states } = await startStateful(t, 3, { writes });
  const late = gate();
  states[2]?.users.clear();
  const target = keepState(nodes[2] as TestNode, {
    override: async (arrival) => {
      await late.answers()(arrival);
      return null;
    },
  });
  await register(balancer, "late");
  await balancer.reached("app3", "catching-up");
  let answered = false;
  const asked = manual(balancer, "app3", "app1").then((started) => {
    answered = true;
    return started;
  });
  await noted(balancer, "app3", /waits for the writes on their way to it/);
  assert.equal(answered, false);
  late.open();
  await asked;
  assert.equal(target.users.get("late"), 1);
  copy(states[0], target);
  await done(balancer, "app3");
  await balancer.settled();
  once([states[0], states[1], target] as State[]);
});

test("a manual resync whose donor cannot be held changes nothing at the node", async (t) => {
  const { balancer, nodes } = await startStateful(t, 3, PATIENT, { gate: gate(), at: [0] });
  const waits = register(balancer, "slow");
  for (const node of nodes) await arrived(node, 6);
  const refused = assert.rejects(manual(balancer, "app3", "app1"), /409.*(app1 went down|no_donor)/s);
  await balancer.status();
  await nodes[0]?.stop();
  await refused;
  assert.equal((await waits).status, 201);
  const { state, bootstrap } = await balancer.node("app3");
  assert.deepEqual([state, bootstrap], ["in-sync", null]);
});

test("a manual copy that is forgotten ends: an alarm, and the node says that the copy is too old", async (t) => {
  const { balancer, states } = await startStateful(t, 3, { limits: { manualCopyTimeout: "1s" } });
  await manual(balancer, "app3", "app1");
  assert.match(
    await noted(balancer, "app3", /too old/),
    /1s.*limits.manualCopyTimeout.*resync app3 --from DONOR --manual/,
  );
  await balancer.logged(/a manual copy was not done in time.*"msg":"alarm"/);
  await assert.rejects(done(balancer, "app3"), /409.*not_resyncing.*too old/s);
  await writeSome(balancer, 3, "after");
  await balancer.reached("app1", "in-sync");
  once(states.slice(0, 2));
});

test("the balancer stops at once while a donor is held", async (t) => {
  const { balancer } = await startStateful(t, 3);
  await manual(balancer, "app3", "app1");
  assert.equal(await balancer.stop(), 0);
});
