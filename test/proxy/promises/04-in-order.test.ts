import assert from "node:assert/strict";
import { test } from "node:test";
import {
  arrived,
  gate,
  header,
  seqOf,
  seqsAt,
  startCluster,
  userOf,
  writesAt,
} from "../../support/bare-cluster.ts";
import { ask, barrier, register } from "../../support/client.ts";
import type { Arrival, Reaction, TestNode } from "../../support/nodes.ts";
import { until } from "../../support/wait.ts";

const PATIENT = { writes: { sendTimeout: "4s", ackTimeout: "8s", attemptTimeout: "6s" } };

/** Reacts by whose write it is. */
function byUser(reactions: Readonly<Record<string, (arrival: Arrival) => Reaction | Promise<Reaction>>>) {
  return (arrival: Arrival) => reactions[userOf(arrival)]?.(arrival) ?? {};
}

async function journaled(balancer: { status(): Promise<{ head: number }> }, head: number): Promise<void> {
  await until(async () => (await balancer.status()).head >= head, { what: `seq ${head} in the journal` });
}

function only(nodes: readonly TestNode[]): TestNode {
  const [node] = nodes;
  assert.ok(node);
  return node;
}

test("promise 4, in order: writes with one key go one at a time, others run beside them", async (t) => {
  const { balancer, nodes } = await startCluster(t, 1, PATIENT);
  const node = only(nodes);
  const held = gate();
  node.behave(byUser({ ada: held.answers() }));
  const first = register(balancer, "ada");
  await arrived(node, 1);
  const second = register(balancer, "ada");
  await journaled(balancer, 2);
  await Promise.all(["bob", "cyd", "dan"].map((name) => register(balancer, name)));
  assert.deepEqual(seqsAt(node), [1, 3, 4, 5], "ada's second write waits, those of others don't");
  held.open();
  await Promise.all([first, second]);
  assert.deepEqual(seqsAt(node).slice(4), [2]);
});

test("promise 4, in order: a key compares after normalization and case folding", async (t) => {
  const { balancer, nodes } = await startCluster(t, 1, PATIENT);
  const node = only(nodes);
  const held = gate();
  node.behave((arrival) => (arrival.index === 0 ? held.answers()(arrival) : {}));
  const first = register(balancer, "ﬁLIPÉ");
  await arrived(node, 1);
  const headers = { "content-type": "application/json" };
  const body = JSON.stringify({ username: "filipe\u0301" });
  const second = ask(balancer.url, { method: "POST", path: "/changePassword", headers, body });
  await journaled(balancer, 2);
  await register(balancer, "other");
  assert.deepEqual(seqsAt(node), [1, 3]);
  held.open();
  await Promise.all([first, second]);
  assert.deepEqual(seqsAt(node), [1, 3, 2]);
});

test("promise 4, in order: a failed attempt keeps the place of its write", async (t) => {
  const { balancer, nodes } = await startCluster(t, 2, PATIENT);
  const [steady, shaky] = nodes;
  let failures = 0;
  shaky?.behave(
    byUser({ ada: (arrival) => (seqOf(arrival) === 1 && failures++ < 3 ? { status: 503 } : {}) }),
  );
  await Promise.all([1, 2, 3, 4].map(() => register(balancer, "ada")));
  await balancer.settled();
  assert.deepEqual(seqsAt(steady as TestNode), [1, 2, 3, 4]);
  assert.deepEqual(seqsAt(shaky as TestNode), [1, 1, 1, 1, 2, 3, 4]);
});

test("promise 4, in order: a write without a readable key waits for all before it and holds all after it", async (t) => {
  const { balancer, nodes } = await startCluster(t, 1, PATIENT);
  const node = only(nodes);
  const [before, barred] = [gate(), gate()];
  node.behave((arrival) => {
    if (userOf(arrival) === "ada") return before.answers()(arrival);
    return arrival.body === "all" ? barred.answers()(arrival) : {};
  });
  const first = register(balancer, "ada");
  await arrived(node, 1);
  const rest = [register(balancer, "bob"), barrier(balancer)];
  await journaled(balancer, 3);
  rest.push(register(balancer, "cyd"));
  await journaled(balancer, 4);
  await arrived(node, 2);
  assert.equal(writesAt(node).length, 2, "the barrier waits for ada, cyd waits for the barrier");
  before.open();
  await arrived(node, 3);
  assert.deepEqual(seqsAt(node), [1, 2, 3]);
  barred.open();
  await Promise.all([first, ...rest]);
  assert.deepEqual(seqsAt(node), [1, 2, 3, 4]);
});

for (const [what, type, body] of [
  ["a repeated field", "application/x-www-form-urlencoded", "username=ada&username=bob"],
  ["a missing field", "application/x-www-form-urlencoded", "user=ada"],
  ["a field that is no string", "application/json", '{"username":7}'],
  ["a repeated member", "application/json", '{"username":"ada","username":"bob"}'],
] as const) {
  test(`promise 4, in order: ${what} makes the write a barrier`, async (t) => {
    const { balancer, nodes } = await startCluster(t, 1, PATIENT);
    const node = only(nodes);
    const held = gate();
    node.behave((arrival) => (arrival.index === 0 ? held.answers()(arrival) : {}));
    const first = ask(balancer.url, {
      method: "POST",
      path: "/register",
      headers: { "content-type": type },
      body,
    });
    await arrived(node, 1);
    const second = register(balancer, "zoe");
    await journaled(balancer, 2);
    assert.deepEqual([(await balancer.write(1)).keyHash, writesAt(node).length], [null, 1]);
    held.open();
    await Promise.all([first, second]);
  });
}

test("promise 4, in order: the second write of a key is not sent while an attempt at the first is still under way", async (t) => {
  // app2 has answered 500 twice and runs a third attempt when app1 comes to its second: they agree on the error.
  const { balancer, nodes } = await startCluster(t, 2, PATIENT);
  const [slow, fast] = nodes as [TestNode, TestNode];
  const [secondTry, thirdTry] = [gate(), gate()];
  const open = new Map<TestNode, number>([
    [slow, 0],
    [fast, 0],
  ]);
  let overlaps = 0;
  const guarded =
    (node: TestNode, react: (arrival: Arrival) => Reaction | Promise<Reaction>) =>
    async (arrival: Arrival) => {
      const now = (open.get(node) ?? 0) + 1;
      open.set(node, now);
      if (now > 1) overlaps++;
      const reaction = await react(arrival);
      open.set(node, (open.get(node) ?? 0) - 1);
      return reaction;
    };
  const attempt = (arrival: Arrival) => Number(header(arrival, "lb-attempt"));
  slow.behave(
    guarded(slow, (arrival) =>
      seqOf(arrival) > 1
        ? {}
        : attempt(arrival) > 1
          ? secondTry.answers({ status: 500 })(arrival)
          : { status: 500 },
    ),
  );
  fast.behave(
    guarded(fast, (arrival) =>
      seqOf(arrival) > 1
        ? {}
        : attempt(arrival) > 2
          ? thirdTry.answers({ status: 500 })(arrival)
          : { status: 500 },
    ),
  );
  const first = register(balancer, "ada");
  await arrived(fast, 3);
  const second = register(balancer, "ada");
  await journaled(balancer, 2);
  secondTry.open();
  await until(async () => (await balancer.write(1)).acks.length >= 1, { what: "app1's answer" });
  thirdTry.open();
  assert.deepEqual([(await first).status, (await second).status, overlaps], [500, 200, 0]);
  assert.equal((await balancer.status()).inSync, 2);
});
