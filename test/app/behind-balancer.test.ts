import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { startApp } from "../support/apps.ts";
import { startBalancer } from "../support/balancer.ts";
import { nodesOf } from "../support/bed.ts";
import { until } from "../support/wait.ts";
import { call, digest, health, login, post } from "./client.ts";

test("behind the balancer: same digest and seq on each node, keys bounded, /lb/ not there for clients", async (t) => {
  const apps = await Promise.all(["app1", "app2"].map((name) => startApp(t, { name })));
  const balancer = await startBalancer(t, { nodes: nodesOf(apps) });
  for (let i = 1; i <= 60; i += 1) {
    const { status } = await post(`${balancer.url}/register`, { username: `user${i}`, password: "one" });
    assert.equal(status, 201);
  }
  const [one, two] = await Promise.all(apps.map(({ url }) => digest(url)));
  assert.deepEqual(one, two);
  assert.deepEqual([one?.users, one?.lastSeq], [60, 60]);

  const journals = await Promise.all(apps.map(async ({ url }) => (await health(url)).journal));
  assert.ok(journals[0], "the journal's id was read from the key");
  assert.equal(journals[0], journals[1]);
  for (const app of apps) assert.ok(keysOf(app.dataFile) < 10, `${keysOf(app.dataFile)} keys kept`);

  assert.equal((await login(balancer.url, "user60", "one")).status, 200);
  assert.equal((await call(`${balancer.url}/lb/snapshot`)).status, 404);
  assert.equal((await call(`${balancer.url}/lb/digest`)).status, 404);
});

test("behind the balancer: a node that was killed catches up, each write once", async (t) => {
  const apps = await Promise.all(["app1", "app2"].map((name) => startApp(t, { name })));
  const [first, second] = [apps[0], apps[1]];
  assert.ok(first && second);
  const config = { health: { interval: "100ms", timeout: "100ms", rise: 1 } };
  const balancer = await startBalancer(t, { nodes: nodesOf(apps), config });
  const registering = Array.from({ length: 40 }, async (_, i) => {
    if (i === 10) await second.kill9();
    return (await post(`${balancer.url}/register`, { username: `user${i}`, password: "one" })).status;
  });
  assert.deepEqual(new Set(await Promise.all(registering)), new Set([201]));
  await second.restart();
  const expected = await digest(first.url);
  assert.equal(expected.users, 40);
  await until(async () => (await digest(second.url)).digest === expected.digest);
});

test("behind the balancer: a new node joins by snapshot, and what was remembered came along", async (t) => {
  const apps = await Promise.all(["app1", "app2", "app3"].map((name) => startApp(t, { name })));
  const config = { app: { snapshot: "/lb/snapshot", digest: "/lb/digest" } };
  const balancer = await startBalancer(t, { nodes: nodesOf(apps.slice(0, 2)), config });
  await balancer.stop();
  await balancer.start(); // from here on its config names the ports that it got: a reload may not change them
  const { stateId } = await health(apps[2]?.url ?? "");
  let count = 0;
  let stopped = false;
  const load = (async () => {
    for (; !stopped; count += 1) {
      const { status } = await post(`${balancer.url}/register`, {
        username: `user${count}`,
        password: "one",
      });
      assert.equal(status, 201);
    }
  })();
  await until(() => count >= 20);
  const { reload } = await balancer.reload({
    nodes: nodesOf(apps).map((node) => ({ ...node, empty: false })),
    config,
  });
  assert.deepEqual(reload?.problems, []);
  await balancer.reached("app3", "in-sync");
  stopped = true;
  await load;
  await balancer.settled();
  const digests = await Promise.all(apps.map(({ url }) => digest(url)));
  assert.equal(digests[0]?.users, count);
  assert.deepEqual(new Set(digests.map((each) => each.digest)).size, 1);
  const after = await Promise.all(apps.map(({ url }) => health(url)));
  assert.equal(new Set(after.map(({ journal }) => journal)).size, 1);
  assert.notEqual(after[2]?.stateId, stateId, "it was a snapshot, not a replay");
});

function keysOf(dataFile: string): number {
  using db = new DatabaseSync(dataFile, { readOnly: true });
  return Number(db.prepare("SELECT count(*) AS n FROM answers").get()?.n);
}
