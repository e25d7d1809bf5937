/**
 * The balancer is killed between a node's ack and the outcome; the client asks again under the same key. The status
 * is on disk with the ack, the answer's body is not: where no other node brings it, the client is told just that.
 */

import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { startBalancer, type TestBalancer } from "../support/balancer.ts";
import { LoadClient, type Reply } from "../support/load-client.ts";
import { startNode, type TestNode } from "../support/nodes.ts";
import { until } from "../support/wait.ts";

interface Cut {
  readonly balancer: TestBalancer;
  readonly quick: TestNode;
  readonly hanging: TestNode;
  readonly again: () => Promise<Reply>;
}

/** One node has acked write 1, the other hangs, nothing was told to the client, and the balancer is gone. */
async function cutShort(t: TestContext): Promise<Cut> {
  const quick = await startNode(t, { status: 201, body: "registered" });
  const hanging = await startNode(t, { fault: "hang" });
  const nodes = [
    { name: "quick", url: quick.url },
    { name: "hanging", url: hanging.url },
  ];
  const balancer = await startBalancer(t, { nodes });
  const client = new LoadClient(balancer.url);
  t.after(() => client.close());
  const fields = { username: "ann" };
  const again = () => client.write({ path: "/register", fields, idempotencyKey: "k1", form: false });
  const first = again().catch(() => "cut");
  await until(async () =>
    balancer.write(1).then(
      ({ acks }) => acks.length === 1,
      () => false,
    ),
  );
  await balancer.kill9();
  assert.equal(await first, "cut");
  return { balancer, quick, hanging, again };
}

test("the other node is away after the restart: the outcome is what the one said", async (t) => {
  const { balancer, quick, hanging, again } = await cutShort(t);
  await hanging.stop();
  await balancer.start("listening");
  await balancer.reached("quick", "in-sync");
  const reply = await again();
  assert.deepEqual([reply.status, reply.seq], [201, 1]);
  assert.equal(quick.log.length, 1, "it had acked it, so it does not get it again");
});

test("the other node answers after the restart: both have it, and the outcome is known", async (t) => {
  const { balancer, quick, hanging, again } = await cutShort(t);
  hanging.behave({ status: 201, body: "registered" });
  await balancer.start("in-sync");
  const { outcome, acks } = await until(async () => {
    const story = await balancer.write(1);
    return story.outcome === null || story.acks.length < 2 ? null : story;
  });
  const statuses = acks.map(({ node, status }) => `${node}=${status}`).sort();
  assert.deepEqual([outcome, statuses], [201, ["hanging=201", "quick=201"]]);
  const reply = await again();
  assert.deepEqual([reply.status, reply.seq], [201, 1]);
  assert.equal(quick.log.length, 1, "it had acked it, so it does not get it again");
});

test("the other node disagrees after the restart: the answer counts as ambiguous, not as divergence", async (t) => {
  const { balancer, hanging, again } = await cutShort(t);
  hanging.behave({ status: 409, body: "taken" });
  await balancer.start("in-sync");
  assert.equal((await again()).status, 201);
  const { totals } = await balancer.settled();
  assert.deepEqual([totals.divergent, totals.ambiguous], [0, 1]);
});
