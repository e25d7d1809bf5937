import assert from "node:assert/strict";
import { test } from "node:test";
import { startCluster } from "../support/bare-cluster.ts";
import { register } from "../support/client.ts";
import { until } from "../support/wait.ts";

/** More than what is kept in memory, so that only the journal knows when the oldest was recorded. */
const MANY = 600;
const AT_ONCE = 50;

test("the age of the oldest undelivered write is that of the write, not of the node's last ack; a restart changes nothing", async (t) => {
  const { nodes, balancer } = await startCluster(t, 2);
  await register(balancer, "before");
  const idleSince = Date.now();
  await until(() => Date.now() - idleSince > 1500, { what: "a node that is idle for a while" });
  await nodes[1]?.stop();
  await balancer.reached("app2", "down");
  const missedFrom = Date.now();
  for (let user = 0; user < MANY; user += AT_ONCE) {
    await Promise.all(
      Array.from({ length: AT_ONCE }, (_, index) => register(balancer, `user-${user + index}`)),
    );
  }
  const missedBy = Date.now();
  await until(async () => (await balancer.node("app2")).lag === MANY);
  const before = await age();
  assert.ok(
    before.oldest <= before.now - missedFrom,
    `${before.oldest} ms, missed ${before.now - missedFrom} ms ago`,
  );

  await balancer.kill9();
  await balancer.start("listening");
  const restarted = Date.now();
  const after = await until(async () => {
    const seen = await age();
    return seen.oldest > seen.now - restarted ? seen : null;
  });
  assert.ok(
    after.oldest >= after.asked - missedBy,
    `${after.oldest} ms, missed ${after.now - missedBy} ms ago`,
  );

  async function age() {
    const asked = Date.now();
    const { oldestUndelivered } = await balancer.node("app2");
    return { oldest: oldestUndelivered * 1000, asked, now: Date.now() };
  }
});
