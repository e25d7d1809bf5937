/** Under load a node's process stops answering (SIGSTOP) though it still accepts connections, and goes on later. */

import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { audit } from "../support/audit.ts";
import { acknowledged, startBed } from "../support/bed.ts";
import { until } from "../support/wait.ts";

test("SIGSTOP of a node: it leaves the reads, and comes back with every write, each once", async (t) => {
  const { apps, balancer, load } = await startBed(t);
  for (const app of apps.slice(0, 2)) {
    app.sigstop();
    await until(async () => (await balancer.node(app.name)).state !== "in-sync", { what: `${app.name} out` });
    await acknowledged(load, 30);
    app.sigcont();
    await balancer.reached(app.name, "in-sync");
    await acknowledged(load, 10);
  }
  await audit(load, balancer, apps);
  t.diagnostic(JSON.stringify(load.counts));
});

test("SIGSTOP shorter than the send timeout: the writes wait, nothing is lost or stale", async (t) => {
  const { apps, balancer, load } = await startBed(t);
  const [app] = apps;
  for (const stopped of [200, 600, 1500]) {
    app?.sigstop();
    await pause(stopped);
    app?.sigcont();
    await acknowledged(load, 10);
  }
  await audit(load, balancer, apps);
  t.diagnostic(JSON.stringify(load.counts));
});

test("SIGSTOP of one of two nodes: half of all reads meet it, and none fails", async (t) => {
  const { apps, balancer, load } = await startBed(t, { nodes: 2, load: { reads: 400, writes: 10 } });
  const [app] = apps;
  app?.sigstop();
  await until(async () => (await balancer.node("app1")).state === "down", { what: "app1 down" });
  app?.sigcont();
  await audit(load, balancer, apps);
  t.diagnostic(JSON.stringify(load.counts));
});
