/** `lbctl bench` against a real cluster of as many nodes as there may be. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { BenchReport } from "../../cli/bench/report.ts";
import { testCluster } from "./support.ts";

test("bench at 9 nodes: the reads are even to ±1, and every write is on every node", async (t) => {
  const cluster = await testCluster(t, 9);
  // A machine that is busy with others must not take a node out, or send a read elsewhere.
  await cluster.write(
    "proxy: { health: { timeout: 20s, interval: 30s }, writes: { sendTimeout: 20s, ackTimeout: 30s } }\n",
  );
  await cluster.ok("deploy");
  // What the rate was is another test's; with few cores it may be missed here (exit code 99).
  const { stdout, stderr } = await cluster.lbctl(
    ...["bench", "--reads", "60", "--writes", "6", "--duration", "3s", "--audit-users", "20", "--json"],
  );
  const { spread, audit, reads } = JSON.parse(stdout) as BenchReport;
  assert.equal(spread?.unknown, null, stderr);
  const throughout = spread?.nodes.filter((node) => node.throughout) ?? [];
  assert.equal(throughout.length, 9);
  assert.ok((spread?.difference ?? 9) <= 1 && spread?.even === true, JSON.stringify(spread));
  const sum = throughout.reduce((all, node) => all + node.reads, 0);
  assert.ok(sum >= reads.ok, `${sum} reads at the nodes, ${reads.ok} answered well`);
  assert.deepEqual([audit?.missing, audit?.unexpected, audit?.method], [0, 0, "digest"]);
});
