/** More reads at a time than there are connections for (limits.readConnections): who waits, where they go, who is told. */

import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { startBalancer, type TestBalancer } from "../support/balancer.ts";
import { metric, readsAt, startCluster } from "../support/bare-cluster.ts";
import { ask, read, register } from "../support/client.ts";
import { type Arrival, type Reaction, startNode } from "../support/nodes.ts";
import { type RawConnection, rawConnect } from "../support/raw-http.ts";
import { until } from "../support/wait.ts";

/** The answer to /held begins and never ends: whoever asks for it keeps a connection to the node. */
const holding = ({ url }: Pick<Arrival, "url">): Reaction =>
  url === "/held" ? { fault: "stall", body: "hello world" } : {};

const WRITES = { match: { methods: ["POST"] }, to: "all", orderBy: "username" };

function config(firstByteTimeout: string, readConnections: number): Readonly<Record<string, unknown>> {
  const reads = { match: { methods: ["GET", "PUT"] }, to: "one", firstByteTimeout };
  return { routes: [WRITES, reads], limits: { readConnections } };
}

/** Clients whose answers have begun, and hold their connections. */
async function hold(t: TestContext, balancer: TestBalancer, count: number): Promise<RawConnection[]> {
  const port = Number(new URL(balancer.url).port);
  const clients = await Promise.all(Array.from({ length: count }, () => rawConnect(port)));
  t.after(() => end(clients));
  for (const client of clients) {
    client.send("GET /held HTTP/1.1\r\nHost: x\r\n\r\n");
    await until(() => client.received.includes("hello"), { what: "the held answer to begin" });
  }
  return clients;
}

function end(clients: readonly RawConnection[]): void {
  for (const client of clients) client.end();
}

async function inFlight(balancer: TestBalancer): Promise<number[]> {
  return (await balancer.status()).nodes.map((node) => node.inFlightReads);
}

test("reads that get no connection are told so, and the nodes, which answered all they got, stay in-sync", async (t) => {
  const { balancer } = await startCluster(t, 2, config("300ms", 2), holding);
  const held = await hold(t, balancer, 4);
  const replies = await Promise.all(Array.from({ length: 8 }, () => read(balancer)));
  for (const { status, code, headers, body } of replies) {
    assert.deepEqual([status, code, headers["retry-after"]], [503, "no_free_connection", "1"]);
    assert.match(JSON.parse(body).detail, /limits\.readConnections/);
  }
  const { nodes } = await balancer.status();
  assert.deepEqual(
    nodes.map(({ state, reads, readErrors }) => [state, reads, readErrors]),
    [
      ["in-sync", 0, 0],
      ["in-sync", 0, 0],
    ],
  );
  assert.equal((await register(balancer, "ada")).status, 200);
  assert.equal(await metric(balancer, "lb_node_reads_total", 'outcome="queued"'), 8);
  assert.equal(await metric(balancer, "lb_admission_refusals_total", 'limit="limits.readConnections"'), 8);
  assert.equal(await metric(balancer, "lb_node_reads_total", 'outcome="timeout"'), 0);
  end(held);
  await until(async () => (await inFlight(balancer)).every((count) => count === 0));
  assert.equal((await read(balancer)).status, 200);
});

test("a read goes to a node that has a connection free, without waiting for one that has not", async (t) => {
  const { balancer, nodes } = await startCluster(t, 2, config("20s", 2), holding);
  const held = await hold(t, balancer, 4);
  end(held.filter((_, index) => index % 2 === 1));
  await until(async () => (await inFlight(balancer)).join() === "2,0", { what: "app2 alone to be free" });
  const before = nodes.map(readsAt);
  for (let n = 0; n < 5; n++) assert.equal((await read(balancer)).status, 200);
  assert.deepEqual(
    nodes.map((node, index) => readsAt(node) - (before[index] ?? 0)),
    [0, 5],
  );
});

test("what waited for a connection has the node's whole time to be answered in", async (t) => {
  const { balancer } = await startCluster(t, 1, config("4s", 1), { delay: 2500 });
  const replies = await Promise.all([read(balancer), read(balancer)]);
  assert.deepEqual(
    replies.map(({ status }) => status),
    [200, 200],
  );
});

test("what got no connection was not sent: an unsafe method with a body, too, is tried on the next node", async (t) => {
  const { balancer, nodes } = await startCluster(t, 2, config("2s", 1), holding);
  const held = await hold(t, balancer, 2);
  const waiting = ask(balancer.url, { method: "PUT", path: "/x", body: "whole" });
  await until(async () => (await inFlight(balancer)).join() === "2,1", { what: "it to wait for app1" });
  held[1]?.end();
  assert.equal((await waiting).status, 200);
  assert.deepEqual([nodes[0]?.log.length, nodes[1]?.log.at(-1)?.body], [1, "whole"]);
});

test("a client that leaves while it waits gives up its place", async (t) => {
  const { balancer, nodes } = await startCluster(t, 1, config("20s", 1), holding);
  const held = await hold(t, balancer, 1);
  const port = Number(new URL(balancer.url).port);
  const [leaver, stayer] = [await rawConnect(port), await rawConnect(port)];
  leaver.send("GET /left HTTP/1.1\r\nHost: x\r\n\r\n");
  await until(async () => (await inFlight(balancer)).join() === "2");
  stayer.send("GET /stayed HTTP/1.1\r\nHost: x\r\n\r\n");
  await until(async () => (await inFlight(balancer)).join() === "3");
  leaver.end();
  await until(async () => (await inFlight(balancer)).join() === "2");
  held[0]?.end();
  assert.equal((await stayer.answer()).status, 200);
  stayer.end();
  assert.deepEqual(
    nodes[0]?.log.map(({ url }) => url),
    ["/held", "/stayed"],
  );
});

test("a read that waits for a node that leaves the reads meanwhile goes elsewhere", async (t) => {
  const [first, second] = [await startNode(t, holding), await startNode(t, holding)];
  const nodes = [first, second].map(({ url }, index) => ({ name: `app${index + 1}`, url }));
  const balancer = await startBalancer(t, { nodes, config: config("20s", 1) });
  const held = await hold(t, balancer, 2);
  const waiting = read(balancer, "/waited");
  await until(async () => (await inFlight(balancer)).join() === "2,1", { what: "it to wait for app1" });
  await balancer.admin("/api/nodes/app1/drain", "POST");
  end(held);
  assert.equal((await waiting).status, 200);
  assert.deepEqual([readsAt(first), second.log.at(-1)?.url], [1, "/waited"]);
});
