import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import {
  arrived,
  gate,
  header,
  QUICK,
  readsAt,
  seqsAt,
  startCluster,
  writesAt,
} from "../support/bare-cluster.ts";
import { ask, key, type Reply, read, register } from "../support/client.ts";
import { MAIN } from "../support/lb-proxy.ts";
import { startNode, type TestNode } from "../support/nodes.ts";
import { startProcess } from "../support/process.ts";
import { until } from "../support/wait.ts";

/** Clients that go on until `stop` or the test's end, and what came of them. */
function startClients(
  t: TestContext,
  balancer: { url: string },
): {
  stop(): Promise<{ reads: Reply[]; writes: Reply[]; broken: unknown[] }>;
} {
  const [reads, writes, broken] = [[] as Reply[], [] as Reply[], [] as unknown[]];
  let stopped = false;
  // Without this a test that failed in between would never end.
  t.after(() => {
    stopped = true;
  });
  const loop = async (work: (n: number) => Promise<unknown>) => {
    for (let n = 0; !stopped; n++) await work(n).catch((error: unknown) => broken.push(error));
  };
  const loops = [0, 1].flatMap((client) => [
    loop(async () => reads.push(await read(balancer))),
    loop(async (n) => writes.push(await register(balancer, `c${client}n${n}`))),
  ]);
  return {
    async stop() {
      stopped = true;
      await Promise.all(loops);
      return { reads, writes, broken };
    },
  };
}

function failures(replies: readonly Reply[]): string[] {
  return replies.filter(({ status }) => status !== 200).map(({ status, body }) => `${status} ${body}`);
}

test("SIGHUP adds a node: it gets all writes from the first, then reads; no request fails meanwhile", async (t) => {
  const { balancer, nodes, listed } = await startCluster(t, 2);
  await Promise.all(Array.from({ length: 20 }, (_, n) => register(balancer, `user${n}`)));
  const added = await startNode(t);
  const clients = startClients(t, balancer);
  await balancer.reload({ nodes: [...listed, { name: "app3", url: added.url }] });
  await balancer.reached("app3", "in-sync");
  await until(() => readsAt(added) > 3);
  const { reads, writes, broken } = await clients.stop();
  assert.deepEqual([broken, failures(reads), failures(writes)], [[], [], []]);
  await balancer.settled();
  const { head } = await balancer.status();
  for (const node of [...nodes, added]) assert.equal(new Set(seqsAt(node)).size, head);
});

test("SIGHUP removes a node: what it is doing may end, it gets nothing new, no request fails", async (t) => {
  const { balancer, nodes, listed } = await startCluster(t, 3);
  const clients = startClients(t, balancer);
  await until(() => readsAt(nodes[2] as TestNode) > 3);
  const status = await balancer.reload({ nodes: listed.slice(0, 2) });
  assert.deepEqual(
    status.nodes.map(({ name }) => name),
    ["app1", "app2"],
  );
  await until(async () => (await balancer.status()).writesOpen === 0);
  const before = nodes[2]?.begun;
  await until(async () => (await balancer.status()).head > status.head + 3);
  assert.equal(nodes[2]?.begun, before);
  const { reads, writes, broken } = await clients.stop();
  assert.deepEqual([broken, failures(reads), failures(writes)], [[], [], []]);
});

test("SIGHUP removes a node that writes wait for: they wait no longer", async (t) => {
  const { balancer, nodes, listed } = await startCluster(t, 2, {
    writes: { sendTimeout: "5s", ackTimeout: "9s", attemptTimeout: "10s" },
  });
  const never = gate();
  nodes[1]?.behave(never.answers());
  const reply = register(balancer, "ada");
  await arrived(nodes[1] as TestNode, 1);
  await balancer.reload({ nodes: listed.slice(0, 1) });
  assert.equal((await reply).status, 200);
  never.open();
});

test("SIGHUP with another address for a node: it starts without history", async (t) => {
  const { balancer, listed } = await startCluster(t, 2);
  await register(balancer, "ada");
  const moved = await startNode(t);
  const [first] = listed;
  await balancer.reload({ nodes: [first as (typeof listed)[number], { name: "app2", url: moved.url }] });
  await balancer.settled();
  assert.deepEqual(seqsAt(moved), [1], "replayed from the first write");
});

test("SIGHUP that leaves none of the nodes that are in-sync is refused: nobody could ever give the others their state", async (t) => {
  const { balancer, listed } = await startCluster(t, 2);
  await register(balancer, "ada");
  const moved = await Promise.all([startNode(t), startNode(t)]);
  const elsewhere = moved.map(({ url }, index) => ({ name: `app${index + 1}`, url }));
  const { reload } = await balancer.reload({ nodes: elsewhere });
  assert.equal(reload?.ok, false);
  assert.match(reload?.problems.join() ?? "", /^nodes: expected one of those in-sync \(app1, app2\) to keep/);
  assert.equal((await read(balancer)).status, 200);
  assert.equal((await register(balancer, "bob")).status, 200);
  // One after the other goes.
  const [first, second] = listed as [(typeof listed)[number], (typeof listed)[number]];
  await balancer.reload({ nodes: [first, { ...second, url: elsewhere[1]?.url ?? "" }] });
  await balancer.reached("app2", "in-sync");
  await balancer.reload({ nodes: elsewhere });
  await balancer.settled();
  assert.deepEqual(moved.map(seqsAt), [
    [1, 2],
    [1, 2],
  ]);
});

test("SIGHUP that removes a node and one that adds it again: it is a new node", async (t) => {
  const { balancer, nodes, listed } = await startCluster(t, 2);
  await register(balancer, "ada");
  await balancer.reload({ nodes: listed.slice(0, 1) });
  await register(balancer, "bob");
  nodes[1]?.clearLog();
  await balancer.reload({ nodes: [...listed] });
  await balancer.settled();
  assert.deepEqual(seqsAt(nodes[1] as TestNode), [1, 2]);
  assert.equal(
    header(writesAt(nodes[1] as TestNode)[0], "lb-cursor"),
    "0",
    "nothing of it may be forgotten yet",
  );
});

test("SIGHUP with a config that is wrong: the old one stays in use, and the status says why", async (t) => {
  const { balancer, listed } = await startCluster(t, 1);
  const status = await balancer.reload({
    nodes: [...listed],
    config: { writes: { sendTimeout: "9s", ackTimeout: "5s" } },
  });
  assert.equal(status.reload?.ok, false);
  assert.match(String(status.reload?.problems), /writes\/sendTimeout: expected less than writes\/ackTimeout/);
  assert.equal((await register(balancer, "ada")).status, 200);
  const file = join(balancer.folder, "lb.json");
  writeFileSync(file, readFileSync(file, "utf8").slice(0, 40));
  balancer.signal("SIGHUP");
  await until(async () =>
    /lb\.json|JSON|YAML|flow/i.test(String((await balancer.status()).reload?.problems)),
  );
  assert.equal((await read(balancer)).status, 200);
});

test("SIGHUP with what only a new start can change is refused as a whole", async (t) => {
  const { balancer, listed } = await startCluster(t, 1);
  const added = await startNode(t);
  const status = await balancer.reload({
    nodes: [...listed, { name: "app2", url: added.url }],
    config: { cluster: "other" },
  });
  assert.match(String(status.reload?.problems), /cluster: expected no change while running/);
  assert.deepEqual(
    status.nodes.map(({ name }) => name),
    ["app1"],
  );
});

test("SIGHUP changes routes, limits and ack policy for the requests behind it", async (t) => {
  const { balancer, listed } = await startCluster(t, 2);
  assert.equal((await ask(balancer.url, { method: "POST", path: "/other", body: "x" })).status, 405);
  const routes = [
    { match: { methods: ["POST"], paths: ["/other"] }, to: "all", ack: "one" },
    { match: { methods: ["GET"] }, to: "one", balance: "leastconn" },
  ];
  const status = await balancer.reload({ nodes: [...listed], config: { routes, limits: { body: "10B" } } });
  assert.equal(status.reload?.ok, true);
  assert.equal((await ask(balancer.url, { method: "POST", path: "/other", body: "x" })).status, 200);
  assert.equal(
    (await ask(balancer.url, { method: "POST", path: "/other", body: "x".repeat(11) })).status,
    413,
  );
  assert.equal((await register(balancer, "ada")).status, 405);
  assert.deepEqual(
    status.routes.map(({ policy }) => policy),
    ["one", "leastconn"],
  );
});

test("SIGHUP changes the deadlines of writes at nodes that stay", async (t) => {
  const { balancer, nodes, listed } = await startCluster(t, 2, {
    writes: { sendTimeout: "4s", ackTimeout: "9s", attemptTimeout: "60s" },
  });
  await balancer.reload({
    nodes: [...listed],
    config: { writes: { sendTimeout: "200ms", ackTimeout: "9s", attemptTimeout: "300ms" } },
  });
  nodes[1]?.behave(({ index }) => (index === 0 ? { fault: "hang" } : {}));
  const begun = performance.now();
  assert.equal((await register(balancer, "ada")).status, 200);
  await balancer.settled();
  assert.ok(performance.now() - begun < 3500);
  assert.equal(writesAt(nodes[1] as TestNode).length, 2);
});

test("two SIGHUPs at once end with the newer config", async (t) => {
  const { balancer, nodes, listed } = await startCluster(t, 3);
  const file = join(balancer.folder, "lb.json");
  const config = JSON.parse(readFileSync(file, "utf8")) as Record<string, unknown>;
  for (let round = 0; round < 5; round++) {
    for (const kept of [listed.slice(0, 2), listed]) {
      writeFileSync(
        file,
        JSON.stringify({ ...config, nodes: kept.map((node) => ({ ...node, empty: true })) }),
      );
      balancer.signal("SIGHUP");
      await read(balancer);
    }
  }
  await until(async () => (await balancer.status()).nodes.length === 3);
  await balancer.settled();
  await register(balancer, "ada");
  for (const node of nodes) assert.ok(writesAt(node).length >= 1);
  assert.deepEqual(
    (await balancer.status()).nodes.map(({ name }) => name),
    ["app1", "app2", "app3"],
  );
});

test("SIGHUP while the balancer still starts ends nothing: the config is read again once it runs", async (t) => {
  const { balancer } = await startCluster(t, 1);
  await balancer.stop();
  const starting = await startProcess(t, {
    name: "lb-proxy",
    command: process.execPath,
    args: [MAIN, "run", "--config", join(balancer.folder, "lb.json")],
    ready: /"msg":"(starting)"/,
  });
  starting.signal("SIGHUP");
  await until(() => /"msg":"reloaded"/.test(starting.output()) || starting.ended !== null);
  assert.match(starting.output(), /"msg":"ready".*"msg":"reloaded"/s);
});

test("SIGHUP changes what is logged: access lines and level", async (t) => {
  const { balancer, listed } = await startCluster(t, 1);
  const accessLines = () => balancer.output().match(/"msg":"request"/g)?.length ?? 0;
  await read(balancer);
  await until(() => accessLines() === 1);
  await balancer.reload({ nodes: [...listed], config: { log: { access: false } } });
  await read(balancer);
  await balancer.reload({ nodes: [...listed], config: { log: { level: "warn" } } });
  await read(balancer);
  await balancer.reload({ nodes: [...listed] });
  await read(balancer);
  // Lines go out in their order: one of the two in between would be here before the last one.
  await until(() => accessLines() > 1);
  assert.equal(accessLines(), 2);
});

test("SIGHUP changes for how long an Idempotency-Key is remembered", async (t) => {
  const { balancer, listed } = await startCluster(t, 1);
  const seq = async () => (await register(balancer, "ada", key("k"))).headers["lb-seq"];
  assert.deepEqual([await seq(), await seq()], ["1", "1"]);
  const config = { writes: { ...QUICK, idempotencyWindow: "1s" } };
  await balancer.reload({ nodes: [...listed], config });
  await until(async () => (await seq()) === "2");
});

test("SIGHUP changes for how long bodies are kept", async (t) => {
  const { balancer, listed } = await startCluster(t, 1);
  await register(balancer, "ada");
  const config = { writes: { ...QUICK, idempotencyWindow: "1s" }, journal: { retention: "1s" } };
  await balancer.reload({ nodes: [...listed], config });
  await until(async () => (await balancer.status()).first === 2);
});

test("SIGHUP changes the size at which the journal is full", async (t) => {
  const { balancer, listed } = await startCluster(t, 1);
  const status = await balancer.reload({ nodes: [...listed], config: { journal: { maxSize: "5MiB" } } });
  assert.equal(status.journalMaxBytes, 5 * 1024 * 1024);
});

test("SIGHUP declares a node empty that waits for nothing else: it gets every write from the first", async (t) => {
  const { balancer, listed } = await startCluster(t, 1);
  await register(balancer, "ada");
  const added = await startNode(t);
  const node = { name: "app2", url: added.url };
  await balancer.reload({ nodes: [...listed, { ...node, empty: false }] });
  await until(async () => /not declared empty/.test((await balancer.node("app2")).bootstrap ?? ""));
  await balancer.reload({ nodes: [...listed, { ...node, empty: true }] });
  await balancer.reached("app2", "in-sync");
  assert.deepEqual(seqsAt(added), [1]);
});

test("SIGHUP says that the app offers snapshots: a node that waits for one gets it", async (t) => {
  const { balancer, listed } = await startCluster(t, 1);
  await register(balancer, "ada");
  const added = await startNode(t);
  const nodes = [...listed, { name: "app2", url: added.url, empty: false }];
  await balancer.reload({ nodes });
  await until(async () => /offers no snapshot/.test((await balancer.node("app2")).bootstrap ?? ""));
  await balancer.reload({ nodes, config: { app: { snapshot: "/lb/snapshot" } } });
  await balancer.reached("app2", "in-sync");
  assert.deepEqual(
    added.log.filter(({ url }) => url === "/lb/snapshot").map(({ method }) => method),
    ["PUT"],
  );
});
