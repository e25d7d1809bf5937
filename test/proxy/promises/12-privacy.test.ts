import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { header, metricsText, startCluster, writesAt } from "../../support/bare-cluster.ts";
import { ask, key, register } from "../../support/client.ts";
import type { TestNode } from "../../support/nodes.ts";
import { until } from "../../support/wait.ts";

const FORM = { "content-type": "application/x-www-form-urlencoded" };
const SECRETS = [
  "hunter2secret",
  "querysecret",
  "headersecret",
  "answersecret",
  "basicsecret",
  "clientkeysecret",
];

/** All files of the balancer, with their bytes. */
function files(folder: string): { name: string; path: string; bytes: Buffer }[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true }).flatMap((entry) => {
    const path = join(entry.parentPath, entry.name);
    return entry.isFile() ? [{ name: entry.name, path, bytes: readFileSync(path) }] : [];
  });
}

function holds(text: string | Buffer): string[] {
  const basic = Buffer.from("ada:basicsecret").toString("base64");
  return [...SECRETS, basic].filter((secret) => text.includes(secret));
}

async function secretWrite(balancer: { url: string }) {
  return await ask(balancer.url, {
    method: "POST",
    path: "/register?token=querysecret",
    headers: {
      ...FORM,
      ...key("clientkeysecret"),
      authorization: `Basic ${Buffer.from("ada:basicsecret").toString("base64")}`,
      "x-session": "headersecret",
    },
    body: "username=ada&password=hunter2secret",
  });
}

test("promise 12, passwords stay private: no body, query, header or answer is readable on disk", async (t) => {
  const { balancer } = await startCluster(
    t,
    2,
    {},
    { status: 201, body: "answersecret", headers: { "set-cookie": "s=answersecret" } },
  );
  assert.equal((await secretWrite(balancer)).status, 201);
  await until(async () => (await balancer.write(1)).outcome === 201);
  for (const { name, bytes } of files(balancer.folder)) assert.deepEqual([name, holds(bytes)], [name, []]);
  await balancer.stop();
  for (const { name, bytes } of files(balancer.folder)) assert.deepEqual([name, holds(bytes)], [name, []]);
});

test("promise 12, passwords stay private: none of it is in the log, in metrics, in the API or on the page", async (t) => {
  const { balancer, nodes } = await startCluster(
    t,
    3,
    { log: { level: "trace", access: true } },
    { status: 201, body: "answersecret" },
  );
  // With every kind of trouble that is logged: divergence, a reset, a 5xx, a timeout, a refused repeat.
  nodes[1]?.behave(
    ({ index }) => [{ fault: "reset" } as const, { status: 500 }, { status: 201 }][index] ?? { status: 409 },
  );
  await secretWrite(balancer);
  await ask(balancer.url, {
    path: "/login?token=querysecret",
    headers: { authorization: "Basic YWRhOmJhc2ljc2VjcmV0" },
  });
  await register(balancer, "bob", key("clientkeysecret"));
  await ask(balancer.url, { method: "POST", path: "/nowhere?token=querysecret", body: "hunter2secret" });
  await ask(balancer.url, {
    method: "POST",
    path: "/register?token=querysecret",
    headers: { "x-lb": "headersecret", ...key("") },
    body: "hunter2secret",
  });
  const pages = await Promise.all([
    metricsText(balancer),
    balancer.admin("/api/status").then(JSON.stringify),
    balancer.admin("/api/writes/1").then(JSON.stringify),
    balancer.admin("/api/writes?pending=0&limit=10").then(JSON.stringify),
  ]);
  await balancer.stop();
  assert.deepEqual(holds(balancer.output()), []);
  for (const page of pages) assert.deepEqual(holds(page), []);
  await balancer.logged(/"route":"all-1"/);
});

test("promise 12, passwords stay private: errors tell the client nothing of other requests' bodies", async (t) => {
  const { balancer } = await startCluster(t, 1);
  await secretWrite(balancer);
  const mismatch = await register(balancer, "bob", key("clientkeysecret"));
  assert.equal(mismatch.status, 422);
  assert.deepEqual(holds(mismatch.body), []);
});

test("promise 12, passwords stay private: every file is 0600, every folder 0700", async (t) => {
  const { balancer } = await startCluster(t, 1);
  await register(balancer, "ada");
  const made = files(balancer.folder).filter(({ name }) => name !== "lb.json");
  assert.ok(made.length >= 4, made.map(({ name }) => name).join());
  for (const { name, path } of made) assert.equal((statSync(path).mode & 0o777).toString(8), "600", name);
  assert.equal((statSync(join(balancer.folder, "data")).mode & 0o777).toString(8), "700");
});

test("promise 12, passwords stay private: the same user has another order key in another journal", async (t) => {
  const one = await startCluster(t, 1);
  const two = await startCluster(t, 1);
  for (const { balancer } of [one, two]) await register(balancer, "ada");
  const hashes = await Promise.all([one, two].map(async ({ balancer }) => (await balancer.write(1)).keyHash));
  assert.match(String(hashes[0]), /^[0-9a-f]{32}$/);
  assert.notEqual(hashes[0], hashes[1]);
});

test("promise 12, passwords stay private: bodies are purged once every member acked and retention has passed", async (t) => {
  const { balancer, nodes } = await startCluster(t, 2, {
    app: { snapshot: "/lb/snapshot" },
    journal: { retention: "1s" },
    writes: { idempotencyWindow: "1s" },
  });
  await register(balancer, "ada");
  await until(async () => (await balancer.status()).first === 2, { what: "the purge of write 1" });
  // A member that is away holds the next ones back.
  await nodes[1]?.stop();
  await register(balancer, "bob");
  const kept = (await balancer.status()).first;
  await nodes[1]?.restart();
  await until(async () => (await balancer.status()).first === 3, { what: "the purge of write 2" });
  assert.equal(kept, 2);
  assert.equal(header(writesAt(nodes[1] as TestNode).at(-1), "lb-seq"), "2");
});

test("promise 12, at the journal's limit the member furthest behind is evicted if minInSync others remain", async (t) => {
  const { balancer, nodes } = await startCluster(t, 2, {
    app: { snapshot: "/lb/snapshot" },
    journal: { maxSize: "1MiB", retention: "1s" },
    writes: { idempotencyWindow: "1s" },
    limits: { body: "256KiB" },
  });
  await nodes[1]?.stop();
  await balancer.reached("app2", "down");
  const post = (n: number) =>
    ask(balancer.url, {
      method: "POST",
      path: "/register",
      headers: FORM,
      body: `username=u${n}&x=${"x".repeat(120_000)}`,
    });
  let accepted = 0;
  await until(
    async () => {
      if ((await post(accepted)).status === 200) accepted++;
      return accepted >= 20;
    },
    { timeout: 20_000, what: "20 writes of 120 kB through a journal of 1 MiB" },
  );
  const node = await balancer.node("app2");
  assert.deepEqual([node.state, node.member], ["down", false]);
  await balancer.logged(/evicted/);
});

test("promise 12, at the journal's limit nobody is evicted where that would leave fewer than minInSync", async (t) => {
  const { balancer, nodes } = await startCluster(t, 2, {
    app: { snapshot: "/lb/snapshot" },
    journal: { maxSize: "1MiB", retention: "1s" },
    writes: { idempotencyWindow: "1s", minInSync: 1 },
    limits: { body: "256KiB" },
  });
  // app1 has all; the only other one is in-sync, too: nothing to evict, the purge alone makes room.
  for (const node of nodes) node.behave({});
  let accepted = 0;
  await until(
    async () => {
      const body = `username=u${accepted}&x=${"x".repeat(120_000)}`;
      const { status } = await ask(balancer.url, { method: "POST", path: "/register", headers: FORM, body });
      if (status === 200) accepted++;
      return accepted >= 12;
    },
    { timeout: 20_000, what: "12 writes as the purge makes room" },
  );
  assert.deepEqual(
    (await balancer.status()).nodes.map(({ member }) => member),
    [true, true],
  );
});
