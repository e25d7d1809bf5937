import assert from "node:assert/strict";
import { test } from "node:test";
import { gate, startCluster, userOf } from "../support/bare-cluster.ts";
import { ask, type Reply } from "../support/client.ts";
import { SNAPSHOT } from "../support/newcomer.ts";
import { until } from "../support/wait.ts";

const SMALL = {
  ...SNAPSHOT,
  journal: { maxSize: "1MiB", retention: "1s" },
  limits: { body: "256KiB" },
};

/** 120 kB each. */
function write(balancer: { url: string }, user: string): Promise<Reply> {
  const headers = { "content-type": "application/x-www-form-urlencoded" };
  const body = `username=${user}&x=${"x".repeat(120_000)}`;
  return ask(balancer.url, { method: "POST", path: "/register", headers, body });
}

test("two members that are away since the same write are evicted together: writes go on with the third", async (t) => {
  const { balancer, nodes } = await startCluster(t, 3, { ...SMALL, writes: { idempotencyWindow: "1s" } });
  for (const node of nodes.slice(1)) await node.stop();
  for (const name of ["app2", "app3"]) await balancer.reached(name, "down");
  let accepted = 0;
  await until(
    async () => {
      if ((await write(balancer, `u${accepted}`)).status === 200) accepted++;
      return accepted >= 20;
    },
    { timeout: 20_000, what: "20 writes of 120 kB through a journal of 1 MiB" },
  );
  const { nodes: after } = await balancer.status();
  assert.deepEqual(
    after.map(({ member }) => member),
    [true, false, false],
  );
});

test("an in-sync node is not evicted for what is on its way to it: writes wait until it has that", async (t) => {
  const writes = { idempotencyWindow: "1s", sendTimeout: "20s", ackTimeout: "25s", attemptTimeout: "25s" };
  const { balancer, nodes } = await startCluster(t, 2, { ...SMALL, writes });
  const late = gate();
  nodes[1]?.behave(async (arrival) => (userOf(arrival) === "" ? {} : await late.answers()(arrival)));
  const replies: Promise<Reply>[] = [];
  let refused = 0;
  await until(
    async () => {
      const reply = write(balancer, `u${replies.length}`);
      replies.push(reply);
      void reply.then(({ code }) => {
        if (code === "journal_full") refused++;
      });
      await until(async () => refused > 0 || (await balancer.status()).head === replies.length);
      return refused > 0 || /evicted/.test(balancer.output());
    },
    { what: "a write that is refused" },
  );
  assert.equal((await balancer.node("app2")).state, "in-sync");
  late.open();
  const came = await Promise.all(replies);
  assert.ok(came.every(({ status, code }) => status === 200 || code === "journal_full"));
  await balancer.settled();
  assert.doesNotMatch(balancer.output(), /evicted/);
});
