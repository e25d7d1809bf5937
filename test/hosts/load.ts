/** Load while something else is done to a cluster, and what has to hold of it. */
import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import type { LabCluster } from "../lab/cluster.ts";
import { type Load, startLoad } from "../support/load.ts";
import { until } from "../support/wait.ts";

/** Per second, and at least so long. Modest by default: hosts, Ansible and load share one machine. See docs/lab.md. */
const READS = Number(process.env.LBCTL_TEST_READS ?? 100);
const WRITES = Number(process.env.LBCTL_TEST_WRITES ?? 20);
const SECONDS = Number(process.env.LBCTL_TEST_SECONDS ?? 10);
/**
 * The longest that a request may wait while the balancer is replaced, in ms. Promised are 3 s, to be measured on a machine
 * that has nothing else to do: this one runs two labs.
 */
const LONGEST = Number(process.env.LBCTL_TEST_LONGEST ?? 15_000);

let loads = 0;

/** With users of its own. Ends with the test. */
export function loadOn(t: TestContext, { url }: LabCluster): Load {
  loads += 1;
  const writers = Math.max(8, Math.ceil(WRITES / 5));
  return startLoad(t, { url, seed: loads, users: `load${loads}-`, reads: READS, writes: WRITES, writers });
}

/** No request fails or is cut, every node has every acknowledged write, and no read is stale. */
export async function underLoad(
  t: TestContext,
  cluster: LabCluster,
  change: () => Promise<unknown>,
): Promise<void> {
  const load = loadOn(t, cluster);
  await more(load, WRITES);
  const enough = load.counts.acknowledged + SECONDS * WRITES;
  await change();
  await more(load, Math.max(WRITES, enough - load.counts.acknowledged));
  await cluster.audit(load);
  report(t, load);
  assert.deepEqual(load.failedReads, []);
  assert.deepEqual([load.counts.refused, load.counts.indeterminate], [0, 0]);
  assert.ok(longest(load) <= LONGEST, `expected no wait longer than ${LONGEST} ms, got ${longest(load)} ms`);
}

/** So many more writes are acknowledged. */
export async function more(load: Load, writes: number): Promise<void> {
  const enough = load.counts.acknowledged + writes;
  await until(() => load.counts.acknowledged >= enough, { timeout: 180_000, what: `${writes} more writes` });
}

export function report(t: Pick<TestContext, "diagnostic">, load: Load): void {
  const { acknowledged, reads, refused, indeterminate, excused } = load.counts;
  t.diagnostic(
    `${reads} reads, ${acknowledged} writes; failed: ${load.failedReads.length} reads, ${refused + indeterminate} ` +
      `writes, and ${excused} reads while nothing could answer; longest wait: ${longest(load)} ms`,
  );
}

function longest({ readTimes, writeTimes }: Load): number {
  return Math.round([...readTimes, ...writeTimes].reduce((most, ms) => Math.max(most, ms), 0));
}
