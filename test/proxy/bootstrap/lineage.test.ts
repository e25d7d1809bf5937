import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { Lineage } from "../../../proxy/bootstrap/lineage.ts";
import { UpstreamNode } from "../../../proxy/node.ts";
import {
  arrived,
  type BareCluster,
  type Gate,
  gate,
  startCluster,
  userOf,
} from "../../support/bare-cluster.ts";
import { register } from "../../support/client.ts";
import { addUsed, once, SNAPSHOT, writeSome } from "../../support/newcomer.ts";
import type { TestNode } from "../../support/nodes.ts";
import { keepState, type State } from "../../support/stateful-node.ts";
import { until } from "../../support/wait.ts";

const POST = "POST";

/** Slow enough that a node which holds back its answer stays in-sync. */
const PATIENT = {
  ...SNAPSHOT,
  writes: { sendTimeout: "20s", ackTimeout: "25s", attemptTimeout: "25s" },
};

/** Write 6 is `odd`: the node `differs` refuses it, and app3 answers when the gate is open. */
async function startOdd(
  t: TestContext,
  differs: number,
): Promise<BareCluster & { states: readonly State[]; late: Gate; odd: Promise<unknown> }> {
  const cluster = await startCluster(t, 3, PATIENT);
  const late = gate();
  const states = cluster.nodes.map((node, index) =>
    keepState(node, {
      override: async (arrival) => {
        if (userOf(arrival) !== "odd") return null;
        if (index === differs) return { status: 409 };
        if (index === 2) await late.answers()(arrival);
        return null;
      },
    }),
  );
  await writeSome(cluster.balancer, 5);
  const odd = register(cluster.balancer, "odd");
  await arrived(cluster.nodes[2] as TestNode, 6);
  await until(async () => (await cluster.balancer.write(6)).acks.length === 2);
  return { ...cluster, states, late, odd };
}

test("a donor that turns out later to have diverged before its copy: the copy's node gets another one's state", async (t) => {
  const cluster = await startOdd(t, 0);
  const { balancer, states, late, odd } = cluster;
  const { state } = await addUsed(t, cluster, { config: PATIENT });
  await balancer.reached("new", "in-sync");
  assert.deepEqual([states[0]?.given, state.users.has("odd")], [1, false]);
  late.open();
  await odd;
  await balancer.reached("app1", "quarantined");
  await until(() => state.taken === 2, { what: "a second snapshot" });
  await balancer.reached("new", "in-sync");
  await balancer.logged(/new.*its state is a copy of app1, which diverged at write 6/);
  once([...states.slice(1), state]);
});

test("a donor that diverged at a write behind its copy leaves that copy alone", async (t) => {
  const cluster = await startOdd(t, 9);
  const { balancer, states, late, nodes } = cluster;
  late.open();
  await balancer.settled();
  const { state } = await addUsed(t, cluster, { config: PATIENT });
  await balancer.settled();
  nodes[0]?.behave({ status: 409 });
  await register(balancer, "behind");
  await balancer.reached("app1", "quarantined");
  assert.deepEqual([(await balancer.node("new")).state, state.taken], ["in-sync", 1]);
  once([...states.slice(1), state]);
});

test("a donor whose state had been replaced before its copy, which is noticed after it: the copy goes, too", async (t) => {
  const health = { path: "/healthz", interval: "1s", timeout: "1s", fall: 100 };
  const cluster = await startCluster(t, 3, { ...SNAPSHOT, health });
  let told = { stateId: "its own", next: Promise.resolve() };
  const states = cluster.nodes.map((node, index) =>
    keepState(node, {
      override: async ({ url }) => {
        if (url !== "/healthz" || index > 0) return null;
        await told.next;
        return { body: JSON.stringify({ stateId: told.stateId }) };
      },
    }),
  );
  // Its first check tells whose state it was.
  await cluster.balancer.stop();
  await cluster.balancer.start();
  await writeSome(cluster.balancer, 5);
  const noticed = gate();
  told = {
    stateId: "a backup's",
    next: noticed
      .answers()({} as never)
      .then(() => {}),
  };
  states[0]?.users.delete("u4");
  const { state } = await addUsed(t, cluster, { config: { ...SNAPSHOT, health } });
  await cluster.balancer.reached("new", "in-sync");
  assert.deepEqual([states[0]?.given, state.users.size], [1, 4]);
  noticed.open();
  await until(() => state.taken === 2, { what: "a second snapshot" });
  await cluster.balancer.settled();
  await cluster.balancer.logged(/its state is a copy of app1, whose own had been replaced/);
  once([...states, state]);
});

test("the last in-sync node keeps the copy of a donor that diverged: an alarm instead", async (t) => {
  const cluster = await startOdd(t, 1);
  const { balancer, late } = cluster;
  const { state } = await addUsed(t, cluster, { config: PATIENT });
  await balancer.reached("new", "in-sync");
  await balancer.admin("/api/nodes/new/resync", POST, { from: "app2" });
  await until(() => state.taken === 2, { what: "a copy of app2" });
  await balancer.reached("new", "in-sync");
  await balancer.admin("/api/nodes/app1/maint", POST);
  // Nobody awaits its answer any more: app1's, whom the client would have been told, stands against app2's.
  await balancer.admin("/api/nodes/app3/drain", POST);
  await balancer.reached("app2", "quarantined");
  late.open();
  assert.equal((await balancer.node("new")).state, "in-sync");
  await balancer.logged(/would drop the state of the last in-sync node.*"msg":"alarm"/);
});

function nodes(...names: string[]): UpstreamNode[] {
  return names.map((name) => new UpstreamNode({ name, url: "http://127.0.0.1:1", empty: true }, () => {}));
}

/** As when a bootstrap ends. */
function copy(
  lineage: Lineage,
  node: UpstreamNode | undefined,
  donor: UpstreamNode | undefined,
  seq: number,
): void {
  assert.ok(node && donor);
  lineage.copied(node, donor, seq);
  node.copiedTo = seq;
}

test("heirs: what a donor made of a write before its copy, not what it made of one behind it", () => {
  const [a, b] = nodes("a", "b") as [UpstreamNode, UpstreamNode];
  const lineage = new Lineage();
  copy(lineage, b, a, 10);
  assert.deepEqual(lineage.heirs(a, 10, [a, b]), [b]);
  assert.deepEqual(lineage.heirs(a, 11, [a, b]), []);
  assert.deepEqual(lineage.heirs(b, 5, [a, b]), [], "it made nothing of that itself");
});

test("heirs: the copy of a copy, too", () => {
  const all = nodes("a", "b", "c");
  const [a, b, c] = all as [UpstreamNode, UpstreamNode, UpstreamNode];
  const lineage = new Lineage();
  copy(lineage, b, a, 10);
  copy(lineage, c, b, 20);
  assert.deepEqual(lineage.heirs(a, 10, all), [b, c]);
  assert.deepEqual(lineage.heirs(b, 15, all), [c]);
});

test("heirs: not of what the donor was before it was given another state itself", () => {
  const all = nodes("a", "b", "c");
  const [a, b, c] = all as [UpstreamNode, UpstreamNode, UpstreamNode];
  const lineage = new Lineage();
  copy(lineage, a, b, 10);
  copy(lineage, c, a, 20);
  assert.deepEqual(lineage.heirs(a, 5, all), []);
});

test("heirs: not of one whose state was made anew", () => {
  const [a, b] = nodes("a", "b") as [UpstreamNode, UpstreamNode];
  const lineage = new Lineage();
  copy(lineage, b, a, 10);
  lineage.replayed(b);
  assert.deepEqual(lineage.heirs(a, 5, [a, b]), []);
});
