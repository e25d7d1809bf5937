/** Which node a read goes to, through a running balancer and clients that keep their connections. */

import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { Pool } from "undici";
import type { TestBalancer } from "../support/balancer.ts";
import { gate, readsAt, startCluster } from "../support/bare-cluster.ts";
import { until } from "../support/wait.ts";

const WRITES = { match: { methods: ["POST"] }, to: "all" };

/** Sends `count` reads, `atOnce` at a time, each on one of as many connections; gives the statuses. */
type Readers = (count: number, atOnce: number) => Promise<number[]>;

function readers(t: TestContext, { url }: TestBalancer): Readers {
  const pool = new Pool(url, { connections: 16, pipelining: 1 });
  t.after(() => pool.destroy());
  return async (count, atOnce) => {
    const statuses: number[] = [];
    let left = count;
    const reader = async () => {
      while (left-- > 0) {
        const { statusCode, body } = await pool.request({ method: "GET", path: "/login" });
        await body.dump();
        statuses.push(statusCode);
      }
    };
    await Promise.all(Array.from({ length: atOnce }, reader));
    return statuses;
  };
}

test("roundrobin: over any 9·k consecutive reads, 9 nodes get k each, whoever asks", async (t) => {
  const { balancer, nodes } = await startCluster(t, 9);
  const send = readers(t, balancer);
  let before = Array<number>(9).fill(0);
  for (const [k, atOnce, offset] of [
    [1, 1, 1],
    [50, 16, 4],
    [3, 2, 5],
    [20, 16, 0],
  ] as const) {
    const statuses = await send(9 * k, atOnce);
    assert.ok(statuses.every((status) => status === 200));
    const now = nodes.map(readsAt);
    assert.deepEqual(
      now.map((reads, index) => reads - (before[index] ?? 0)),
      Array(9).fill(k),
      `${9 * k} reads, ${atOnce} at a time`,
    );
    // The next ones begin somewhere else in the turn.
    await send(offset, 1);
    before = nodes.map(readsAt);
  }
});

test("leastconn: a node that holds its reads back gets no more than its share of those in flight", async (t) => {
  const routes = [
    WRITES,
    { match: { methods: ["GET"] }, to: "one", balance: "leastconn", firstByteTimeout: "20s" },
  ];
  const { balancer, nodes } = await startCluster(t, 3, { routes });
  const slow = gate();
  nodes[1]?.behave(slow.answers());
  const answered = readers(t, balancer)(300, 6);
  await until(() => nodes.reduce((sum, node) => sum + readsAt(node), 0) === 300, {
    what: "all reads to arrive",
  });
  const [first = 0, held = 0, third = 0] = nodes.map(readsAt);
  slow.open();
  assert.ok((await answered).every((status) => status === 200));
  // Two of six, and one more where an answer is through before the balancer has counted it.
  assert.ok(held >= 1 && held <= 3, `${held} at the slow one`);
  assert.ok(Math.min(first, third) > 100, `the others share the rest: ${first} and ${third}`);
});

test("leastconn: nodes that are equally quick share the reads", async (t) => {
  const routes = [
    WRITES,
    { match: { methods: ["GET"] }, to: "one", balance: "leastconn", firstByteTimeout: "20s" },
  ];
  const { balancer, nodes } = await startCluster(t, 3, { routes });
  await readers(t, balancer)(30, 1);
  assert.deepEqual(nodes.map(readsAt), [10, 10, 10]);
});
