import assert from "node:assert/strict";
import { test } from "node:test";
import { type LegOptions, sendLeg, unanswered } from "../../proxy/leg.ts";
import { createPools, destroyPools } from "../../proxy/pool.ts";
import { startNode } from "../support/nodes.ts";
import { until } from "../support/wait.ts";

const WRITE: LegOptions = {
  method: "POST",
  target: "/register",
  headers: [],
  body: Buffer.from("username=ada"),
  timeout: 20_000,
  maxAnswer: 1024,
};

test("a write that got no connection in time was not sent, and that is not the node's silence", async (t) => {
  const node = await startNode(t, { fault: "hang" });
  const limits = {
    readConnections: 1,
    writeConnections: 1,
    connectTimeout: () => 5000,
    headerSize: 16_384,
  };
  const pools = createPools(node.url, limits, () => {});
  t.after(() => destroyPools(pools));
  const first = sendLeg(pools, { ...WRITE, timeout: 3000 });
  await until(() => node.log.length === 1);
  const second = await sendLeg(pools, { ...WRITE, timeout: 100 });
  assert.ok(second.kind === "unsent");
  assert.deepEqual([second.timedOut, unanswered(second)], [true, "queued"]);
  const silent = await first;
  assert.ok(silent.kind === "lost");
  assert.deepEqual([silent.timedOut, unanswered(silent)], [true, "timeout"]);
});
