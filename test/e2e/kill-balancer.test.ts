/** Under load the balancer's process is killed and started again on its own journal. */

import { test } from "node:test";
import { audit } from "../support/audit.ts";
import { acknowledged, startBed, whenReady } from "../support/bed.ts";

test("kill -9 of the balancer: what was acknowledged is on every node, reads fail only while it is down", async (t) => {
  const { apps, balancer, load } = await startBed(t);
  for (let round = 0; round < 3; round++) {
    await load.outage(async () => {
      await balancer.kill9();
      await balancer.start("listening");
      await whenReady(balancer);
    });
    await acknowledged(load, 30);
  }
  await audit(load, balancer, apps);
  t.diagnostic(JSON.stringify(load.counts));
});

test("kill -9 of the balancer while a node is down: the node gets all it missed", async (t) => {
  const { apps, balancer, load } = await startBed(t);
  const [app] = apps;
  await app?.kill9();
  await acknowledged(load, 20);
  await load.outage(async () => {
    await balancer.kill9();
    await balancer.start("listening");
    await whenReady(balancer);
  });
  await acknowledged(load, 20);
  await app?.restart();
  await audit(load, balancer, apps);
  t.diagnostic(JSON.stringify(load.counts));
});
