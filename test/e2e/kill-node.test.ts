/** Under load a node's process is killed, stays away for a while, and comes back on its own file. */

import { test } from "node:test";
import { audit } from "../support/audit.ts";
import { acknowledged, startBed } from "../support/bed.ts";

test("kill -9 of a node: no acknowledged write is lost, no read is stale, none fails", async (t) => {
  const { apps, balancer, load } = await startBed(t);
  for (const app of apps) {
    await app.kill9();
    await acknowledged(load, 30);
    await app.restart();
    await balancer.reached(app.name, "in-sync");
    await acknowledged(load, 10);
  }
  await audit(load, balancer, apps);
  t.diagnostic(JSON.stringify(load.counts));
});
