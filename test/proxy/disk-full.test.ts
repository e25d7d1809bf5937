/** A real full disk: the journal on a file system of its own (tmpfs, in a mount namespace that no other process sees). */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { startBalancer } from "../support/balancer.ts";
import { seqsAt } from "../support/bare-cluster.ts";
import { ask, type Reply } from "../support/client.ts";
import { startNode } from "../support/nodes.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { until } from "../support/wait.ts";

const PRIVATE = ["unshare", "--mount", "--map-root-user"] as const;
const [unshare, ...flags] = PRIVATE;
const impossible =
  spawnSync(unshare, [...flags, "mount", "-t", "tmpfs", "none", "/mnt"]).status === 0
    ? false
    : "this user may not mount a file system, not even in a namespace of its own";

/** 60 kB each. */
function write(balancer: { url: string }, user: string): Promise<Reply> {
  const headers = { "content-type": "application/x-www-form-urlencoded" };
  const body = `username=${user}&x=${"x".repeat(60_000)}`;
  return ask(balancer.url, { method: "POST", path: "/register", headers, body });
}

test("the disk is full before the journal is: writes are told so, reads go on, and all does when there is room", {
  skip: impossible,
}, async (t) => {
  const folder = tempFolder(t);
  const data = join(folder, "data");
  mkdirSync(data);
  const mount = 'mount -t tmpfs -o size=4m none "$0" && exec "$@"';
  const [node, away] = await Promise.all([startNode(t), startNode(t)]);
  const balancer = await startBalancer(t, {
    nodes: [node, away].map(({ url }, index) => ({ name: `app${index + 1}`, url })),
    folder,
    under: [...PRIVATE, "sh", "-c", mount, data],
  });
  await away.stop();
  await balancer.reached("app2", "down");
  // As the balancer sees it.
  const filler = `/proc/${balancer.pid}/root${data}/filler`;
  writeFileSync(filler, Buffer.alloc(1024 * 1024));
  let accepted = 0;
  let reply = await write(balancer, "u0");
  for (; reply.status === 200 && accepted < 100; accepted++)
    reply = await write(balancer, `u${accepted + 1}`);
  assert.deepEqual([reply.status, reply.code], [503, "disk_full"]);
  assert.match(reply.body, /Make room on the file system of dataDir/);
  const alarm = /"level":50.*Make room on the file system.*"what":"writes are refused"/;
  await until(() => alarm.test(balancer.output()), { what: "the alarm in the log" });
  assert.equal((await ask(balancer.url, { method: "GET", path: "/login" })).status, 200);
  assert.equal((await balancer.node("app2")).member, true, "to evict it would make no room on the disk");
  rmSync(filler);
  assert.equal((await write(balancer, "later")).status, 200);
  assert.deepEqual(
    seqsAt(node),
    Array.from({ length: accepted + 1 }, (_, index) => index + 1),
  );
});
