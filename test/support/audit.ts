/** After a load: what the clients were told, held against what every node has. */

import assert from "node:assert/strict";
import type { VerifyReport } from "../../proxy/api.ts";
import type { TestApp } from "./apps.ts";
import type { TestBalancer } from "./balancer.ts";
import { effectsOf } from "./effects.ts";
import type { Finding, Load } from "./load.ts";
import { LoadClient } from "./load-client.ts";

/**
 * Stops the load, waits for the nodes, and asserts the promises: no stale read, no failed read while the
 * balancer was up, every acknowledged write on every node exactly once and in key order.
 * @param settle ms for the nodes to catch up
 * @param copied apps of `apps` that began with a snapshot of another
 */
export async function audit(
  load: Load,
  balancer: TestBalancer,
  apps: readonly TestApp[],
  { settle = 30_000, copied = [] }: { settle?: number; copied?: readonly TestApp[] } = {},
): Promise<void> {
  await load.stop();
  noFindings(load);
  await balancer.settled(settle);
  await digestsEqual(balancer);
  for (const app of apps) everyWriteOnce(load, app, copied.includes(app));
  for (const app of apps) await lastPasswords(load, app);
}

/** What the clients saw while it ran. */
export function noFindings(load: Load): void {
  assert.deepEqual(shown(load.stale), [], "a read was answered by a node that lags");
  assert.deepEqual(shown(load.failedReads), [], "a read failed while the balancer was up");
  assert.deepEqual(shown(load.wrongWrites), [], "a write was lost, came twice or out of order");
  assert.ok(load.counts.acknowledged > 0 && load.counts.proven > 0, "the load did nothing");
}

/** All nodes hold the same, by the balancer's own comparison at one seq. */
export async function digestsEqual(balancer: TestBalancer): Promise<void> {
  const report = await balancer.admin<VerifyReport>("/api/verify", "POST");
  const digests = new Set(report.nodes.map(({ digest }) => digest));
  assert.deepEqual(
    { equal: report.equal, digests: digests.size },
    { equal: true, digests: 1 },
    JSON.stringify(report),
  );
}

/** The changes of each user on this node are the acknowledged ones: none missing, none twice, in their order. */
function everyWriteOnce(load: Load, app: TestApp, copied: boolean): void {
  const effects = effectsOf(app);
  for (const account of load.accounts) {
    const done = effects.get(account.name) ?? [];
    const all = account.acknowledged.map(({ seq }) => seq);
    // A copy brings the last change before it, as a change of its own; the earlier ones are in that one.
    const expected = copied && done.length > 0 ? all.slice(-done.length) : all;
    assert.deepEqual(done, expected, `${app.name}: the writes of ${account.name}`);
  }
}

/** Asked directly, not through the balancer. */
export async function lastPasswords(
  load: Load,
  app: { readonly name: string; readonly url: string },
): Promise<void> {
  const client = new LoadClient(app.url);
  try {
    await Promise.all(
      load.accounts.map(async ({ name, password }) => {
        if (password === null) return;
        const { status } = await client.login(name, password);
        assert.equal(status, 200, `${app.name}: login of ${name} with the password acknowledged last`);
      }),
    );
  } finally {
    await client.close();
  }
}

function shown(findings: readonly Finding[]): string[] {
  return findings.slice(0, 20).map(({ at, what }) => `${at} ms: ${what}`);
}
