/** Load by `lbctl bench` while something else is done to the cluster, and what has to hold of it. */
import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import type { BenchReport } from "../../cli/bench/report.ts";
import type { HostsCluster } from "./cluster.ts";

/** Per second. A change is made within this; the load of a machine that has little to give lasts longer. */
const READS = process.env.LBCTL_TEST_READS ?? "1000";
const WRITES = process.env.LBCTL_TEST_WRITES ?? "100";
/** As long as the change lasts, in rounds of this, at most so many. */
const ROUND = process.env.LBCTL_TEST_ROUND ?? "60s";
const MOST_ROUNDS = 15;

export interface Loaded {
  readonly reports: readonly BenchReport[];
  /** ms */
  readonly longestRead: number;
  readonly longestWrite: number;
}

/** Loads the cluster again and again until `change` is over; fails the test for the first failed or lost request. */
export async function underLoad(
  t: TestContext,
  cluster: HostsCluster,
  change: () => Promise<unknown>,
): Promise<Loaded> {
  let over = false;
  const changed = change().finally(() => {
    over = true;
  });
  const reports: BenchReport[] = [];
  const load = async () => {
    while (!over && reports.length < MOST_ROUNDS) reports.push(await round(cluster));
  };
  await Promise.all([changed, load()]);
  const longest = (kind: "reads" | "writes") =>
    Math.max(...reports.map((report) => report[kind].latencyMs.max));
  const loaded = { reports, longestRead: longest("reads"), longestWrite: longest("writes") };
  const total = reports.reduce((sum, { reads, writes }) => sum + reads.ok + writes.ok, 0);
  t.diagnostic(
    `${total} requests in ${reports.length} rounds of ${ROUND} at ${READS} + ${WRITES}/s; the longest read took ` +
      `${Math.round(loaded.longestRead)} ms, the longest write ${Math.round(loaded.longestWrite)} ms`,
  );
  return loaded;
}

/** The rate itself is no matter here: hosts, Ansible and load share one machine. */
async function round(cluster: HostsCluster): Promise<BenchReport> {
  const args = ["--reads", READS, "--writes", WRITES, "--duration", ROUND];
  const { stdout, stderr } = await cluster.lbctl("bench", ...args, "--json");
  const report = JSON.parse(stdout) as BenchReport;
  assert.ok("reads" in report, stdout + stderr);
  assert.equal(report.reads.errors, 0, JSON.stringify(report.reads));
  assert.equal(report.writes.errors, 0, JSON.stringify(report.writes));
  assert.equal(report.audit?.missing, 0, JSON.stringify(report.audit));
  assert.deepEqual(report.audit?.problems, []);
  return report;
}
