/** A node without history beside nodes that keep state: what the tests of bootstrap share. */

import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import type { BareCluster } from "./bare-cluster.ts";
import { register } from "./client.ts";
import { startNode, type TestNode } from "./nodes.ts";
import { digestOf, keepState, type Override, type State } from "./stateful-node.ts";
import { until } from "./wait.ts";

export const SNAPSHOT = { app: { snapshot: "/lb/snapshot", digest: "/lb/digest" } };

/** Writes of users `u0`, `u1` …; all of them are answered without an error. */
export async function writeSome(balancer: { url: string }, count: number, prefix = "u"): Promise<void> {
  const replies = await Promise.all(
    Array.from({ length: count }, (_, n) => register(balancer, `${prefix}${n}`)),
  );
  assert.ok(
    replies.every(({ status }) => status < 300),
    JSON.stringify(replies.map(({ status }) => status)),
  );
}

/** Adds the node `new`, which holds state already, so that no replay can bring it in. */
export async function addUsed(
  t: TestContext,
  { balancer, listed }: BareCluster,
  { config = SNAPSHOT, override }: { config?: object; override?: Override } = {},
): Promise<{ node: TestNode; state: State }> {
  const node = await startNode(t);
  const state = keepState(node, override === undefined ? {} : { override });
  await balancer.reload({
    nodes: [...listed, { name: "new", url: node.url, empty: false } as never],
    config: { ...config },
  });
  return { node, state };
}

/** All hold the same, and every write was carried out once. */
export function once(states: readonly State[]): void {
  for (const { users } of states) for (const [user, times] of users) assert.equal(times, 1, user);
  assert.equal(new Set(states.map(digestOf)).size, 1);
}

/** GETs or PUTs of the snapshot that arrived at a node. */
export function snapshotsAt(node: TestNode | undefined, method: "GET" | "PUT"): number {
  return node?.log.filter((one) => one.method === method && one.url === SNAPSHOT.app.snapshot).length ?? 0;
}

/** Waits until `status` says this of how a node is given its history. */
export async function noted(
  balancer: BareCluster["balancer"],
  name: string,
  pattern: RegExp,
  timeout = 10_000,
): Promise<string> {
  let last: string | null = null;
  return await until(
    async () => {
      last = (await balancer.node(name)).bootstrap;
      return last !== null && pattern.test(last) ? last : null;
    },
    { timeout, what: `${pattern} in what is said of ${name}` },
  ).catch((error: unknown) => {
    throw new Error(`${String(error)}; last: ${last}`);
  });
}
