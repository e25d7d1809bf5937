import assert from "node:assert/strict";
import { test } from "node:test";
import { arrived, gate, startCluster, userOf, writesAt } from "../../support/bare-cluster.ts";
import { register } from "../../support/client.ts";
import { once, SNAPSHOT, writeSome } from "../../support/newcomer.ts";
import type { TestNode } from "../../support/nodes.ts";
import { keepState } from "../../support/stateful-node.ts";
import { until } from "../../support/wait.ts";

/** A node that is given another state is not judged by what it did with the one before. */

const POST = "POST";

test("what a node answers after its state was given up counts for nothing: it is brought in, not quarantined", async (t) => {
  const writes = { sendTimeout: "300ms", ackTimeout: "700ms", attemptTimeout: "20s" };
  const { balancer, nodes } = await startCluster(t, 3, { ...SNAPSHOT, writes });
  const late = gate();
  const states = nodes.map((node, index) =>
    keepState(node, {
      override: (arrival) =>
        index === 2 && userOf(arrival) === "late" ? late.answers({ status: 409 })(arrival) : null,
    }),
  );
  await writeSome(balancer, 5);
  await register(balancer, "late");
  await balancer.reached("app3", "catching-up");
  await balancer.admin("/api/nodes/app3/resync", POST, {});
  late.open();
  await balancer.settled();
  assert.equal(states[2]?.taken, 1);
  assert.doesNotMatch(balancer.output(), /"to":"quarantined"/);
  once(states);
});

test("what a node answered before its state was given up, and is compared later, does not quarantine it", async (t) => {
  const writes = { sendTimeout: "20s", ackTimeout: "25s", attemptTimeout: "25s" };
  const { balancer, nodes } = await startCluster(t, 3, { ...SNAPSHOT, writes });
  const late = gate();
  const states = nodes.map((node, index) =>
    keepState(node, {
      override: async (arrival) => {
        if (userOf(arrival) !== "odd") return null;
        if (index === 1) await late.answers()(arrival);
        return index === 2 ? { status: 409 } : null;
      },
    }),
  );
  await writeSome(balancer, 5);
  const odd = register(balancer, "odd");
  await arrived(nodes[1] as TestNode, 6);
  await until(async () => (await balancer.write(6)).acks.length === 2);
  await balancer.admin("/api/nodes/app3/resync", POST, { from: "app1" });
  await balancer.reached("app3", "in-sync");
  late.open();
  assert.equal((await odd).status, 201);
  await balancer.settled();
  assert.equal(writesAt(nodes[2] as TestNode).length, 6, "it came to it inside the copy");
  assert.doesNotMatch(balancer.output(), /"to":"quarantined"/);
  once(states);
});

test("a node that waits for an operator's copy over a restart says that nobody holds its donor any more", async (t) => {
  const { balancer } = await startCluster(t, 3);
  await balancer.admin("/api/nodes/app3/resync", POST, { manual: true, from: "app1" });
  await balancer.kill9();
  await balancer.start("listening");
  await balancer.reached("app1", "in-sync");
  const { state, bootstrap } = await balancer.node("app3");
  assert.equal(state, "maint");
  assert.match(String(bootstrap), /no copy is under way.*resync app3 --from DONOR --manual.*ready app3/);
});
