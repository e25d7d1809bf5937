/** What apps may forget: `lb-cursor` is a promise that no write up to it comes again, whatever happens. */

import assert from "node:assert/strict";
import { cpSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { startBalancer, type TestBalancer } from "../support/balancer.ts";
import { startNode } from "../support/nodes.ts";
import { tempFolder } from "../support/temp-folder.ts";

test("lb-cursor never runs ahead of the cursor on disk: after a kill -9 writes above that one come again", async (t) => {
  const node = await startNode(t);
  const balancer = await startBalancer(t, { nodes: [{ name: "app1", url: node.url }] });
  const told: { lbCursor: number; onDisk: number }[] = [];
  node.behave(({ headers }) => {
    told.push({ lbCursor: Number(headers["lb-cursor"]), onDisk: cursorOnDisk(balancer, tempFolder(t)) });
    return {};
  });
  // All of one user and at once: each is sent the moment the one before it was acked.
  const replies = await Promise.all(Array.from({ length: 20 }, () => change(balancer)));
  assert.deepEqual(new Set(replies), new Set([200]));
  const ahead = told.filter(({ lbCursor, onDisk }) => lbCursor > onDisk);
  assert.deepEqual(ahead, [], `of ${told.length} requests`);
  await balancer.settled();
  await change(balancer);
  assert.ok((told.at(-1)?.lbCursor ?? 0) > 0, "it does move");
});

async function change(balancer: TestBalancer): Promise<number> {
  const body = new URLSearchParams({ username: "ann" });
  return (await fetch(`${balancer.url}/changePassword`, { method: "POST", body })).status;
}

function cursorOnDisk(balancer: TestBalancer, copy: string): number {
  balancer.signal("SIGSTOP");
  cpSync(join(balancer.folder, "data"), copy, { recursive: true });
  balancer.signal("SIGCONT");
  using db = new DatabaseSync(join(copy, "journal.db"));
  return Number(db.prepare("SELECT cursor FROM nodes WHERE removed = 0").get()?.cursor);
}
