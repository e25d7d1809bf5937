import assert from "node:assert/strict";
import { copyFileSync, existsSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { type BareCluster, seqOf, seqsAt, startCluster } from "../../support/bare-cluster.ts";
import { ask, register } from "../../support/client.ts";
import type { Arrival, Reaction } from "../../support/nodes.ts";
import { tempFolder } from "../../support/temp-folder.ts";

/** The seqs that the files on disk hold, read from a copy: the balancer keeps the originals locked. */
function seqsOnDisk(folder: string, scratch: string): Set<number> {
  for (const file of ["journal.db", "journal.db-wal"]) {
    if (existsSync(join(folder, "data", file))) copyFileSync(join(folder, "data", file), join(scratch, file));
  }
  using db = new DatabaseSync(join(scratch, "journal.db"));
  return new Set(
    db
      .prepare("SELECT seq FROM bodies")
      .all()
      .map(({ seq }) => Number(seq)),
  );
}

test("promise 1, disk before nodes: a record is in the journal's files when it arrives at a node", async (t) => {
  const found: boolean[] = [];
  let cluster: BareCluster | null = null;
  const look = (arrival: Arrival): Reaction => {
    const folder = cluster?.balancer.folder ?? "";
    found.push(seqsOnDisk(folder, tempFolder(t)).has(seqOf(arrival)));
    return {};
  };
  cluster = await startCluster(t, 2, {}, look);
  for (const name of ["ada", "bob", "cyd"])
    assert.equal((await register(cluster.balancer, name)).status, 200);
  assert.deepEqual(found, Array(6).fill(true));
});

test("promise 1, disk before nodes: after kill -9 the journal has every record that a node has seen", async (t) => {
  const { balancer, nodes } = await startCluster(t, 2, {}, { fault: "hang" });
  const first = nodes[0];
  assert.ok(first);
  const killed = Promise.withResolvers<void>();
  first.behave((arrival) => {
    if (arrival.index === 4) void balancer.kill9().then(killed.resolve);
    return { fault: "hang" };
  });
  const clients = Array.from({ length: 30 }, (_, index) =>
    register(balancer, `user${index}`).catch(() => null),
  );
  await killed.promise;
  await Promise.all(clients);
  const seen = new Set(nodes.flatMap(seqsAt));
  for (const node of nodes) node.behave({});
  await balancer.start();
  const { head } = await balancer.status();
  assert.ok(seen.size >= 5);
  for (const seq of seen) assert.ok(seq <= head && (await balancer.write(seq)).seq === seq);
});

test("promise 1, disk before nodes: what does not fit in the journal is refused, and no node sees it", async (t) => {
  const { balancer, nodes } = await startCluster(t, 1, {
    journal: { maxSize: "1MiB" },
    limits: { body: "256KiB" },
  });
  const statuses: number[] = [];
  let refused = 0;
  for (let index = 0; refused < 2 && index < 20; index++) {
    const body = `username=user${index}&filler=${"x".repeat(200_000)}`;
    const headers = { "content-type": "application/x-www-form-urlencoded" };
    const reply = await ask(balancer.url, { method: "POST", path: "/register", headers, body });
    statuses.push(reply.status);
    if (reply.status === 200) continue;
    refused++;
    assert.deepEqual([reply.status, reply.code, reply.headers["retry-after"]], [503, "journal_full", "5"]);
  }
  const accepted = statuses.filter((status) => status === 200).length;
  assert.ok(accepted > 0 && refused === 2, String(statuses));
  assert.deepEqual(
    seqsAt(nodes[0] as never),
    Array.from({ length: accepted }, (_, index) => index + 1),
  );
});
