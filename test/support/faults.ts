/** What the random rounds do to a test bed; each leaves it whole, or says what still has to be mended. */

import { setTimeout as pause } from "node:timers/promises";
import type { TestApp } from "./apps.ts";
import { type Bed, whenReady } from "./bed.ts";
import { until } from "./wait.ts";

/** One round: a fault, the nodes it meets (by index), and how long it lasts. */
export interface Round {
  readonly fault: Fault;
  readonly first: number;
  readonly second: number;
  /** ms */
  readonly lasts: number;
  /** Waits for the nodes to be in-sync again before the next round; else faults meet a cluster that catches up. */
  readonly recovers: boolean;
}

export const FAULTS = [
  "kill-node",
  "stop-node",
  "kill-balancer",
  "restart-balancer",
  "kill-two-nodes",
  "kill-and-stop",
  "kill-node-and-balancer",
  "stop-node-and-balancer",
  "drain-and-ready",
  "drain-and-kill",
] as const;
export type Fault = (typeof FAULTS)[number];

/** The same rounds for the same seed. */
export function planRounds(rounds: number, nodes: number, random: () => number): Round[] {
  let deck: Fault[] = [];
  return Array.from({ length: rounds }, () => {
    if (deck.length === 0) deck = shuffled(FAULTS, random);
    const fault = deck.pop() ?? "kill-node";
    const first = Math.floor(random() * nodes);
    const second = (first + 1 + Math.floor(random() * (nodes - 1))) % nodes;
    return { fault, first, second, lasts: Math.round(100 + random() ** 2 * 3900), recovers: random() < 0.6 };
  });
}

/** Carries one round out. At least one node that is in-sync is left alone, so that reads can go on. */
export async function inflict(bed: Bed, { fault, first, second, lasts }: Round): Promise<void> {
  const a = bed.apps[first] as TestApp;
  const b = bed.apps[second] as TestApp;
  await othersInSync(bed, [a, b]);
  switch (fault) {
    case "kill-node":
      return await killed(a, () => pause(lasts));
    case "stop-node":
      return await stopped(a, () => pause(lasts));
    case "kill-balancer":
      return await balancerKilled(bed);
    case "restart-balancer":
      return await balancerRestarted(bed);
    case "kill-two-nodes":
      return await killed(a, () => killed(b, () => pause(lasts)));
    case "kill-and-stop":
      return await killed(a, () => stopped(b, () => pause(lasts)));
    case "kill-node-and-balancer":
      return await killed(a, () => balancerKilled(bed, lasts));
    case "stop-node-and-balancer":
      return await stopped(a, () => balancerKilled(bed, lasts));
    case "drain-and-ready":
      return await drained(bed, a, () => pause(lasts));
    case "drain-and-kill":
      return await drained(bed, a, () => killed(a, () => pause(lasts)));
  }
}

/** Some node that the fault leaves alone may answer reads. */
async function othersInSync({ apps, balancer }: Bed, met: readonly TestApp[]): Promise<void> {
  const spared = apps.filter((app) => !met.includes(app)).map(({ name }) => name);
  const condition = async (): Promise<boolean> => {
    const { nodes } = await balancer.status();
    return nodes.some(({ name, state }) => state === "in-sync" && spared.includes(name));
  };
  await until(condition, { timeout: 30_000, what: `one of ${spared} in-sync` });
}

async function killed(app: TestApp, meanwhile: () => Promise<unknown>): Promise<void> {
  await app.kill9();
  await meanwhile();
  await app.restart();
}

async function stopped(app: TestApp, meanwhile: () => Promise<unknown>): Promise<void> {
  app.sigstop();
  await meanwhile();
  app.sigcont();
}

async function balancerKilled({ balancer, load }: Bed, after = 0): Promise<void> {
  await pause(after);
  await load.outage(async () => {
    await balancer.kill9();
    await balancer.start("listening");
    await whenReady(balancer);
  });
}

async function balancerRestarted({ balancer, load }: Bed): Promise<void> {
  await load.outage(async () => {
    const code = await balancer.stop();
    if (code !== 0) throw new Error(`SIGTERM: expected exit code 0, got ${code}\n${balancer.output()}`);
    await balancer.start("listening");
    await whenReady(balancer);
  });
}

async function drained({ balancer }: Bed, app: TestApp, meanwhile: () => Promise<unknown>): Promise<void> {
  await balancer.admin(`/api/nodes/${app.name}/drain`, "POST");
  await meanwhile();
  await balancer.admin(`/api/nodes/${app.name}/ready`, "POST");
}

function shuffled<T>(items: readonly T[], random: () => number): T[] {
  const left = [...items];
  return items.flatMap(() => left.splice(Math.floor(random() * left.length), 1));
}
