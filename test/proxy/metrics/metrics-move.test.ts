/** Each metric of the table moves when what it is about happens: real nodes, a real balancer, real scrapes. */

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { METRICS, type MetricKey } from "../../../proxy/metrics/metrics-table.ts";
import { arrived, gate, startCluster, userOf } from "../../support/bare-cluster.ts";
import { makeCertificate } from "../../support/certificate.ts";
import { ask, key, read, register } from "../../support/client.ts";
import { startCollector } from "../../support/collector.ts";
import { metricValue } from "../../support/metrics.ts";
import { startNode, type TestNode } from "../../support/nodes.ts";
import { rawConnect } from "../../support/raw-http.ts";
import { tempFolder } from "../../support/temp-folder.ts";
import { until } from "../../support/wait.ts";

type Labels = Readonly<Record<string, string>>;
type Expected = number | ((value: number) => boolean);
interface Scrapable {
  readonly adminUrl: string;
  readonly folder: string;
}

/** Metrics that a test of this file has seen to move. */
const moved = new Set<MetricKey>();

/** Waits until the metric has this value: what it is about may still be under way. */
async function shows(from: Scrapable, metric: MetricKey, labels: Labels, expected: Expected): Promise<void> {
  moved.add(metric);
  const fits = typeof expected === "number" ? (value: number) => value === expected : expected;
  let last = Number.NaN;
  await until(
    async () => {
      last = await metricValue(from, metric, labels);
      return fits(last);
    },
    { what: `${METRICS[metric].name} ${JSON.stringify(labels)}: ${expected}` },
  ).catch((error: Error) => {
    throw new Error(`${error.message}; it was ${last}`);
  });
}

const more =
  (than: number): Expected =>
  (value) =>
    value > than;

/** No deadline of a write passes while a test looks. */
const PATIENT = { sendTimeout: "20s", ackTimeout: "30s", attemptTimeout: "40s" };
const FORM = { "content-type": "application/x-www-form-urlencoded" };

test("reads: requests, durations, connections, bytes, attempts", async (t) => {
  const { balancer, nodes } = await startCluster(t, 1);
  const [node] = nodes as [TestNode];
  const wasIn = await metricValue(balancer, "receivedBytes");
  node.behave({ status: 404, body: "x".repeat(5000) });
  await read(balancer, `/${"y".repeat(3000)}`);
  await shows(balancer, "requests", { route: "one-2", class: "4xx" }, 1);
  await shows(balancer, "requestSeconds", { route: "one-2", class: "4xx" }, 1);
  await shows(balancer, "received", { method: "GET" }, 1);
  await shows(balancer, "accepted", {}, 1);
  await shows(balancer, "receivedBytes", {}, more(wasIn + 3000));
  await shows(balancer, "sentBytes", {}, more(5000));
  await shows(balancer, "nodeReads", { node: "app1", outcome: "ok" }, 1);
  await shows(balancer, "nodeReadSeconds", { node: "app1" }, 1);
  await ask(balancer.url, { method: "DELETE", path: "/login" });
  await shows(balancer, "problems", { code: "method_not_allowed" }, 1);
  const held = gate();
  node.behave(held.answers());
  const open = read(balancer);
  await shows(balancer, "requestsInFlight", { route: "one-2" }, 1);
  await shows(balancer, "nodeInFlight", { node: "app1", kind: "read" }, 1);
  await shows(balancer, "nodeConnections", { node: "app1" }, more(0));
  await shows(balancer, "connections", {}, 1);
  held.open();
  await open;
  await shows(balancer, "requestsInFlight", { route: "one-2" }, 0);
  await shows(balancer, "nodeInFlight", { node: "app1", kind: "read" }, 0);
  await shows(balancer, "connections", {}, 0);
});

test("a read that its first node fails: the retry, for its route and for the node that got it", async (t) => {
  const { balancer, nodes } = await startCluster(t, 2);
  nodes[0]?.behave({ fault: "reset" });
  await until(async () => {
    await read(balancer);
    return (await metricValue(balancer, "readRetries", { route: "one-2" })) > 0;
  });
  await shows(balancer, "readRetries", { route: "one-2" }, more(0));
  await shows(balancer, "nodeReadRetries", { node: "app2" }, more(0));
});

test("writes: outcomes, attempts, acks, the journal, repeats", async (t) => {
  const { balancer, nodes } = await startCluster(t, 2, { writes: PATIENT });
  const size = await metricValue(balancer, "journalBytes");
  const held = gate();
  for (const node of nodes) node.behave(held.answers({ status: 201 }));
  const open = register(balancer, "ada", key("k1"));
  await shows(balancer, "writesOpen", {}, 1);
  await shows(balancer, "nodeInFlight", { node: "app2", kind: "write" }, 1);
  held.open();
  assert.equal((await open).status, 201);
  await register(balancer, "ada", key("k1"));
  await register(balancer, "bob", key("k1"));
  await shows(balancer, "writes", { route: "all-1", policy: "all", outcome: "ok" }, 1);
  await shows(balancer, "writes", { route: "all-1", policy: "all", outcome: "repeat" }, 1);
  await shows(balancer, "idempotency", { outcome: "repeat" }, 1);
  await shows(balancer, "idempotency", { outcome: "mismatch" }, 1);
  for (const node of ["app1", "app2"]) {
    await shows(balancer, "nodeWrites", { node, outcome: "ok" }, 1);
    await shows(balancer, "nodeWriteSeconds", { node }, 1);
    await shows(balancer, "nodeAcks", { node, class: "2xx" }, 1);
    await shows(balancer, "nodeCursor", { node }, 1);
  }
  await shows(balancer, "appends", {}, 1);
  await shows(balancer, "appendedBytes", {}, more(60));
  await shows(balancer, "appendSeconds", {}, 1);
  await shows(balancer, "batch", {}, 1);
  await shows(balancer, "commitSeconds", {}, more(0));
  await shows(balancer, "fsyncSeconds", { file: "journal" }, more(0));
  await shows(balancer, "fsyncSeconds", { file: "head_mark" }, more(0));
  await shows(balancer, "head", {}, 1);
  await ask(balancer.url, { method: "POST", path: "/register", headers: FORM, body: "x".repeat(100_000) });
  await shows(balancer, "journalBytes", {}, more(size + 90_000));
});

test("a node goes down and comes back: state, lag, age, catching up", async (t) => {
  const { balancer, nodes } = await startCluster(t, 2);
  const since = await metricValue(balancer, "nodeSince", { node: "app2" });
  await nodes[1]?.stop();
  await shows(balancer, "nodeState", { node: "app2", state: "down" }, 1);
  await shows(balancer, "nodeState", { node: "app2", state: "in-sync" }, 0);
  await shows(balancer, "nodeSince", { node: "app2" }, more(since));
  await shows(balancer, "nodeStateChanges", { node: "app2", state: "down" }, 1);
  await shows(balancer, "inSync", {}, 1);
  await shows(balancer, "healthChecks", { node: "app2", outcome: "failed" }, more(0));
  const checks = await metricValue(balancer, "healthSeconds", { node: "app2" });
  await shows(balancer, "healthSeconds", { node: "app2" }, more(checks));
  let written = 0;
  // Until it shows, so that it has been looked at before all was written.
  while ((await metricValue(balancer, "catchUpRate", { node: "app1" })) === 0) {
    await register(balancer, `user${written++}`);
  }
  await shows(balancer, "nodeLag", { node: "app2" }, written);
  await shows(balancer, "nodeOldest", { node: "app2" }, more(0));
  await shows(balancer, "catchUpEta", { node: "app2" }, Number.POSITIVE_INFINITY);
  await nodes[1]?.restart();
  await shows(balancer, "nodeLag", { node: "app2" }, 0);
  await shows(balancer, "nodeOldest", { node: "app2" }, 0);
  await shows(balancer, "catchUpRate", { node: "app2" }, more(0));
  await shows(balancer, "catchUpEta", { node: "app2" }, 0);
  await shows(balancer, "nodeLateAcks", { node: "app2", policy: "all" }, written);
});

test("no node answers: not ready", async (t) => {
  const { balancer, nodes } = await startCluster(t, 1);
  await shows(balancer, "ready", {}, 1);
  await nodes[0]?.stop();
  await shows(balancer, "ready", {}, 0);
});

test("a write that is answered after its 504 is late, by its policy", async (t) => {
  const routes = ["all", "quorum", "one"].map((ack) => ({
    match: { methods: ["POST"], paths: [`/${ack}`] },
    to: "all",
    ack,
  }));
  const { balancer, nodes } = await startCluster(t, 2, {
    routes,
    writes: { ...PATIENT, sendTimeout: "100ms", ackTimeout: "200ms" },
  });
  for (const policy of ["all", "quorum", "one"]) {
    const held = gate();
    for (const node of nodes) node.behave(held.answers());
    const reply = await ask(balancer.url, { method: "POST", path: `/${policy}` });
    assert.equal(reply.status, 504);
    held.open();
    await shows(balancer, "writesLate", { policy }, 1);
    for (const node of ["app1", "app2"]) await shows(balancer, "nodeLateAcks", { node, policy }, 1);
    await shows(balancer, "writes", { policy, outcome: "ack_timeout" }, 1);
    await balancer.settled();
  }
});

test("an ack that comes when the policy holds without it is late; the write is not", async (t) => {
  const routes = [{ match: { methods: ["POST"] }, to: "all", ack: "one" }];
  const { balancer, nodes } = await startCluster(t, 2, { routes, writes: PATIENT });
  const held = gate();
  nodes[1]?.behave(held.answers());
  assert.equal((await register(balancer, "ada")).status, 200);
  held.open();
  await shows(balancer, "nodeLateAcks", { node: "app2", policy: "one" }, 1);
  assert.equal(await metricValue(balancer, "nodeLateAcks", { node: "app1" }), 0);
  assert.equal(await metricValue(balancer, "writesLate"), 0);
});

test("nodes that disagree, and answers that came after an attempt without one", async (t) => {
  const { balancer, nodes } = await startCluster(t, 3);
  const [first, second] = nodes as [TestNode, TestNode];
  let tries = 0;
  first.behave(() => (tries++ === 0 ? { fault: "reset" } : {}));
  await register(balancer, "ada");
  await shows(balancer, "ambiguous", { node: "app1", policy: "all" }, 1);
  await shows(balancer, "nodeWriteRetries", { node: "app1" }, more(0));
  await balancer.settled();
  second.behave({ status: 409 });
  await register(balancer, "bob");
  await shows(balancer, "divergent", { node: "app2", policy: "all" }, 1);
  await shows(balancer, "quarantines", { node: "app2" }, 1);
});

test("a write that no node acks is set aside, until an operator decides", async (t) => {
  const { balancer, nodes } = await startCluster(t, 2, {
    writes: { maxAttempts: 3, attemptTimeout: "300ms", sendTimeout: "200ms", ackTimeout: "700ms" },
  });
  const poison = (arrival: Parameters<typeof userOf>[0]) =>
    userOf(arrival) === "ada" ? ({ fault: "reset" } as const) : {};
  for (const node of nodes) node.behave(poison);
  await register(balancer, "ada");
  for (let n = 0; (await balancer.status()).setAside === 0; n++) await register(balancer, `other${n}`);
  await shows(balancer, "setAside", {}, 1);
  await shows(balancer, "setAsideNow", {}, 1);
  await balancer.admin("/api/writes/1/skip", "POST");
  await shows(balancer, "setAsideNow", {}, 0);
});

test("a reload: taken, refused, other nodes, other routes, other limits", async (t) => {
  const { balancer, listed } = await startCluster(t, 1);
  await shows(balancer, "reloads", { outcome: "ok" }, 0);
  await shows(balancer, "nodes", {}, 1);
  await shows(balancer, "members", {}, 1);
  await shows(balancer, "minInSync", {}, 1);
  const added = await startNode(t);
  const held = gate();
  added.behave(held.answers());
  await register(balancer, "ada");
  await balancer.reload({
    nodes: [...listed, { name: "app2", url: added.url }],
    config: {
      writes: { ...PATIENT, minInSync: 2 },
      routes: [{ match: { methods: ["GET"] }, to: "one", name: "reads", balance: "leastconn" }],
    },
  });
  await shows(balancer, "reloads", { outcome: "ok" }, 1);
  await shows(balancer, "nodes", {}, 2);
  await shows(balancer, "minInSync", {}, 2);
  await shows(balancer, "routeInfo", { route: "reads", to: "one", policy: "leastconn" }, 1);
  await arrived(added, 1);
  await shows(balancer, "nodeMember", { node: "app2" }, 0);
  held.open();
  await shows(balancer, "nodeMember", { node: "app2" }, 1);
  await shows(balancer, "members", {}, 2);
  await shows(balancer, "bootstraps", { node: "app2", kind: "replay", outcome: "ok" }, 1);
  writeFileSync(join(balancer.folder, "lb.json"), "{");
  balancer.signal("SIGHUP");
  await shows(balancer, "reloads", { outcome: "failed" }, 1);
  await shows(balancer, "reloadOk", {}, 0);
});

test("what every member has is purged when its time has come", async (t) => {
  const { balancer } = await startCluster(t, 1, {
    journal: { retention: "1s" },
    writes: { idempotencyWindow: "1s" },
  });
  await register(balancer, "ada");
  await register(balancer, "bob");
  await shows(balancer, "purged", {}, 2);
  await shows(balancer, "first", {}, 3);
});

test("the journal's limit and its disk", async (t) => {
  const { balancer } = await startCluster(t, 1, { journal: { maxSize: "5MiB" } });
  await shows(balancer, "journalMax", {}, 5 * 1024 * 1024);
  const size = await metricValue(balancer, "diskSize");
  await shows(balancer, "diskSize", {}, more(0));
  await shows(balancer, "diskFree", {}, (free) => free > 0 && free <= size);
  // Other processes write to the same disk: all that is certain is that 64 MiB of ours are noticed at some time.
  const before = await metricValue(balancer, "diskFree");
  writeFileSync(join(balancer.folder, "ballast"), Buffer.alloc(64 * 1024 * 1024));
  await shows(balancer, "diskFree", {}, (free) => free !== before);
});

test("a renewed certificate: the new one's time", async (t) => {
  const folder = tempFolder(t);
  const tls = { cert: join(folder, "cert.pem"), key: join(folder, "key.pem") };
  makeCertificate(tls, "first", 2);
  const config = { listen: { address: "127.0.0.1:0", tls } };
  const { balancer, listed } = await startCluster(t, 1, config);
  const days = (count: number) => Date.now() / 1000 + count * 86_400;
  const traffic = { listener: "traffic" };
  await shows(balancer, "certificates", traffic, (at) => at > days(1) && at < days(2));
  const first = readFileSync(tls.cert);
  makeCertificate(tls, "second", 30);
  // The chain is as good as the first of it to expire.
  const second = readFileSync(tls.cert);
  await balancer.reload({ nodes: listed, config });
  await shows(balancer, "certificates", traffic, (at) => at > days(29) && at < days(30));
  writeFileSync(tls.cert, Buffer.concat([second, first]));
  await balancer.reload({ nodes: listed, config });
  await shows(balancer, "certificates", traffic, (at) => at > days(1) && at < days(2));
});

test("what runs, and how busy it is", async (t) => {
  const { balancer } = await startCluster(t, 1);
  await shows(balancer, "build", { cluster: "default", node_version: process.version }, 1);
  for (const thread of ["main", "journal"]) {
    const before = await metricValue(balancer, "busy", { thread });
    await register(balancer, "ada");
    await shows(balancer, "busy", { thread }, more(before));
  }
});

test("each limit that refuses is named", async (t) => {
  const { balancer, nodes } = await startCluster(t, 1, {
    limits: {
      header: "2KiB",
      headerTimeout: "200ms",
      body: "256KiB",
      bodyTimeout: "200ms",
      bodies: "1MiB",
      readBody: "10B",
      readsOpen: 1,
      writesOpen: 5,
      connections: 20,
    },
    writes: PATIENT,
  });
  const [node] = nodes as [TestNode];
  const port = Number(new URL(balancer.url).port);
  const send = async (text: string) => (await rawConnect(port)).send(text);
  const refused = (limit: string, count: Expected = 1) => shows(balancer, "refusals", { limit }, count);
  const write = (length: number) =>
    ask(balancer.url, { method: "POST", path: "/register", headers: FORM, body: "x".repeat(length) });

  await send(`GET / HTTP/1.1\r\nHost: x\r\nX: ${"x".repeat(3000)}\r\n\r\n`);
  await refused("limits.header");
  await send("GET / HTTP/1.1\r\nHost: x\r\n");
  await refused("limits.headerTimeout");
  await send("POST /register HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc");
  await refused("limits.bodyTimeout");
  await write(300 * 1024);
  await refused("limits.body");
  await ask(balancer.url, { path: "/", body: "x".repeat(11) });
  await refused("limits.readBody");

  const held = gate();
  node.behave(held.answers());
  const reads = read(balancer);
  await until(() => node.log.length === 1);
  assert.equal((await read(balancer)).status, 503);
  await refused("limits.readsOpen");
  const large = Array.from({ length: 5 }, () => write(250 * 1024));
  await refused("limits.bodies");
  held.open();
  await Promise.all([reads, ...large]);
  const again = gate();
  node.behave(again.answers());
  const small = Array.from({ length: 7 }, (_, n) => register(balancer, `user${n}`));
  await refused("limits.writesOpen", 2);
  const kept = await Promise.all(Array.from({ length: 20 }, () => rawConnect(port)));
  await refused("limits.connections", more(0));
  for (const connection of kept) connection.end();
  again.open();
  await Promise.all(small);
});

test("a write that the full journal refuses", async (t) => {
  const { balancer, nodes } = await startCluster(t, 1, {
    journal: { maxSize: "1MiB" },
    limits: { body: "256KiB" },
    writes: { sendTimeout: "40ms", ackTimeout: "60ms" },
  });
  nodes[0]?.behave(({ method }) => (method === "POST" ? { fault: "hang" } : {}));
  const body = "x".repeat(200 * 1024);
  await until(
    async () =>
      (await ask(balancer.url, { method: "POST", path: "/register", headers: FORM, body })).code ===
      "journal_full",
  );
  await shows(balancer, "refusals", { limit: "journal.maxSize" }, 1);
});

/** What no test here brings about: who reads no log. Its counter is tested in metrics.test.ts. */
const ELSEWHERE: readonly MetricKey[] = ["logDropped"];

test("spans that a collector took", async (t) => {
  const collector = await startCollector(t);
  const { balancer } = await startCluster(t, 1, { tracing: { endpoint: collector.url, sampleRatio: 1 } });
  await read(balancer);
  await shows(balancer, "spans", { outcome: "exported" }, more(0));
});

test("no metric of the table was left out above", () => {
  const missing = Object.keys(METRICS).filter(
    (metric) => !moved.has(metric as MetricKey) && !ELSEWHERE.includes(metric as MetricKey),
  );
  assert.deepEqual(missing, []);
});
