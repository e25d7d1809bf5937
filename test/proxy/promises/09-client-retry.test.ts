import assert from "node:assert/strict";
import { test } from "node:test";
import { arrived, gate, header, seqOf, seqsAt, startCluster, writesAt } from "../../support/bare-cluster.ts";
import { ask, key, type Reply, register } from "../../support/client.ts";
import type { TestNode } from "../../support/nodes.ts";
import { until } from "../../support/wait.ts";

const PATIENT = { sendTimeout: "3s", ackTimeout: "6s", attemptTimeout: "5s" };

function facts({ status, body, seq, headers }: Reply) {
  return { status, body, seq, repeat: headers["lb-repeat"] ?? "" };
}

test("promise 9, a retry is safe: same key and same request give the recorded outcome, and no second record", async (t) => {
  const { balancer, nodes } = await startCluster(t, 2, {}, ({ index }) => ({
    status: 201,
    body: `answer ${index}`,
    headers: { "x-app": "yes" },
  }));
  const first = await register(balancer, "ada", key("k1"));
  const again = await register(balancer, "ada", key("k1"));
  assert.deepEqual(facts(first), { status: 201, body: "answer 0", seq: 1, repeat: "" });
  assert.deepEqual(facts(again), { status: 201, body: "answer 0", seq: 1, repeat: "1" });
  assert.equal(again.headers["x-app"], "yes");
  for (const node of nodes) assert.equal(writesAt(node).length, 1);
  assert.equal((await balancer.status()).head, 1);
});

test("promise 9, a retry is safe: a final 4xx is an outcome like any other", async (t) => {
  const { balancer } = await startCluster(t, 2, {}, { status: 409, body: "taken" });
  await register(balancer, "ada", key("k1"));
  assert.deepEqual(facts(await register(balancer, "ada", key("k1"))), {
    status: 409,
    body: "taken",
    seq: 1,
    repeat: "1",
  });
});

test("promise 9, a retry is safe: the same key with another request is 422", async (t) => {
  const { balancer } = await startCluster(t, 1);
  const form = { "content-type": "application/x-www-form-urlencoded", ...key("k1") };
  const body = "username=ada";
  assert.equal(
    (await ask(balancer.url, { method: "POST", path: "/register", headers: form, body })).status,
    200,
  );
  const others = [
    { method: "POST", path: "/register", headers: form, body: "username=bob" },
    { method: "POST", path: "/changePassword", headers: form, body },
    { method: "POST", path: "/register?x=1", headers: form, body },
    { method: "POST", path: "/register", headers: { ...form, "content-type": "application/json" }, body },
    { method: "POST", path: "/register", headers: { ...form, authorization: "Basic eDp5" }, body },
  ];
  for (const other of others) {
    const reply = await ask(balancer.url, other);
    assert.deepEqual([reply.status, reply.code], [422, "idempotency_mismatch"], JSON.stringify(other));
  }
  assert.equal((await balancer.status()).head, 1);
});

test("promise 9, a retry is safe: header fields that every client sends otherwise are not part of the request", async (t) => {
  const { balancer } = await startCluster(t, 1);
  await register(balancer, "ada", { ...key("k1"), "user-agent": "one", "x-request-id": "r1" });
  const again = await register(balancer, "ada", { ...key("k1"), "user-agent": "two", "x-request-id": "r2" });
  assert.deepEqual([again.status, again.seq], [200, 1]);
});

test("promise 9, a retry is safe: a repeat while the first is pending waits for its outcome", async (t) => {
  const { balancer, nodes } = await startCluster(t, 1, { writes: PATIENT });
  const held = gate();
  nodes[0]?.behave(held.answers({ status: 201, body: "made" }));
  const first = register(balancer, "ada", key("k1"));
  await arrived(nodes[0] as TestNode, 1);
  const repeats = [register(balancer, "ada", key("k1")), register(balancer, "ada", key("k1"))];
  await until(async () => (await balancer.status()).routes[0]?.inFlight === 3, {
    what: "three clients that wait",
  });
  held.open();
  const replies = await Promise.all([first, ...repeats]);
  assert.deepEqual(
    replies.map(({ status, body, seq }) => [status, body, seq]),
    Array(3).fill([201, "made", 1]),
  );
  assert.equal(writesAt(nodes[0] as TestNode).length, 1);
});

test("promise 9, a retry is safe: a repeat outlives the deadline of the request that it repeats", async (t) => {
  const { balancer, nodes } = await startCluster(t, 1, {
    writes: { sendTimeout: "500ms", ackTimeout: "1s", attemptTimeout: "5s" },
  });
  const held = gate();
  nodes[0]?.behave(held.answers({ status: 201 }));
  const begun = performance.now();
  const first = register(balancer, "ada", key("k1"));
  await until(() => performance.now() - begun > 500);
  const repeat = register(balancer, "ada", key("k1"));
  assert.equal((await first).status, 504);
  held.open();
  assert.deepEqual([(await repeat).status, (await repeat).seq], [201, 1]);
});

test("promise 9, a retry is safe: the same key many times at once makes one record", async (t) => {
  const { balancer, nodes } = await startCluster(t, 2, {}, { status: 201, body: "made" });
  for (let round = 1; round <= 10; round++) {
    const replies = await Promise.all(
      Array.from({ length: 12 }, () => register(balancer, "ada", key(`k${round}`))),
    );
    assert.deepEqual(
      new Set(replies.map(({ status, body, seq }) => `${status} ${body} ${seq}`)),
      new Set([`201 made ${round}`]),
    );
  }
  for (const node of nodes) assert.equal(writesAt(node).length, 10);
});

test("promise 9, a retry is safe: a 5xx is no outcome to be repeated, the key makes a new record", async (t) => {
  const { balancer, nodes } = await startCluster(t, 2, {}, { status: 503 });
  assert.equal((await register(balancer, "ada", key("k1"))).status, 503);
  for (const node of nodes) node.behave({ status: 201, body: "made" });
  assert.deepEqual(facts(await register(balancer, "ada", key("k1"))), {
    status: 201,
    body: "made",
    seq: 2,
    repeat: "",
  });
  assert.deepEqual(facts(await register(balancer, "ada", key("k1"))), {
    status: 201,
    body: "made",
    seq: 2,
    repeat: "1",
  });
});

test("promise 9, a retry is safe: outcomes outlive kill -9", async (t) => {
  const { balancer } = await startCluster(t, 2, {}, { status: 201, body: "made" });
  await register(balancer, "ada", key("k1"));
  // What is stored last: the answer goes to disk with the next commit.
  await until(async () => (await balancer.write(1)).outcome === 201);
  await balancer.kill9();
  await balancer.start();
  assert.deepEqual(facts(await register(balancer, "ada", key("k1"))), {
    status: 201,
    body: "made",
    seq: 1,
    repeat: "1",
  });
  assert.equal((await register(balancer, "bob", key("k1"))).status, 422);
});

test("promise 9, a retry is safe: kill -9 before the outcome was stored makes no second effect", async (t) => {
  const effects = new Map<string, number>();
  const { balancer, nodes } = await startCluster(t, 2, {}, (arrival) => {
    const id = header(arrival, "idempotency-key");
    effects.set(id, (effects.get(id) ?? 0) + 1);
    return { status: 201, body: "made" };
  });
  const replies = await Promise.all(
    Array.from({ length: 8 }, (_, n) => register(balancer, `u${n}`, key(`k${n}`))),
  );
  await balancer.kill9();
  await balancer.start();
  for (const [n, { seq }] of replies.entries()) {
    const repeat = await register(balancer, `u${n}`, key(`k${n}`));
    assert.deepEqual([repeat.status, repeat.seq], [201, seq]);
  }
  assert.equal((await balancer.status()).head, 8);
  assert.equal(effects.size, 8, "every attempt at a record carries the same key");
  assert.equal(nodes.length, 2);
});

test("promise 9, a retry is safe: nodes get the journal's key, the client's own goes along", async (t) => {
  const { balancer, nodes } = await startCluster(t, 1);
  const before = Date.now();
  await register(balancer, "ada", key('"client key"'.replace(" ", "-")));
  await register(balancer, "bob");
  const [first, second] = writesAt(nodes[0] as TestNode);
  const id = /^"([0-9a-zA-Z-]{8,})-1"$/.exec(header(first, "idempotency-key"))?.[1];
  assert.ok(id, header(first, "idempotency-key"));
  assert.equal(header(second, "idempotency-key"), `"${id}-2"`);
  assert.deepEqual([header(first, "lb-client-key"), header(second, "lb-client-key")], ['"client-key"', ""]);
  for (const arrival of [first, second]) {
    assert.deepEqual([header(arrival, "lb-attempt"), seqOf(arrival) > 0], ["1", true]);
    const time = Number(header(arrival, "lb-time"));
    assert.ok(time >= before && time <= Date.now());
  }
});

test("promise 9, a retry is safe: lb-attempt counts every attempt that may have reached the node, and only those", async (t) => {
  const { balancer, nodes } = await startCluster(t, 2, { writes: { attemptTimeout: "500ms" } });
  const node = nodes[1] as TestNode;
  const reactions = [{ status: 500 }, { fault: "reset" }, { fault: "half" }, { fault: "hang" }, {}] as const;
  node.behave(({ index }) => reactions[index] ?? {});
  await register(balancer, "ada");
  await balancer.settled();
  assert.deepEqual(
    writesAt(node).map((arrival) => header(arrival, "lb-attempt")),
    ["1", "2", "3", "4", "5"],
  );
  await node.stop();
  await register(balancer, "bob");
  await node.restart();
  await balancer.settled();
  assert.equal(header(writesAt(node).at(-1), "lb-attempt"), "1", "refused connections are no attempts");
});

test("promise 9, a retry is safe: an answer that was too large to keep is said to be so, again and again", async (t) => {
  const { balancer, nodes } = await startCluster(
    t,
    2,
    { limits: { answer: "1KiB" } },
    { status: 201, body: "x".repeat(2000) },
  );
  for (let n = 0; n < 2; n++) {
    const { status, code, seq } = await register(balancer, "ada", key("k1"));
    assert.deepEqual([status, code, seq], [502, "answer_too_large", 1]);
  }
  assert.equal(writesAt(nodes[0] as TestNode).length, 1);
});

test("promise 9, a retry is safe: an answer whose body a crash has lost comes back as its status, and says so", async (t) => {
  const { balancer, nodes, listed } = await startCluster(
    t,
    2,
    { writes: PATIENT },
    { status: 201, body: "made" },
  );
  nodes[1]?.behave({ fault: "hang" });
  const first = register(balancer, "ada", key("k1")).catch(() => null);
  await until(async () => (await balancer.write(1).catch(() => null))?.acks.length === 1, {
    what: "app1's ack on disk",
  });
  await balancer.kill9();
  await first;
  // What app1 answered is known by its status alone, and app2, which could still answer, is gone.
  await balancer.startWith(listed.slice(0, 1));
  const repeat = await register(balancer, "ada", key("k1"));
  assert.deepEqual(facts(repeat), { status: 201, body: "", seq: 1, repeat: "1" });
  assert.equal(repeat.headers["lb-body"], "lost");
  assert.equal(writesAt(nodes[0] as TestNode).length, 1, "it is not carried out again");
});

test("promise 9, a retry is safe: a key that cannot be used is refused, and nothing is recorded", async (t) => {
  const { balancer } = await startCluster(t, 1);
  for (const bad of ["", "x".repeat(256), "with space", "caf\u00e9"]) {
    const { status, code } = await register(balancer, "ada", key(bad));
    assert.deepEqual([status, code], [400, "idempotency_key_invalid"], bad);
  }
  assert.equal((await balancer.status()).head, 0);
});

test("promise 9, a retry is safe: a repeat below minInSync is answered from the journal", async (t) => {
  const { balancer, nodes } = await startCluster(t, 1, {}, { status: 201, body: "made" });
  await register(balancer, "ada", key("k1"));
  await nodes[0]?.stop();
  await balancer.reached("app1", "down");
  const repeat = await register(balancer, "ada", key("k1"));
  // Whether it is a repeat is known only once it is journaled, which is refused first: nothing is recorded.
  assert.ok(repeat.status === 201 || repeat.code === "no_in_sync_node");
  assert.equal((await balancer.status()).head, 1);
});

test("promise 9, a retry is safe: lb-cursor lets an app forget, and what it forgot never comes again", async (t) => {
  let late = 0;
  const forgotten = new Map<TestNode, number>();
  const { balancer, nodes } = await startCluster(t, 2);
  for (const node of nodes) {
    node.behave((arrival) => {
      forgotten.set(node, Math.max(forgotten.get(node) ?? 0, Number(header(arrival, "lb-cursor"))));
      if (seqOf(arrival) <= (forgotten.get(node) ?? 0)) late++;
      return arrival.index % 9 === 3 ? { fault: "reset" } : {};
    });
  }
  for (let round = 0; round < 3; round++) {
    const names = Array.from({ length: 20 }, (_, n) => `r${round}u${n % 7}`);
    await Promise.all(names.map((name) => register(balancer, name).catch(() => null)));
    await balancer.kill9();
    await balancer.start();
  }
  assert.equal(late, 0);
  // While every node has missed something, writes are refused; what was recorded reached both.
  const { head } = await balancer.status();
  assert.ok(head > 30, `${head} of 60 recorded`);
  for (const node of nodes) assert.equal(new Set(seqsAt(node)).size, head);
});
