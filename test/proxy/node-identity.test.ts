import assert from "node:assert/strict";
import { copyFileSync, rmSync } from "node:fs";
import { type TestContext, test } from "node:test";
import type { VerifyReport } from "../../proxy/api.ts";
import { startApp, type TestApp } from "../support/apps.ts";
import { startBalancer, type TestBalancer } from "../support/balancer.ts";
import { startCluster } from "../support/bare-cluster.ts";
import { noted, once, writeSome } from "../support/newcomer.ts";
import { keepState } from "../support/stateful-node.ts";

const CONFIG = {
  health: { path: "/healthz" },
  app: { snapshot: "/lb/snapshot", digest: "/lb/digest" },
};

async function startPair(
  t: TestContext,
  config: object,
): Promise<{ apps: TestApp[]; balancer: TestBalancer }> {
  const apps = await Promise.all(["app1", "app2"].map((name) => startApp(t, { name })));
  const nodes = apps.map(({ name, url }) => ({ name, url }));
  return { apps, balancer: await startBalancer(t, { nodes, config: { ...CONFIG, ...config } }) };
}

async function register(balancer: TestBalancer, ...users: string[]): Promise<void> {
  for (const username of users) {
    const body = new URLSearchParams({ username, password: "secret" });
    const response = await fetch(`${balancer.url}/register`, { method: "POST", body });
    assert.equal(response.status, 201, await response.text());
  }
}

/** What happens to a node's files while its process is away. */
async function whileAway(app: TestApp, balancer: TestBalancer, act: () => void): Promise<void> {
  await app.kill9();
  await balancer.reached(app.name, "down");
  act();
  await app.restart();
}

function removeFiles({ dataFile }: TestApp): void {
  for (const end of ["", "-wal", "-shm"]) rmSync(dataFile + end, { force: true });
}

async function allEqual(balancer: TestBalancer, users: number): Promise<void> {
  await balancer.settled();
  const report = await balancer.admin<VerifyReport>("/api/verify", "POST");
  assert.equal(report.equal, true, JSON.stringify(report));
  assert.deepEqual(
    report.nodes.map((node) => node.users),
    [users, users],
  );
}

for (const [how, config] of [
  ["no snapshots offered", { app: { digest: "/lb/digest" } }],
  ["snapshots offered", { journal: { retention: "keep" } }],
] as const) {
  test(`a node whose disk was replaced is a node without history (comes back by itself, ${how})`, async (t) => {
    const { apps, balancer } = await startPair(t, config);
    await register(balancer, "ann", "ben");
    const [, second] = apps as [TestApp, TestApp];
    await whileAway(second, balancer, () => removeFiles(second));
    await allEqual(balancer, 2);
    await balancer.logged(/node lost its history/);
  });
}

test("a node that had an older backup put back is a node without history", async (t) => {
  const { apps, balancer } = await startPair(t, {});
  const [, second] = apps as [TestApp, TestApp];
  await register(balancer, "ann");
  const backup = `${second.dataFile}.backup`;
  await whileAway(second, balancer, () => copyFileSync(second.dataFile, backup));
  await balancer.settled();
  await register(balancer, "ben", "cid");
  await whileAway(second, balancer, () => {
    removeFiles(second);
    copyFileSync(backup, second.dataFile);
  });
  await allEqual(balancer, 3);
  await balancer.logged(/an older state was put back|stateId changed/);
});

test("a node that is killed and comes back with its own disk keeps its history", async (t) => {
  const { apps, balancer } = await startPair(t, {});
  const [, second] = apps as [TestApp, TestApp];
  await register(balancer, "ann", "ben");
  await whileAway(second, balancer, () => {});
  await allEqual(balancer, 2);
  assert.doesNotMatch(balancer.output(), /lost its history/);
});

test("a node whose process ends is out of the reads at once, without a request or a check that fails", async (t) => {
  const health = { path: "/healthz", interval: "1h", timeout: "5s" };
  const { apps, balancer } = await startPair(t, { health });
  const [, second] = apps as [TestApp, TestApp];
  await register(balancer, "ann");
  await second.kill9();
  await balancer.reached("app2", "down");
});

test("what the app said of its state outlives a restart of the balancer", async (t) => {
  const { apps, balancer } = await startPair(t, {});
  const [, second] = apps as [TestApp, TestApp];
  await register(balancer, "ann", "ben");
  await balancer.stop();
  await second.kill9();
  removeFiles(second);
  await second.restart();
  await balancer.start("listening");
  await allEqual(balancer, 2);
  await balancer.logged(/node lost its history/);
});

test("that a node was empty once does not make it empty when it loses its history later: no replay on top", async (t) => {
  // The only check of each node is the one before its first write.
  const health = { path: "/healthz", interval: "1h", timeout: "5s" };
  const { balancer, nodes } = await startCluster(t, 2, { health });
  const states = nodes.map((node) =>
    keepState(node, {
      override: ({ url }) => (url === "/healthz" ? { body: '{"stateId":"one","lastSeq":0}' } : null),
    }),
  );
  await balancer.stop();
  await balancer.start();
  await writeSome(balancer, 5);
  await balancer.admin("/api/nodes/app2/resync", "POST", { manual: true, from: "app1" });
  await balancer.admin("/api/nodes/app2/ready", "POST");
  await noted(balancer, "app2", /resync app2 --from DONOR --manual/);
  assert.equal((await balancer.node("app2")).state, "joining");
  once(states);
});
