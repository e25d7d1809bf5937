import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { VerifiedNode, VerifyReport } from "../../proxy/api.ts";
import { type BareCluster, gate, startCluster } from "../support/bare-cluster.ts";
import { SNAPSHOT, writeSome } from "../support/newcomer.ts";
import type { Reaction } from "../support/nodes.ts";
import { keepState } from "../support/stateful-node.ts";
import { until } from "../support/wait.ts";

const isDigest = ({ url }: { url: string }) => url === SNAPSHOT.app.digest;

/** Two nodes with five writes; app2 answers so to what asks for its digest. */
async function startPair(t: TestContext, digest: () => Reaction | null | Promise<Reaction | null>) {
  const cluster = await startCluster(t, 2, SNAPSHOT);
  for (const [index, node] of cluster.nodes.entries())
    keepState(node, { override: (arrival) => (index === 1 && isDigest(arrival) ? digest() : null) });
  await writeSome(cluster.balancer, 5);
  return cluster;
}

function verify({ balancer }: BareCluster): Promise<VerifyReport> {
  return balancer.admin("/api/verify", "POST");
}

function second({ nodes }: VerifyReport): VerifiedNode | undefined {
  return nodes.find(({ name }) => name === "app2");
}

test("verify: an answer that is no digest is said to be none, without a word of it", async (t) => {
  for (const body of ["secret-of-ann", '{"digest":7,"token":"secret-of-ann"}']) {
    const report = await verify(await startPair(t, () => ({ body })));
    assert.match(String(second(report)?.error), /expected a JSON body with digest/);
    assert.doesNotMatch(JSON.stringify(report), /secret-of-ann/);
    assert.notEqual(report.equal, true);
  }
});

test("verify: a node that cannot be compared leaves it open, a digest that differs does not", async (t) => {
  const differs = { body: '{"digest":"another"}' };
  let first: Reaction | null = null;
  const cluster = await startCluster(t, 3, SNAPSHOT);
  for (const [index, node] of cluster.nodes.entries())
    keepState(node, { override: (arrival) => (index === 0 && isDigest(arrival) ? first : null) });
  await writeSome(cluster.balancer, 3);
  assert.equal((await verify(cluster)).equal, true);
  await cluster.nodes[2]?.stop();
  await cluster.balancer.reached("app3", "down");
  assert.equal((await verify(cluster)).equal, null, "app1 and app2 hold the same, of app3 nobody knows");
  first = differs;
  assert.equal((await verify(cluster)).equal, false);
});

test("verify: a node in maintenance is not compared either", async (t) => {
  const cluster = await startCluster(t, 3, SNAPSHOT);
  for (const node of cluster.nodes) keepState(node);
  await writeSome(cluster.balancer, 3);
  await cluster.balancer.admin("/api/nodes/app3/maint", "POST");
  const { equal, nodes } = await verify(cluster);
  assert.equal(equal, null);
  assert.match(String(nodes[2]?.error), /^it gets no writes: maint/);
});

test("verify: an answer without end is given up at its limit, not kept in memory", async (t) => {
  const cluster = await startPair(t, () => ({ body: "x".repeat(64_000_000) }));
  const report = await verify(cluster);
  assert.match(String(second(report)?.error), /expected at most 65536 bytes from GET \/lb\/digest/);
  await until(() => cluster.nodes[1]?.cut === 1, { what: "the answer to be cut" });
});

test("verify: a digest of a node that was given another state meanwhile is not compared", async (t) => {
  const slow = gate();
  const cluster = await startPair(
    t,
    slow.answers({ body: '{"digest":"of what it was"}' }).bind(null, {} as never),
  );
  const asked = verify(cluster);
  await until(() => cluster.nodes[1]?.log.some(isDigest));
  await cluster.balancer.admin("/api/nodes/app2/resync", "POST", {});
  await cluster.balancer.settled();
  slow.open();
  const report = await asked;
  assert.match(String(second(report)?.error), /changed meanwhile/);
  assert.equal(second(report)?.digest, null);
});
