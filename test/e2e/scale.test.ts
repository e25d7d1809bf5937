/** Nodes come and go by SIGHUP while the load goes on: not one request fails, and newcomers hold everything. */

import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { startApp, type TestApp } from "../support/apps.ts";
import { audit } from "../support/audit.ts";
import { acknowledged, BED_CONFIG, type Bed, nodesOf, startBed } from "../support/bed.ts";
import { noteEffects } from "../support/effects.ts";
import { until } from "../support/wait.ts";

const APP = { app: { digest: "/lb/digest", snapshot: "/lb/snapshot" } };
/** So short that a journal has lost its beginning after a few seconds. */
const FORGETFUL = { ...APP, journal: { retention: "1s" }, writes: { idempotencyWindow: "1s" } };

test("2 nodes become 4, by replay from the first write, then other 2: no request fails", async (t) => {
  const bed = await startBed(t, { nodes: 2 });
  const newcomers = await grow(t, bed, ["app3", "app4"], { empty: true });
  await reloadTo(bed, newcomers);
  await acknowledged(bed.load, 20);
  await allWentWell(t, bed, newcomers, []);
});

test("the journal has lost its beginning: newcomers get a snapshot of a node, no request fails", async (t) => {
  const bed = await startBed(t, { nodes: 2, config: FORGETFUL });
  await until(async () => (await bed.balancer.status()).first > 1, { what: "a purged journal" });
  const newcomers = await grow(t, bed, ["app3", "app4"], { empty: true }, FORGETFUL);
  await reloadTo(bed, newcomers, FORGETFUL);
  await acknowledged(bed.load, 20);
  await allWentWell(t, bed, newcomers, newcomers);
});

test("a node that is not declared empty gets a snapshot, whatever it held before", async (t) => {
  const bed = await startBed(t, { nodes: 2, config: APP });
  const newcomers = await grow(t, bed, ["app3"], { empty: false }, APP);
  await allWentWell(t, bed, [...bed.apps, ...newcomers], newcomers);
});

test("a node leaves and comes again under the same name, empty: it gets all anew", async (t) => {
  const bed = await startBed(t, { nodes: 3 });
  const [app1, app2] = bed.apps as [TestApp, TestApp];
  await reloadTo(bed, [app1, app2]);
  await acknowledged(bed.load, 20);
  const again = await grow(t, { ...bed, apps: [app1, app2] }, ["app3"], { empty: true });
  await allWentWell(t, bed, [app1, app2, ...again], []);
});

/** Adds new apps to the bed's; resolves when they are in-sync and some more writes have gone to all. */
async function grow(
  t: TestContext,
  { apps, balancer, load }: Bed,
  names: readonly string[],
  { empty }: { empty: boolean },
  config: Readonly<Record<string, unknown>> = {},
): Promise<TestApp[]> {
  const newcomers = await Promise.all(names.map((name) => startApp(t, { name })));
  for (const app of newcomers) noteEffects(app);
  const nodes = [...nodesOf(apps), ...nodesOf(newcomers).map((node) => ({ ...node, empty }))];
  const { reload } = await balancer.reload({ nodes, config: { ...BED_CONFIG, ...config } });
  assert.deepEqual(reload?.problems, []);
  for (const name of names) await balancer.reached(name, "in-sync", 30_000);
  await acknowledged(load, 20);
  return newcomers;
}

async function reloadTo(
  { balancer }: Bed,
  apps: readonly TestApp[],
  config: Readonly<Record<string, unknown>> = {},
) {
  const { reload } = await balancer.reload({ nodes: nodesOf(apps), config: { ...BED_CONFIG, ...config } });
  assert.deepEqual(reload?.problems, []);
}

async function allWentWell(
  t: TestContext,
  { balancer, load }: Bed,
  apps: readonly TestApp[],
  copied: readonly TestApp[],
) {
  await audit(load, balancer, apps, { copied });
  const { indeterminate, refused, excused } = load.counts;
  assert.deepEqual(
    { indeterminate, refused, excused },
    { indeterminate: 0, refused: 0, excused: 0 },
    "no write failed",
  );
  t.diagnostic(JSON.stringify(load.counts));
}
