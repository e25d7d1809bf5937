import assert from "node:assert/strict";
import { test } from "node:test";
import { giveHistory } from "../../../proxy/bootstrap/give-history.ts";
import { Lineage } from "../../../proxy/bootstrap/lineage.ts";
import type { Delivery } from "../../../proxy/delivery.ts";
import { Log } from "../../../proxy/log.ts";
import { createMetrics } from "../../../proxy/metrics/metrics.ts";
import { UpstreamNode } from "../../../proxy/node.ts";

/** A node in `joining`, whose deliveries begin anew when the test says so. */
function stage() {
  const node = new UpstreamNode({ name: "app1", url: "http://127.0.0.1:1", empty: false }, () => {});
  node.apply("came-up", "");
  const restarted = Promise.withResolvers<void>();
  const restarts: number[] = [];
  const delivery = {
    restart(seq: number) {
      restarts.push(seq);
      return restarted.promise;
    },
  } as unknown as Delivery;
  const parts = {
    lineage: new Lineage(),
    notes: new WeakMap<UpstreamNode, string>(),
    metrics: createMetrics({ routes: [], nodes: ["app1"], codes: [] }),
    log: new Log({ level: "silent", access: false, sample: 1 }, { write() {} }),
  };
  const over = new AbortController();
  const given = (seq: number) =>
    giveHistory(parts, { node, delivery }, { kind: "snapshot", seq, donor: null, signal: over.signal });
  return { node, restarts, restarted, over, given };
}

test("a node is given its history when its deliveries begin behind it, not before", async () => {
  const { node, restarts, restarted, given } = stage();
  const done = given(7);
  assert.deepEqual([restarts, node.state], [[7], "joining"]);
  restarted.resolve();
  await done;
  assert.deepEqual([node.state, node.history, node.copiedTo], ["catching-up", true, 7]);
});

test("a copy that turns out to be of no use while the journal stores it is not history", async () => {
  const { node, restarted, over, given } = stage();
  const refused = assert.rejects(given(7), /no use/);
  over.abort(new Error("of no use"));
  restarted.resolve();
  await refused;
  assert.deepEqual([node.state, node.history], ["joining", false]);
});

test("a copy that is of no use already leaves the deliveries and the journal alone", async () => {
  const { node, restarts, over, given } = stage();
  over.abort(new Error("of no use"));
  await assert.rejects(given(7), /no use/);
  assert.deepEqual([restarts, node.history], [[], false]);
});
