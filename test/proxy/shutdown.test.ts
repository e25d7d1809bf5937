import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { arrived, gate, header, seqsAt, startCluster, writesAt } from "../support/bare-cluster.ts";
import { key, read, register } from "../support/client.ts";
import type { TestNode } from "../support/nodes.ts";
import { rawConnect } from "../support/raw-http.ts";
import { until } from "../support/wait.ts";

const PATIENT = { sendTimeout: "5s", ackTimeout: "9s", attemptTimeout: "10s" };

test("SIGTERM finishes the reads and writes in flight, takes no new ones, and exits 0", async (t) => {
  const { balancer, nodes } = await startCluster(t, 2, { writes: PATIENT });
  const held = gate();
  for (const node of nodes) node.behave(held.answers({ body: "late" }));
  const reads = [read(balancer), read(balancer)];
  const write = register(balancer, "ada");
  await Promise.all(nodes.map((node) => arrived(node, 1)));
  await until(() => nodes.every(({ log }) => log.length === 2));
  const stopped = balancer.stop();
  await balancer.logged(/"msg":"draining"/);
  await assert.rejects(read(balancer), /ECONNREFUSED/);
  held.open();
  for (const { status, body, headers } of await Promise.all(reads)) {
    assert.deepEqual([status, body, headers.connection], [200, "late", "close"]);
  }
  assert.deepEqual([(await write).status, await stopped], [200, 0]);
});

test("SIGTERM closes idle connections at once", async (t) => {
  const { balancer } = await startCluster(t, 1);
  const connection = await rawConnect(Number(new URL(balancer.url).port));
  await connection.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n").answer();
  const begun = performance.now();
  assert.equal(await balancer.stop(), 0);
  await connection.waitClosed();
  assert.ok(performance.now() - begun < 3000);
});

test("SIGTERM waits no longer than drainTimeout, and what is cut then is still delivered after the next start", async (t) => {
  const { balancer, nodes } = await startCluster(t, 2, { writes: PATIENT, drainTimeout: "300ms" });
  for (const node of nodes) node.behave({ fault: "hang" });
  const client = register(balancer, "ada", key("k1"));
  client.catch(() => null);
  await arrived(nodes[1] as TestNode, 1);
  const begun = performance.now();
  assert.equal(await balancer.stop(), 0);
  assert.ok(performance.now() - begun < 3000);
  await assert.rejects(client);
  for (const node of nodes) node.behave({ status: 201 });
  await balancer.start();
  for (const node of nodes) {
    assert.deepEqual(seqsAt(node), [1, 1]);
    assert.equal(header(writesAt(node).at(-1), "lb-attempt"), "2");
  }
  const repeat = await register(balancer, "ada", key("k1"));
  assert.deepEqual([repeat.status, repeat.seq], [201, 1]);
});

test("SIGTERM stores every ack: nothing is sent again after the next start", async (t) => {
  const { balancer, nodes } = await startCluster(t, 3);
  await Promise.all(Array.from({ length: 30 }, (_, n) => register(balancer, `user${n}`)));
  assert.equal(await balancer.stop(), 0);
  await balancer.start();
  for (const node of nodes) assert.equal(writesAt(node).length, 30);
});

test("SIGTERM while a node is down ends all the same, and the node catches up after the next start", async (t) => {
  const { balancer, nodes } = await startCluster(t, 2);
  await nodes[1]?.stop();
  await register(balancer, "ada");
  assert.equal(await balancer.stop(), 0);
  await nodes[1]?.restart();
  await balancer.start();
  assert.deepEqual(seqsAt(nodes[1] as TestNode), [1]);
});

test("/readyz says no while it drains, /healthz still yes", async (t) => {
  const { balancer, held, inFlight } = await startWithReadInFlight(t);
  const stopped = balancer.stop();
  await balancer.logged(/"msg":"draining"/);
  const statuses = await Promise.all(
    ["/readyz", "/healthz"].map(async (path) => (await fetch(balancer.adminUrl + path)).status),
  );
  assert.deepEqual(statuses, [503, 200]);
  held.open();
  await inFlight;
  assert.equal(await stopped, 0);
});

test("a second SIGTERM does no harm", async (t) => {
  const { balancer, held, inFlight } = await startWithReadInFlight(t);
  const stopped = balancer.stop();
  balancer.signal("SIGTERM");
  balancer.signal("SIGTERM");
  held.open();
  assert.deepEqual([(await inFlight).status, await stopped], [200, 0]);
});

/** A read that the only node answers when `held` is opened. */
async function startWithReadInFlight(t: TestContext) {
  const { balancer, nodes } = await startCluster(t, 1);
  const held = gate();
  nodes[0]?.behave(held.answers());
  const inFlight = read(balancer);
  await until(() => nodes[0]?.log.length === 1);
  return { balancer, held, inFlight };
}
