/** The test bed of the chaos tests: reference apps, the real balancer over them, and a load through it. */

import type { TestContext } from "node:test";
import { startApp, type TestApp } from "./apps.ts";
import { startBalancer, type TestBalancer } from "./balancer.ts";
import { noteEffects } from "./effects.ts";
import { type Load, type LoadOptions, startLoad } from "./load.ts";
import { until } from "./wait.ts";

export interface Bed {
  readonly apps: readonly TestApp[];
  readonly balancer: TestBalancer;
  readonly load: Load;
}

/** Checks a little more often than by default, and without a log line for each request. */
export const BED_CONFIG = {
  health: { interval: "200ms", timeout: "200ms", rise: 1 },
  log: { access: false },
  app: { digest: "/lb/digest" },
};

/** `npm run test:faults` asks for nine nodes and the full rates; else small ones, so that all tests take minutes. */
const { LB_NODES, LB_READS, LB_WRITES } = process.env;
const NODES = Number(LB_NODES ?? 3);
const RATES = {
  ...(LB_READS === undefined ? {} : { reads: Number(LB_READS) }),
  ...(LB_WRITES === undefined ? {} : { writes: Number(LB_WRITES), writers: 24 }),
};

/** Starts `nodes` apps named app1, app2 … and everything else; resolves when the load has come to life. */
export async function startBed(
  t: TestContext,
  {
    nodes = NODES,
    config = {},
    load = {},
    seed = 1,
  }: {
    nodes?: number;
    config?: Readonly<Record<string, unknown>>;
    load?: Omit<LoadOptions, "url" | "seed">;
    seed?: number;
  } = {},
): Promise<Bed> {
  const names = Array.from({ length: nodes }, (_, index) => `app${index + 1}`);
  const apps = await Promise.all(names.map((name) => startApp(t, { name })));
  for (const app of apps) noteEffects(app);
  const balancer = await startBalancer(t, { nodes: nodesOf(apps), config: { ...BED_CONFIG, ...config } });
  const running = startLoad(t, { url: balancer.url, seed, readsAfterWrite: nodes, ...RATES, ...load });
  await acknowledged(running, 20);
  return { apps, balancer, load: running };
}

export function nodesOf(apps: readonly TestApp[]): { name: string; url: string }[] {
  return apps.map(({ name, url }) => ({ name, url }));
}

/** Waits until the load has so many more acknowledged writes. */
export async function acknowledged(load: Load, more: number, timeout = 30_000): Promise<void> {
  const goal = load.counts.acknowledged + more;
  await until(() => load.counts.acknowledged >= goal, { timeout, what: `${more} more acknowledged writes` });
}

/** Waits until the balancer says that it may be given traffic. */
export async function whenReady(balancer: TestBalancer, timeout = 20_000): Promise<void> {
  const ready = async (): Promise<boolean> => (await fetch(`${balancer.adminUrl}/readyz`)).ok;
  await until(ready, { timeout, what: "the balancer ready" });
}
