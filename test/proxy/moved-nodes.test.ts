/** A node whose address was changed in the config while the balancer was away: is it still the one that the journal knows? */

import assert from "node:assert/strict";
import { test } from "node:test";
import { startApp, type TestApp } from "../support/apps.ts";
import { startBalancer } from "../support/balancer.ts";
import { readsAt, seqsAt, startCluster } from "../support/bare-cluster.ts";
import { read, register } from "../support/client.ts";
import { startNode } from "../support/nodes.ts";

test("a node at another address after a start has no history: it gets every write from the first, then reads", async (t) => {
  const { balancer, listed } = await startCluster(t, 2);
  for (const user of ["ann", "ben", "cid"]) await register(balancer, user);
  await balancer.stop();
  const moved = await startNode(t);
  await balancer.startWith([listed[0] as (typeof listed)[number], { name: "app2", url: moved.url }]);
  assert.deepEqual(seqsAt(moved), [1, 2, 3]);
  await balancer.logged(/its address changed from .* to .*node lost its history/);
  await read(balancer);
  await read(balancer);
  assert.equal(readsAt(moved), 1);
  // Another start finds it where it was.
  await balancer.stop();
  await balancer.start();
  assert.deepEqual(seqsAt(moved), [1, 2, 3]);
  assert.doesNotMatch(balancer.output(), /node lost its history/);
});

test("nodes that all have other addresses after a start are refused: nobody could give them their state", async (t) => {
  const { balancer, listed } = await startCluster(t, 2);
  await register(balancer, "ann");
  await balancer.stop();
  const moved = await Promise.all([startNode(t), startNode(t)]);
  const elsewhere = moved.map(({ url }, index) => ({ name: `app${index + 1}`, url }));
  await assert.rejects(
    balancer.startWith(elsewhere),
    /the config cannot be used:\s+nodes: expected one of app1 \(http:.*\), app2 \(http:.*\) to keep its name and url, got none/,
  );
  const renamed = listed.map(({ url }, index) => ({ name: `web${index + 1}`, url }));
  await assert.rejects(balancer.startWith(renamed), /to keep its name and url, got none/);
  // Nothing was lost by it.
  await balancer.startWith(listed);
  assert.equal((await read(balancer)).status, 200);
  assert.deepEqual(moved.map(seqsAt), [[], []]);
});

test("nodes that say which state they hold keep it at another address, and must hold that one", async (t) => {
  const apps = await Promise.all(["app1", "app2"].map((name) => startApp(t, { name })));
  const [first] = apps as [TestApp, TestApp];
  const config = { health: { path: "/healthz" }, app: { digest: "/lb/digest" } };
  const balancer = await startBalancer(t, { nodes: apps.map(({ name, url }) => ({ name, url })), config });
  await register(balancer, "ann");
  await balancer.stop();
  // Reachable under another name of the same machine.
  const elsewhere = apps.map(({ name, url }) => ({ name, url: url.replace("127.0.0.1", "localhost") }));
  await balancer.startWith(elsewhere);
  assert.doesNotMatch(balancer.output(), /node lost its history/);
  await balancer.stop();
  // Both names lead to the first one's state.
  const mixedUp = [
    { name: "app1", url: first.url },
    { name: "app2", url: first.url.replace("127.0.0.1", "localhost") },
  ];
  await balancer.startWith(mixedUp, "listening");
  await balancer.logged(/node lost its history/);
  await balancer.logged(/"node":"app2".*stateId changed/);
});
