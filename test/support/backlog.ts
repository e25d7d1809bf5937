/** A node that was away for many writes catches up while a load goes on. */

import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { audit } from "./audit.ts";
import type { TestBalancer } from "./balancer.ts";
import { startBed } from "./bed.ts";
import { effectsOf } from "./effects.ts";
import { LoadClient } from "./load-client.ts";
import { until } from "./wait.ts";

export interface CatchUp {
  /** Writes that the node missed. */
  readonly missed: number;
  /** ms that they took with the node away, and that the node took to get them. */
  readonly wroteFor: number;
  readonly caughtUpIn: number;
  /** ms: p99 of the reads with the node away, while it caught up, and afterwards. */
  readonly p99: {
    readonly away: number;
    readonly catchingUp: number;
    readonly after: number;
    /** Of the reads with the node away and afterwards, together. */
    readonly otherwise: number;
  };
  readonly reads: { readonly away: number; readonly catchingUp: number; readonly after: number };
}

/** Asserts that the node has all in the end, each once; says how the reads fared meanwhile. */
export async function catchUp(
  t: TestContext,
  {
    writes,
    reads = 200,
    nodes = 2,
  }: { readonly writes: number; readonly reads?: number; readonly nodes?: number },
): Promise<CatchUp> {
  const bed = await startBed(t, { nodes, load: { reads, writes: 20, readsAfterWrite: 0 } });
  const { apps, balancer, load } = bed;
  const [left, away] = [apps[0], apps[nodes - 1]];
  assert.ok(left !== undefined && away !== undefined);
  await away.kill9();
  const writing = performance.now();
  await registerMany(balancer.url, writes);
  const wroteFor = performance.now() - writing;
  const quiet = await readsOf(load, reads * 10);
  const returned = performance.now();
  await away.restart();
  const behind = load.readTimes.length;
  await inSync(balancer, away.name);
  const caughtUpIn = performance.now() - returned;
  const busy = load.readTimes.slice(behind);
  const after = await readsOf(load, reads * 10);
  await audit(load, balancer, apps);
  assert.deepEqual(effectsOf(away), effectsOf(left), "the same writes, in the order of each user, each once");
  return {
    missed: writes,
    wroteFor,
    caughtUpIn,
    p99: {
      away: p99(quiet),
      catchingUp: p99(busy),
      after: p99(after),
      otherwise: p99([...quiet, ...after]),
    },
    reads: { away: quiet.length, catchingUp: busy.length, after: after.length },
  };
}

export function described({ missed, wroteFor, caughtUpIn, p99, reads }: CatchUp): string {
  const ms = (value: number) => `${value.toFixed(1)} ms`;
  return [
    `${missed} writes in ${ms(wroteFor)} with a node away; caught up in ${ms(caughtUpIn)}`,
    `read p99: ${ms(p99.away)} with it away (${reads.away} reads), ${ms(p99.catchingUp)} while it caught up`,
    `(${reads.catchingUp}), ${ms(p99.after)} afterwards (${reads.after}); ratio to before and afterwards ${(p99.catchingUp / p99.otherwise).toFixed(2)}`,
  ].join(" ");
}

/** Asked rarely: each question costs the balancer as much as several reads. */
async function inSync(balancer: TestBalancer, name: string): Promise<void> {
  const deadline = performance.now() + 180_000;
  while ((await balancer.node(name)).state !== "in-sync") {
    assert.ok(performance.now() < deadline, `${name} in-sync within three minutes`);
    await pause(200);
  }
}

/** The times of the next so many reads. */
async function readsOf(load: { readonly readTimes: readonly number[] }, count: number): Promise<number[]> {
  const from = load.readTimes.length;
  await until(() => load.readTimes.length >= from + count, { timeout: 60_000, what: `${count} reads` });
  return load.readTimes.slice(from);
}

const AT_ONCE = 64;

async function registerMany(url: string, count: number): Promise<void> {
  const client = new LoadClient(url);
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let i = next++; i < count; i = next++) {
      const fields = { username: `many-${i}`, password: "secret" };
      const { status, body } = await client.write({
        path: "/register",
        fields,
        idempotencyKey: `many-${i}`,
        form: true,
      });
      assert.equal(status, 201, body);
    }
  };
  try {
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
  } finally {
    await client.close();
  }
}

function p99(times: readonly number[]): number {
  return times.toSorted((a, b) => a - b)[Math.floor(times.length * 0.99)] ?? 0;
}
