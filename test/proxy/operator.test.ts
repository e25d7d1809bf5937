import assert from "node:assert/strict";
import { test } from "node:test";
import type { WriteStory } from "../../proxy/api.ts";
import { arrived, gate, readsAt, seqsAt, startCluster, userOf, writesAt } from "../support/bare-cluster.ts";
import { read, register } from "../support/client.ts";
import type { TestNode } from "../support/nodes.ts";
import { until } from "../support/wait.ts";

const POST = "POST";

test("drain: no new reads, reads in flight end, writes still arrive; ready brings it back", async (t) => {
  const { balancer, nodes } = await startCluster(t, 2);
  const held = gate();
  nodes[0]?.behave(({ method }) => (method === "GET" ? held.answers({ body: "late" })({} as never) : {}));
  const inFlight = read(balancer);
  await until(() => readsAt(nodes[0] as TestNode) === 1);
  const { state } = await balancer.admin<{ state: string }>("/api/nodes/app1/drain", POST);
  assert.equal(state, "draining");
  for (let n = 0; n < 4; n++) await read(balancer);
  assert.deepEqual(nodes.map(readsAt), [1, 4]);
  await register(balancer, "ada");
  await until(async () => (await balancer.node("app1")).lag === 0);
  assert.deepEqual(seqsAt(nodes[0] as TestNode), [1]);
  held.open();
  assert.equal((await inFlight).body, "late");
  await balancer.admin("/api/nodes/app1/ready", POST);
  assert.equal((await balancer.node("app1")).state, "in-sync");
});

test("drain: a draining node that is down and comes up again gets what it missed, without waiting for a new write", async (t) => {
  const { balancer, nodes } = await startCluster(t, 2);
  await balancer.admin("/api/nodes/app1/drain", POST);
  await nodes[0]?.stop();
  await until(async () => (await balancer.node("app1")).lastCheck?.ok === false);
  await register(balancer, "ada");
  await nodes[0]?.restart();
  await until(async () => (await balancer.node("app1")).lag === 0, { what: "the draining node to catch up" });
  assert.equal((await balancer.node("app1")).state, "draining");
});

test("maint: nothing is sent at all; ready lets it catch up first", async (t) => {
  const { balancer, nodes } = await startCluster(t, 2);
  await balancer.admin("/api/nodes/app1/maint", POST);
  for (const name of ["ada", "bob"]) await register(balancer, name);
  await read(balancer);
  assert.equal(nodes[0]?.begun, 0);
  await balancer.admin("/api/nodes/app1/ready", POST);
  await balancer.settled();
  assert.deepEqual(seqsAt(nodes[0] as TestNode), [1, 2]);
});

test("drain and maint of the last in-sync node are refused, unless forced", async (t) => {
  const { balancer } = await startCluster(t, 2);
  await balancer.admin("/api/nodes/app1/drain", POST);
  for (const what of ["drain", "maint"]) {
    await assert.rejects(balancer.admin(`/api/nodes/app2/${what}`, POST), /409.*last_in_sync/s);
  }
  assert.equal((await read(balancer)).status, 200);
  await balancer.admin("/api/nodes/app2/maint?force=1", POST);
  assert.equal((await read(balancer)).code, "no_in_sync_node");
  for (const name of ["app1", "app2"]) await balancer.admin(`/api/nodes/${name}/ready`, POST);
  await balancer.settled();
});

test("draining and maint outlive kill -9", async (t) => {
  const { balancer } = await startCluster(t, 3);
  await balancer.admin("/api/nodes/app1/drain", POST);
  await balancer.admin("/api/nodes/app2/maint", POST);
  await balancer.kill9();
  await balancer.start("listening");
  await balancer.reached("app3", "in-sync");
  const states = (await balancer.status()).nodes.map(({ state }) => state);
  assert.deepEqual(states, ["draining", "maint", "in-sync"]);
});

test("ready, drain and maint of a quarantined node are refused, unless forced", async (t) => {
  const { balancer, nodes } = await startCluster(t, 3);
  nodes[0]?.behave({ status: 409 });
  await register(balancer, "ada");
  await balancer.reached("app1", "quarantined");
  for (const what of ["ready", "drain", "maint"]) {
    await assert.rejects(
      balancer.admin(`/api/nodes/app1/${what}`, POST),
      /409.*quarantined.*diverged at write 1/s,
    );
  }
  await balancer.admin("/api/nodes/app1/ready?force=1", POST);
  await balancer.settled();
});

test("unknown nodes and writes are 404 with what there is", async (t) => {
  const { balancer } = await startCluster(t, 1);
  await assert.rejects(balancer.admin("/api/nodes/nope/drain", POST), /404.*unknown_node.*app1/s);
  await assert.rejects(balancer.admin("/api/writes/7"), /404.*unknown_write/s);
  await assert.rejects(balancer.admin("/api/writes/0"), /40[04]/);
});

test("resync without a donor, without a snapshot, or of the last in-sync node is refused, and nothing changes", async (t) => {
  const one = await startCluster(t, 1);
  await assert.rejects(one.balancer.admin("/api/nodes/app1/resync", POST, {}), /409.*no_donor/s);
  const two = await startCluster(t, 2);
  await assert.rejects(
    two.balancer.admin("/api/nodes/app1/resync", POST, {}),
    /409.*no_bootstrap.*--manual/s,
  );
  await assert.rejects(
    two.balancer.admin("/api/nodes/app1/resync", POST, { from: "app1" }),
    /409.*no_donor/s,
  );
  await assert.rejects(two.balancer.admin("/api/nodes/app1/resync/done", POST), /409.*not_resyncing/s);
  for (const { balancer } of [one, two]) {
    assert.ok((await balancer.status()).nodes.every(({ state }) => state === "in-sync"));
  }
});

test("retry and skip of a write that is not set aside are refused", async (t) => {
  const { balancer } = await startCluster(t, 1);
  await register(balancer, "ada");
  for (const what of ["retry", "skip"]) {
    await assert.rejects(balancer.admin(`/api/writes/1/${what}`, POST), /409.*not_set_aside/s);
    await assert.rejects(balancer.admin(`/api/writes/9/${what}`, POST), /404.*unknown_write/s);
  }
});

test("writes list: what waits for a node, with who acked it; all of them when asked", async (t) => {
  const { balancer, nodes } = await startCluster(t, 2);
  await register(balancer, "ada");
  await balancer.settled();
  await nodes[1]?.stop();
  await register(balancer, "bob");
  const pending = await until(async () => {
    const found = await balancer.admin<WriteStory[]>("/api/writes?pending=1&limit=100");
    return found[0]?.acks.length === 1 ? found : null;
  });
  assert.deepEqual(
    pending.map(({ seq, acks }) => [seq, acks.map(({ node }) => node)]),
    [[2, ["app1"]]],
  );
  const all = await balancer.admin<WriteStory[]>("/api/writes?pending=0&limit=100");
  assert.deepEqual(
    all.map(({ seq }) => seq),
    [1, 2],
  );
});

test("skip lets the writes behind it go on, and counts as no answer of any node", async (t) => {
  const { balancer, nodes } = await startCluster(t, 2, {
    writes: { maxAttempts: 2, attemptTimeout: "300ms", sendTimeout: "200ms", ackTimeout: "700ms" },
  });
  for (const node of nodes)
    node.behave((arrival) =>
      userOf(arrival) === "ada" && arrival.body.includes("ada") ? { fault: "reset" } : {},
    );
  await register(balancer, "ada");
  const behind = register(balancer, "ada");
  for (let n = 0; !(await balancer.write(1)).setAside; n++) await register(balancer, `other${n}`);
  await behind;
  for (const node of nodes) node.behave({});
  const story = await balancer.admin<WriteStory>("/api/writes/1/skip", POST);
  assert.deepEqual([story.setAside, story.acks], [false, []]);
  await balancer.settled();
  for (const node of nodes) assert.ok(seqsAt(node).includes(2));
  assert.equal((await balancer.status()).totals.divergent, 0);
  await assert.rejects(balancer.admin("/api/writes/1/retry", POST), /409.*not_set_aside/s);
});

test("a node that is drained while a write waits for it is waited for no longer, and gets it all the same", async (t) => {
  const { balancer, nodes } = await startCluster(t, 2, {
    writes: { sendTimeout: "5s", ackTimeout: "9s", attemptTimeout: "10s" },
  });
  const held = gate();
  nodes[0]?.behave(held.answers());
  const reply = register(balancer, "ada");
  await arrived(nodes[0] as TestNode, 1);
  await balancer.admin("/api/nodes/app1/drain", POST);
  assert.equal((await reply).headers["lb-acks"], "app1=draining, app2=200");
  held.open();
  await until(async () => (await balancer.node("app1")).lag === 0);
  assert.equal(writesAt(nodes[0] as TestNode).length, 1);
});

test("verify compares all nodes at one seq, and is right under load", async (t) => {
  const { balancer, nodes } = await startCluster(t, 3, { app: { digest: "/lb/digest" } });
  for (const node of nodes) {
    const seen = new Set<string>();
    node.behave((arrival) => {
      if (arrival.url === "/lb/digest")
        return { body: JSON.stringify({ digest: [...seen].toSorted().join() }) };
      if (arrival.method === "POST") seen.add(userOf(arrival));
      return {};
    });
  }
  let stopped = false;
  const load = (async () => {
    for (let n = 0; !stopped; n++) await register(balancer, `user${n}`);
  })();
  await until(async () => (await balancer.status()).head > 5);
  for (let round = 0; round < 3; round++) {
    const report = await balancer.admin<{
      equal: boolean;
      nodes: { cursor: number; digest: string }[];
      head: number;
    }>("/api/verify", POST);
    assert.equal(report.equal, true);
    assert.deepEqual(new Set(report.nodes.map(({ cursor }) => cursor)), new Set([report.head]));
  }
  stopped = true;
  await load;
  nodes[2]?.behave({ body: JSON.stringify({ digest: "other" }) });
  assert.equal((await balancer.admin<{ equal: boolean }>("/api/verify", POST)).equal, false);
});
