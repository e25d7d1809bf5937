import assert from "node:assert/strict";
import { test } from "node:test";
import { arrived, gate, startCluster, writesAt } from "../../support/bare-cluster.ts";
import { ask, type Reply, read, register } from "../../support/client.ts";
import type { TestNode } from "../../support/nodes.ts";
import { rawConnect, rawRequest } from "../../support/raw-http.ts";
import { until } from "../../support/wait.ts";

const FORM = { "content-type": "application/x-www-form-urlencoded" };

function portOf({ url }: { url: string }): number {
  return Number(new URL(url).port);
}

function refusals(replies: readonly Reply[]): Reply[] {
  return replies.filter(({ status }) => status !== 200);
}

test("promise 11, bounded: a write's body up to the limit passes, one byte more is 413 and is not recorded", async (t) => {
  const { balancer, nodes } = await startCluster(t, 1, { limits: { body: "1KiB" } });
  const body = (length: number) => `username=ada&x=${"x".repeat(length)}`.slice(0, length);
  const post = (length: number) =>
    ask(balancer.url, { method: "POST", path: "/register", headers: FORM, body: body(length) });
  assert.equal((await post(1024)).status, 200);
  const { status, code } = await post(1025);
  assert.deepEqual([status, code, (await balancer.status()).head], [413, "body_too_large", 1]);
  assert.equal(writesAt(nodes[0] as TestNode)[0]?.bytes.length, 1024);
});

test("promise 11, bounded: a chunked body is cut off at the limit", async (t) => {
  const { balancer } = await startCluster(t, 1, { limits: { body: "1KiB" } });
  const connection = await rawConnect(portOf(balancer));
  connection.send("POST /register HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
  connection.send(`400\r\n${"x".repeat(1024)}\r\n1\r\nx\r\n`);
  const { status, headers } = await connection.answer();
  assert.deepEqual([status, headers.connection], [413, "close"]);
  await connection.waitClosed();
  assert.equal((await balancer.status()).head, 0);
});

test("promise 11, bounded: header fields beyond the limit are 431", async (t) => {
  const { balancer } = await startCluster(t, 1, { limits: { header: "2KiB" } });
  assert.equal((await read(balancer)).status, 200);
  const { status } = await rawRequest(
    portOf(balancer),
    `GET / HTTP/1.1\r\nHost: x\r\nX: ${"x".repeat(3000)}\r\n\r\n`,
  );
  assert.equal(status, 431);
});

test("promise 11, bounded: a body that does not come in time is 408, and nothing is recorded", async (t) => {
  const { balancer } = await startCluster(t, 1, { limits: { bodyTimeout: "200ms" } });
  const connection = await rawConnect(portOf(balancer));
  connection.send("POST /register HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc");
  assert.equal((await connection.answer()).status, 408);
  assert.equal((await balancer.status()).head, 0);
});

test("promise 11, bounded: a head that does not come in time is 408", async (t) => {
  const { balancer } = await startCluster(t, 1, { limits: { headerTimeout: "200ms" } });
  const connection = await rawConnect(portOf(balancer));
  connection.send("GET / HTTP/1.1\r\nHost: x\r\n");
  assert.equal((await connection.answer()).status, 408);
});

test("promise 11, bounded: more writes at a time than the limit are 503 with Retry-After, and none is recorded", async (t) => {
  const { balancer, nodes } = await startCluster(t, 1, {
    limits: { writesOpen: 3 },
    writes: { sendTimeout: "4s", ackTimeout: "8s", attemptTimeout: "9s" },
  });
  const held = gate();
  nodes[0]?.behave(held.answers());
  const open = ["a", "b", "c"].map((name) => register(balancer, name));
  await arrived(nodes[0] as TestNode, 3);
  const reply = await register(balancer, "d");
  assert.deepEqual(
    [reply.status, reply.code, reply.headers["retry-after"]],
    [503, "too_many_requests_open", "1"],
  );
  held.open();
  assert.deepEqual(refusals(await Promise.all(open)), []);
  assert.equal((await register(balancer, "d")).status, 200);
  assert.equal((await balancer.status()).head, 4);
});

test("promise 11, bounded: more reads at a time than the limit are 503 with Retry-After", async (t) => {
  const { balancer, nodes } = await startCluster(t, 1, { limits: { readsOpen: 2 } });
  const held = gate();
  nodes[0]?.behave(held.answers());
  const open = [read(balancer), read(balancer)];
  await until(() => nodes[0]?.log.length === 2);
  const reply = await read(balancer);
  assert.deepEqual(
    [reply.status, reply.code, reply.headers["retry-after"]],
    [503, "too_many_requests_open", "1"],
  );
  held.open();
  assert.deepEqual(refusals(await Promise.all(open)), []);
  assert.equal((await read(balancer)).status, 200);
});

test("promise 11, bounded: a node never has more writes at a time than the window", async (t) => {
  let [now, most] = [0, 0];
  const { balancer, nodes } = await startCluster(t, 1, { writes: { window: 3 } }, async () => {
    now++;
    most = Math.max(most, now);
    await new Promise((resolve) => setImmediate(resolve));
    now--;
    return {};
  });
  const replies = await Promise.all(Array.from({ length: 40 }, (_, n) => register(balancer, `user${n}`)));
  assert.deepEqual(refusals(replies), []);
  assert.ok(most === 3, `${most} at a time`);
  assert.ok((nodes[0]?.connections ?? 0) <= 3 + 200, "connections are kept and used again");
});

test("promise 11, bounded: an answer to a write beyond the limit is not kept, and the client is told", async (t) => {
  const { balancer } = await startCluster(t, 1, { limits: { answer: "1KiB" } }, ({ url }) => ({
    body: "x".repeat(url === "/register" ? 1025 : 1024),
  }));
  const over = await register(balancer, "ada");
  assert.deepEqual([over.status, over.code, over.seq], [502, "answer_too_large", 1]);
  const within = await ask(balancer.url, {
    method: "POST",
    path: "/changePassword",
    headers: FORM,
    body: "username=ada",
  });
  assert.deepEqual([within.status, within.body.length], [200, 1024]);
});

/** Registers users with 120 kB each, until one is refused with another status than `until`, or 20 are through. */
async function fill(
  to: Parameters<typeof read>[0],
  accepted: number,
): Promise<{ count: number; last: Reply }> {
  let count = 0;
  for (;;) {
    const body = `username=u${count}&x=${"x".repeat(120_000)}`;
    const last = await ask(to.url, { method: "POST", path: "/register", headers: FORM, body });
    if (last.status !== accepted || count === 20) return { count, last };
    count++;
  }
}

const SMALL = { journal: { maxSize: "1MiB", retention: "keep" }, limits: { body: "256KiB" } };

test("promise 11, bounded: at the journal's limit writes are refused, and reads and acks go on", async (t) => {
  const writes = { sendTimeout: "40ms", ackTimeout: "60ms" };
  const { balancer, nodes } = await startCluster(t, 1, { ...SMALL, writes });
  const [node] = nodes;
  node?.behave(({ method }) => (method === "POST" ? { fault: "hang" } : {}));
  const { count, last } = await fill(balancer, 504);
  assert.deepEqual([last.status, last.code], [503, "journal_full"]);
  assert.ok(count >= 2 && count < 9, `${count} of 120 kB in 1 MiB`);
  assert.equal((await read(balancer)).status, 200);
  const status = await balancer.status();
  assert.equal(status.head, count);
  assert.ok(status.journalBytes <= status.journalMaxBytes);
  node?.behave({});
  await balancer.settled();
  const users = writesAt(node as (typeof nodes)[number]).map(({ body }) => body.slice(0, 11));
  assert.equal(new Set(users).size, count);
});

test("promise 11, bounded: at the journal's limit what every member has makes room, and writes go on", async (t) => {
  const { balancer, nodes } = await startCluster(t, 2, SMALL);
  const { count, last } = await fill(balancer, 200);
  assert.deepEqual([count, last.status], [20, 200]);
  for (const node of nodes) assert.equal(writesAt(node).length, 21);
  await balancer.logged(/purged before its time/);
});

test("promise 11, bounded: clients' connections beyond the limit are not taken", async (t) => {
  const { balancer } = await startCluster(t, 1, { limits: { connections: 2 } });
  const kept = [await rawConnect(portOf(balancer)), await rawConnect(portOf(balancer))];
  for (const connection of kept) {
    connection.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    assert.equal((await connection.answer()).status, 200);
  }
  const third = await rawConnect(portOf(balancer));
  await third.waitClosed();
  for (const connection of kept) connection.end();
});
