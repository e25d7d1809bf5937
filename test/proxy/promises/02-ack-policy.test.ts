import assert from "node:assert/strict";
import { test } from "node:test";
import { arrived, gate, QUICK, startCluster, writesAt } from "../../support/bare-cluster.ts";
import { ask, key, register } from "../../support/client.ts";
import { until } from "../../support/wait.ts";

function routes(ack: "all" | "quorum" | "one") {
  return [
    { match: { methods: ["POST"] }, to: "all", ack, orderBy: "username" },
    { match: { methods: ["GET", "HEAD"] }, to: "one" },
  ];
}

/** Whether a promise is still open after others had time to settle. */
async function isPending(promise: Promise<unknown>, meanwhile: () => Promise<unknown>): Promise<boolean> {
  let settled = false;
  void promise.finally(() => {
    settled = true;
  });
  await meanwhile();
  return !settled;
}

test("promise 2, policy all: the client gets its answer only when every in-sync node has answered", async (t) => {
  const { balancer, nodes } = await startCluster(t, 3, { writes: { sendTimeout: "2s" } });
  const last = gate();
  nodes[2]?.behave(last.answers({ status: 201 }));
  for (const node of nodes.slice(0, 2)) node.behave({ status: 201 });
  const reply = register(balancer, "ada");
  const acked = () =>
    until(async () => (await balancer.write(1).catch(() => null))?.acks.length === 2, { what: "two acks" });
  assert.ok(await isPending(reply, acked));
  last.open();
  const { status, headers } = await reply;
  assert.deepEqual(
    [status, headers["lb-seq"], headers["lb-acks"]],
    [201, "1", "app1=201, app2=201, app3=201"],
  );
});

test("promise 2, policy all: a node that fails to answer leaves the reads before the client is told", async (t) => {
  const { balancer, nodes } = await startCluster(t, 3);
  nodes[2]?.behave({ fault: "hang" });
  const { status, headers } = await register(balancer, "ada");
  const state = (await balancer.node("app3")).state;
  assert.deepEqual(
    [status, headers["lb-acks"], state],
    [200, "app1=200, app2=200, app3=catching-up", "catching-up"],
  );
});

test("promise 2: without any in-sync node a write is 503 with Retry-After, and nothing is journaled", async (t) => {
  const { balancer, nodes } = await startCluster(t, 2);
  await Promise.all(nodes.map((node) => node.stop()));
  await Promise.all([balancer.reached("app1", "down"), balancer.reached("app2", "down")]);
  const reply = await register(balancer, "ada");
  assert.deepEqual([reply.status, reply.code, reply.headers["retry-after"]], [503, "no_in_sync_node", "1"]);
  assert.equal((await balancer.status()).head, 0);
});

test("promise 2: below minInSync a write is 503 with Retry-After, and nothing is journaled", async (t) => {
  const { balancer, nodes } = await startCluster(t, 3, { writes: { minInSync: 2 } });
  await Promise.all(nodes.slice(1).map((node) => node.stop()));
  await Promise.all([balancer.reached("app2", "down"), balancer.reached("app3", "down")]);
  const reply = await register(balancer, "ada");
  assert.deepEqual([reply.status, reply.code, reply.headers["retry-after"]], [503, "below_min_in_sync", "1"]);
  assert.equal((await balancer.status()).head, 0);
  assert.equal(writesAt(nodes[0] as never).length, 0);
});

test("promise 2: fewer answers than minInSync are no success, even when the others have left", async (t) => {
  const { balancer, nodes } = await startCluster(t, 2, { writes: { minInSync: 2, ackTimeout: "1s" } });
  nodes[1]?.behave({ fault: "hang" });
  const reply = await register(balancer, "ada", key("k1"));
  assert.deepEqual([reply.status, reply.code, reply.seq], [504, "ack_timeout", 1]);
  nodes[1]?.behave({});
  await balancer.settled();
  const repeat = await register(balancer, "ada", key("k1"));
  assert.deepEqual([repeat.status, repeat.seq], [200, 1]);
});

test("promise 2: a policy that does not hold in time is 504 with the seq, and the write is delivered", async (t) => {
  const { balancer, nodes } = await startCluster(t, 2, { writes: { ackTimeout: "600ms" } });
  for (const node of nodes) node.behave({ fault: "hang" });
  const reply = await register(balancer, "ada");
  const problem = JSON.parse(reply.body) as { seq: number; detail: string };
  assert.deepEqual([reply.status, reply.code, problem.seq, reply.seq], [504, "ack_timeout", 1, 1]);
  assert.match(problem.detail, /recorded and will be delivered/);
  for (const node of nodes) node.behave({});
  await balancer.settled();
  assert.deepEqual(
    (await balancer.write(1)).acks.map(({ status }) => status),
    [200, 200],
  );
});

test("promise 2, policy quorum: a majority of the members is enough, and fewer are not", async (t) => {
  const { balancer, nodes } = await startCluster(t, 5, {
    routes: routes("quorum"),
    writes: { sendTimeout: "2s" },
  });
  const [third, rest] = [gate(), gate()];
  nodes[2]?.behave(third.answers());
  for (const node of nodes.slice(3)) node.behave(rest.answers());
  const reply = register(balancer, "ada");
  const two = () => until(async () => (await balancer.write(1).catch(() => null))?.acks.length === 2);
  assert.ok(await isPending(reply, two));
  third.open();
  const { status, headers } = await reply;
  assert.deepEqual(
    [status, headers["lb-acks"]],
    [200, "app1=200, app2=200, app3=200, app4=pending, app5=pending"],
  );
  rest.open();
});

test("promise 2, policy quorum: with half of the members in-sync a write is refused", async (t) => {
  const { balancer, nodes } = await startCluster(t, 4, { routes: routes("quorum") });
  await Promise.all(nodes.slice(2).map((node) => node.stop()));
  await Promise.all([balancer.reached("app3", "down"), balancer.reached("app4", "down")]);
  const reply = await register(balancer, "ada");
  assert.deepEqual([reply.status, reply.code], [503, "below_min_in_sync"]);
});

test("promise 2, policy one: the first answer is sent, and the others get the write all the same", async (t) => {
  const { balancer, nodes } = await startCluster(t, 3, {
    routes: routes("one"),
    writes: { sendTimeout: "2s" },
  });
  const rest = gate();
  for (const node of nodes.slice(1)) node.behave(rest.answers());
  const { status, headers } = await register(balancer, "ada");
  assert.deepEqual([status, headers["lb-acks"]], [200, "app1=200, app2=pending, app3=pending"]);
  rest.open();
  await balancer.settled();
  for (const node of nodes) assert.equal(writesAt(node).length, 1);
});

test("promise 2: the client gets the majority's answer, of its first node in config order", async (t) => {
  const { balancer, nodes } = await startCluster(t, 4);
  const answers = [
    { status: 409, body: "one" },
    { status: 201, body: "two", headers: { "x-node": "2" } },
    { status: 201, body: "three", delay: 0 },
    { status: 201, body: "four" },
  ];
  answers.forEach((answer, index) => void nodes[index]?.behave(answer));
  nodes[1]?.behave({ ...answers[1], delay: 50 });
  const { status, body, headers } = await register(balancer, "ada");
  assert.deepEqual([status, body, headers["x-node"]], [201, "two", "2"]);
});

test("promise 2: a node that joins while a write waits is waited for, too", async (t) => {
  const { balancer, nodes } = await startCluster(t, 2, { writes: { sendTimeout: "2500ms" } });
  const [late, joiner] = [gate(), gate()];
  await nodes[1]?.stop();
  await balancer.reached("app2", "down");
  nodes[0]?.behave(late.answers());
  nodes[1]?.behave(joiner.answers({ status: 200 }));
  const reply = register(balancer, "ada");
  await arrived(nodes[0] as never, 1);
  await nodes[1]?.restart();
  await balancer.reached("app2", "in-sync");
  late.open();
  const acked = () => until(async () => (await balancer.write(1)).acks.length === 1);
  assert.ok(await isPending(reply, acked));
  joiner.open();
  assert.equal((await reply).headers["lb-acks"], "app1=200, app2=200");
});

test("promise 2: HEAD or an unknown path never counts as a write", async (t) => {
  const { balancer } = await startCluster(t, 1);
  assert.equal((await ask(balancer.url, { method: "HEAD", path: "/register" })).status, 200);
  assert.equal((await ask(balancer.url, { method: "POST", path: "/Register" })).status, 405);
  assert.equal((await balancer.status()).head, 0);
});

for (const then of ["drained", "removed"] as const) {
  test(`promise 2, policy quorum: a write on its way while most nodes are ${then} still has its answer`, async (t) => {
    const config = {
      routes: routes("quorum"),
      writes: { sendTimeout: "10s", ackTimeout: "15s", attemptTimeout: "15s" },
    };
    const { balancer, nodes, listed } = await startCluster(t, 5, config);
    const [early, late] = [gate(), gate()];
    for (const [index, node] of nodes.entries()) {
      node.behave((index < 2 ? early : late).answers({ status: 201 }));
    }
    const reply = register(balancer, "ada");
    await Promise.all(nodes.map((node) => arrived(node, 1)));
    for (const name of ["app3", "app4", "app5"]) await balancer.admin(`/api/nodes/${name}/drain`, "POST");
    early.open();
    await until(async () => (await balancer.write(1)).acks.length === 2, { what: "two acks of five" });
    if (then === "drained") late.open();
    else
      await balancer.reload({
        nodes: listed.slice(0, 2),
        config: { ...config, writes: { ...QUICK, ...config.writes } },
      });
    assert.equal((await reply).status, 201);
    late.open();
    await until(async () => (await balancer.status()).writesOpen === 0, { what: "no write open" });
  });
}
