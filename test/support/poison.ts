/** Writes that nodes cannot carry out, and a cluster in which one was set aside. */

import type { TestContext } from "node:test";
import { type BareCluster, startCluster, userOf } from "./bare-cluster.ts";
import { register } from "./client.ts";
import type { Arrival, Reaction } from "./nodes.ts";
import { until } from "./wait.ts";

/** Few attempts, and each of them short. */
const HASTY = { maxAttempts: 2, attemptTimeout: "300ms", sendTimeout: "200ms", ackTimeout: "700ms" };

/** What a node does: everything but the writes of this user is answered at once. */
export function poison(user: string, reaction: Reaction) {
  return (arrival: Arrival): Reaction =>
    arrival.method === "POST" && userOf(arrival) === user ? reaction : {};
}

/** Keeps other writes going until the condition holds: they show that the nodes run. */
export async function meanwhile(balancer: { url: string }, condition: () => Promise<boolean>): Promise<void> {
  for (let n = 0; !(await condition()); n++) await register(balancer, `other${n}`);
}

/**
 * A cluster whose write 1, ada's, was acked by no node and is set aside; all others are answered.
 * @param away the last node is down all the while
 * @param behind write 2 is ada's, too, and is held back
 * @param headers sent along with write 1
 */
export async function startWithSetAside(
  t: TestContext,
  count: number,
  {
    away = false,
    behind = false,
    headers = {},
  }: { away?: boolean; behind?: boolean; headers?: Readonly<Record<string, string>> } = {},
): Promise<BareCluster> {
  const cluster = await startCluster(t, count, { writes: HASTY });
  const { nodes, balancer } = cluster;
  if (away) {
    await nodes.at(-1)?.stop();
    await balancer.reached(`app${count}`, "down");
  }
  for (const node of nodes) node.behave(poison("ada", { fault: "reset" }));
  const first = register(balancer, "ada", headers);
  if (behind) {
    await until(async () => (await balancer.status()).head === 1, { what: "write 1 recorded" });
    await register(balancer, "ada");
  }
  await first;
  await meanwhile(balancer, async () => (await balancer.write(1)).setAside);
  return cluster;
}
