/** Clients that stall: what they do to themselves must not be taken for a node's fault. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { metric, readsAt, startCluster } from "../support/bare-cluster.ts";
import { read } from "../support/client.ts";
import { rawConnect } from "../support/raw-http.ts";
import { until } from "../support/wait.ts";

const READS = { match: { methods: ["GET"] }, to: "one", name: "reads", firstByteTimeout: "200ms" };
const HALF = "GET /login HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n\r\nhalf";

const MIB = 1024 * 1024;

function portOf({ url }: { url: string }): number {
  return Number(new URL(url).port);
}

test("clients that hold back the body of a read get 408, and no node is blamed for them", async (t) => {
  const { balancer } = await startCluster(t, 2, { limits: { bodyTimeout: "700ms" }, routes: [READS] });
  const stalled = await Promise.all(Array.from({ length: 8 }, () => rawConnect(portOf(balancer))));
  for (const connection of stalled) connection.send(HALF);
  for (const connection of stalled) {
    const { status, body, headers } = await connection.answer();
    assert.deepEqual([status, JSON.parse(body).code, headers.connection], [408, "body_timeout", "close"]);
    assert.equal((await read(balancer)).status, 200);
    connection.end();
  }
  const { nodes } = await balancer.status();
  assert.deepEqual(
    nodes.map(({ state, inFlightReads }) => [state, inFlightReads]),
    [
      ["in-sync", 0],
      ["in-sync", 0],
    ],
  );
  assert.doesNotMatch(balancer.output(), /"to":"down"/);
});

test("a body that takes longer than a node's first byte may reaches the node whole, and has its answer", async (t) => {
  const { balancer, nodes } = await startCluster(t, 1, { routes: [READS] });
  const connection = await rawConnect(portOf(balancer));
  connection.send(HALF);
  await pause(500);
  connection.send("rest");
  assert.equal((await connection.answer()).status, 200);
  assert.equal(nodes.map(readsAt)[0], 1);
  assert.equal(nodes[0]?.log.at(-1)?.body, "halfrest");
});

test("from the end of the body a node has its usual time for the first byte", async (t) => {
  const { balancer, nodes } = await startCluster(t, 1, { routes: [READS] });
  nodes[0]?.behave({ fault: "hang" });
  const connection = await rawConnect(portOf(balancer));
  connection.send(HALF);
  await pause(300);
  connection.send("rest");
  const { status, body } = await connection.answer();
  assert.deepEqual([status, JSON.parse(body).code], [504, "read_timeout"]);
});

test("clients that read nothing of a big answer until the read's deadline: no node is blamed for them", async (t) => {
  const reads = { ...READS, firstByteTimeout: "2s", timeout: "3s" };
  const { balancer } = await startCluster(t, 2, { routes: [reads] }, { body: Buffer.alloc(16 * MIB) });
  const deaf = await Promise.all(Array.from({ length: 6 }, () => rawConnect(portOf(balancer))));
  for (const connection of deaf) {
    connection.socket.pause();
    connection.send("GET /login HTTP/1.1\r\nHost: x\r\n\r\n");
  }
  const aborted = async () =>
    (await metric(balancer, "lb_node_reads_total", "app1", "aborted")) +
    (await metric(balancer, "lb_node_reads_total", "app2", "aborted"));
  await until(async () => (await aborted()) === 6, { what: "all six reads cut" });
  assert.doesNotMatch(balancer.output(), /"to":"down"/);
  for (const connection of deaf) connection.end();
});
