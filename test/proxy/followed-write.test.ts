import assert from "node:assert/strict";
import { test } from "node:test";
import type { FollowedWrite, NodeDelivery, WriteDetails } from "../../proxy/api.ts";
import type { TestBalancer } from "../support/balancer.ts";
import { arrived, gate, startCluster } from "../support/bare-cluster.ts";
import { ask, barrier, key, register } from "../support/client.ts";
import { meanwhile } from "../support/poison.ts";
import { until } from "../support/wait.ts";

/** Waits until a write stands so at a node. */
function at(balancer: TestBalancer, seq: number, node: string, fits: (one: NodeDelivery) => boolean) {
  return until(
    async () => {
      const write = await balancer.write(seq);
      const one = write.nodes.find((each) => each.node === node);
      return one !== undefined && fits(one) ? { write, one } : null;
    },
    { what: `write ${seq} at ${node}` },
  );
}

test("a write that every node has: when, who answered what after how many attempts, what the client got", async (t) => {
  const { balancer } = await startCluster(t, 2, {}, { status: 201 });
  const before = Date.now();
  await register(balancer, "ada", { "x-request-id": "night-1" });
  const { write } = await at(balancer, 1, "app2", ({ step }) => step === "acked");
  assert.equal(write.state, "delivered");
  assert.deepEqual(write.marks, []);
  assert.equal(write.requestId, "night-1");
  assert.equal(write.route, "all-1");
  assert.equal(write.policy, "all");
  assert.match(write.keyHash ?? "", /^[0-9a-f]{32}$/);
  assert.ok(write.at >= before && write.at <= Date.now());
  const [reply, ...more] = write.replies;
  assert.deepEqual(more, []);
  assert.equal(reply?.status, 201);
  assert.equal(reply?.code, null);
  assert.ok((reply?.ms ?? 0) > 0);
  for (const { ack, attempts, state } of write.nodes) {
    assert.deepEqual([ack?.status, attempts, state], [201, 1, "in-sync"]);
    assert.ok((ack?.firstAt ?? 0) >= write.at && (ack?.at ?? 0) >= (ack?.firstAt ?? 0));
  }
});

test("a node that fails it: how often, why, when the next attempt is due; the others have it", async (t) => {
  const backoff = { min: "20s", max: "20s" };
  const { balancer, nodes } = await startCluster(t, 2, { writes: { backoff } });
  nodes[1]?.behave({ status: 503 });
  const asked = Date.now();
  await register(balancer, "ada");
  const { write, one } = await at(balancer, 1, "app2", ({ step }) => step === "paused");
  assert.equal(write.state, "pending");
  assert.equal(one.attempts, 1);
  assert.deepEqual([one.lastFailure?.status, one.lastFailure?.reason], [503, "answered 503"]);
  assert.ok((one.lastFailure?.at ?? 0) >= asked);
  const wait = (one.nextAt ?? 0) - (one.lastFailure?.at ?? 0);
  assert.ok(wait >= 10_000 && wait <= 20_000, String(wait));
  assert.equal(write.nodes[0]?.step, "acked");
  const pending = await balancer.admin<FollowedWrite[]>("/api/writes?pending=1");
  assert.deepEqual(
    pending.map(({ seq, state }) => [seq, state]),
    [[1, "pending"]],
  );
});

test("what waits for an earlier write says for which, and whether by its key or by a barrier", async (t) => {
  const { balancer, nodes } = await startCluster(t, 2);
  const held = gate();
  nodes[1]?.behave(held.answers());
  const replies = [register(balancer, "ada")];
  await arrived(nodes[1] as never, 1);
  // One after another, so that their seqs are known.
  for (const [seq, send] of [
    () => register(balancer, "ada"),
    () => barrier(balancer),
    () => register(balancer, "bob"),
  ].entries()) {
    replies.push(send());
    await until(async () => (await balancer.status()).head === seq + 2);
  }
  const stands = async (seq: number) => {
    const one = (await balancer.write(seq)).nodes[1];
    return [one?.step, one?.behind];
  };
  assert.deepEqual(await stands(1), ["sending", null]);
  const { at: recorded, nodes: stories } = await balancer.write(1);
  assert.ok((stories[1]?.sentAt ?? 0) >= recorded, "the attempt under way says since when");
  assert.deepEqual(await stands(2), ["same-key", 1]);
  assert.deepEqual(await stands(3), ["as-barrier", 1]);
  assert.deepEqual(await stands(4), ["barrier", 3]);
  held.open();
  await Promise.all(replies);
  await balancer.settled();
  assert.deepEqual(await stands(4), ["acked", null]);
});

test("a node that is out: the write waits for the node, and is late at it", async (t) => {
  const { balancer } = await startCluster(t, 2);
  await balancer.admin("/api/nodes/app2/maint", "POST");
  await register(balancer, "ada");
  const { write, one } = await at(balancer, 1, "app2", ({ late }) => late);
  assert.deepEqual([one.step, one.state, one.attempts], ["node-out", "maint", 0]);
  assert.deepEqual([write.state, write.marks], ["pending", ["late"]]);
});

test("a write that is set aside, the one of its key behind it, and what skip makes of both", async (t) => {
  const { balancer, nodes } = await startCluster(t, 2, { writes: { maxAttempts: 2, ackTimeout: "2s" } });
  const poison = { fault: "reset" } as const;
  for (const node of nodes) node.behave(({ body }) => (body.includes("poison") ? poison : { status: 201 }));
  const both: ReturnType<typeof register>[] = [];
  for (const seq of [1, 2]) {
    both.push(register(balancer, "poison"));
    await until(async () => (await balancer.status()).head === seq);
  }
  // The nodes show that they run by what they ack meanwhile.
  await meanwhile(balancer, async () => (await balancer.write(1)).state === "set-aside");
  const [first] = await Promise.all(both);
  assert.equal(first?.code, "ack_timeout");
  const { one } = await at(balancer, 2, "app1", ({ step }) => step === "held");
  assert.equal(one.behind, 1);
  const told = await balancer.write(1);
  assert.deepEqual(
    told.nodes.map(({ step, lastFailure }) => [step, lastFailure?.status]),
    [
      ["set-aside", null],
      ["set-aside", null],
    ],
  );
  assert.match(told.nodes[0]?.lastFailure?.reason ?? "", /ECONNRESET|closed/);
  assert.equal(told.replies[0]?.code, "ack_timeout");
  const skipped = await balancer.admin<WriteDetails>("/api/writes/1/skip", "POST");
  assert.equal(skipped.state, "skipped");
  assert.deepEqual(
    skipped.nodes.map(({ step }) => step),
    ["skipped", "skipped"],
  );
});

test("an answer of its own is marked diverged, one after a lost attempt ambiguous", async (t) => {
  const { balancer, nodes } = await startCluster(t, 3, {}, { status: 201 });
  nodes[0]?.behave({ status: 409 });
  await register(balancer, "ada");
  const { write } = await at(balancer, 1, "app1", ({ diverged }) => diverged);
  assert.deepEqual(write.marks, ["diverged"]);
  assert.equal(write.outcome, 201);
  let attempts = 0;
  nodes[1]?.behave(() => (attempts++ === 0 ? { fault: "reset" } : { status: 409 }));
  await register(balancer, "bob");
  const later = await at(balancer, 2, "app2", ({ step }) => step === "acked");
  assert.deepEqual([later.one.ack?.ambiguous, later.one.diverged, later.one.attempts], [true, false, 2]);
  assert.ok(later.write.marks.includes("ambiguous"));
});

test("a client that was told of a timeout and asked again: both replies, in order", async (t) => {
  const { balancer, nodes } = await startCluster(t, 1, {
    writes: { sendTimeout: "100ms", ackTimeout: "200ms" },
  });
  const held = gate();
  nodes[0]?.behave(held.answers({ status: 201 }));
  assert.equal((await register(balancer, "ada", key("k1"))).status, 504);
  held.open();
  assert.equal((await register(balancer, "ada", key("k1"))).status, 201);
  const { replies } = await balancer.write(1);
  assert.deepEqual(
    replies.map(({ status, code, repeat }) => [status, code, repeat]),
    [
      [504, "ack_timeout", false],
      [201, null, true],
    ],
  );
});

test("after a restart what the journal has is told, and what went with the process is not made up", async (t) => {
  const { balancer } = await startCluster(t, 2, {}, { status: 201 });
  await register(balancer, "ada", { "x-request-id": "night-2" });
  await balancer.settled();
  await balancer.kill9();
  await balancer.start();
  const { replies, requestId, state, nodes } = await balancer.write(1);
  assert.deepEqual([replies, requestId, state], [[], "night-2", "delivered"]);
  assert.deepEqual(
    nodes.map(({ ack }) => ack?.status),
    [201, 201],
  );
});

test("neither body nor query nor credentials are in a write's story", async (t) => {
  const { balancer, nodes } = await startCluster(t, 2);
  nodes[1]?.behave({ status: 500, body: "secret answer", headers: { "x-secret": "secret header" } });
  await ask(balancer.url, {
    method: "POST",
    path: "/register?token=secret-query",
    headers: { authorization: "Basic secret-login", cookie: "secret-cookie" },
    body: "username=ada&password=secret-body",
  });
  await at(balancer, 1, "app2", ({ lastFailure }) => lastFailure !== null);
  const text = JSON.stringify([await balancer.write(1), await balancer.admin("/api/writes")]);
  assert.match(text, /"path":"\/register"/);
  assert.doesNotMatch(text, /secret/);
});
