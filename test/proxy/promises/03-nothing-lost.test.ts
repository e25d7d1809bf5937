import assert from "node:assert/strict";
import { test } from "node:test";
import { gate, header, seqOf, seqsAt, startCluster, writesAt } from "../../support/bare-cluster.ts";
import { key, register } from "../../support/client.ts";

function range(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index + 1);
}

function unique(seqs: readonly number[]): number[] {
  return [...new Set(seqs)].sort((a, b) => a - b);
}

test("promise 3, nothing is lost: a member that was down gets every write that it missed", async (t) => {
  const { balancer, nodes } = await startCluster(t, 3);
  await nodes[2]?.stop();
  await Promise.all(range(40).map((n) => register(balancer, `user${n}`)));
  await nodes[2]?.restart();
  await balancer.settled();
  for (const node of nodes) assert.deepEqual(unique(seqsAt(node)), range(40));
});

test("promise 3, nothing is lost: kill -9 right behind the replies loses no write, whatever was stored of the acks", async (t) => {
  const { balancer, nodes } = await startCluster(t, 3);
  const replies = await Promise.all(range(20).map((n) => register(balancer, `user${n}`)));
  await balancer.kill9();
  assert.ok(replies.every(({ status }) => status === 200));
  await balancer.start();
  for (const node of nodes) {
    assert.deepEqual(unique(seqsAt(node)), range(20));
    const repeats = writesAt(node).slice(20);
    for (const again of repeats) assert.ok(Number(header(again, "lb-attempt")) >= 2, `seq ${seqOf(again)}`);
  }
});

test("promise 3, nothing is lost: writes that no node had answered at kill -9 reach all of them after the restart", async (t) => {
  const { balancer, nodes } = await startCluster(t, 2);
  for (const node of nodes) node.behave({ fault: "hang" });
  const clients = range(10).map((n) => register(balancer, `user${n}`, key(`k${n}`)).catch(() => null));
  while ((await balancer.status()).head < 10);
  await balancer.kill9();
  await Promise.all(clients);
  for (const node of nodes) node.behave({ status: 201, body: "made" });
  await balancer.start();
  for (const node of nodes) assert.deepEqual(unique(seqsAt(node)), range(10));
  const repeat = await register(balancer, "user3", key("k3"));
  assert.deepEqual([repeat.status, repeat.body, repeat.headers["lb-repeat"]], [201, "made", "1"]);
});

test("promise 3, nothing is lost: a write that one of two nodes had acked at kill -9 gets its outcome after the restart", async (t) => {
  const { balancer, nodes } = await startCluster(t, 2, { writes: { sendTimeout: "2s" } });
  const held = gate();
  nodes[0]?.behave({ status: 201, body: "made" });
  nodes[1]?.behave(held.answers());
  const client = register(balancer, "ada", key("k1")).catch(() => null);
  while (((await balancer.write(1).catch(() => null))?.acks.length ?? 0) === 0);
  await balancer.kill9();
  await client;
  nodes[1]?.behave({ status: 201, body: "made" });
  await balancer.start();
  const repeat = await register(balancer, "ada", key("k1"));
  assert.deepEqual(
    [repeat.status, repeat.body, repeat.seq, repeat.headers["lb-repeat"]],
    [201, "made", 1, "1"],
  );
  const { writesOpen, head } = await balancer.status();
  assert.deepEqual([writesOpen, head], [0, 1], "nothing waits for an ack that was given before the restart");
  assert.equal(writesAt(nodes[0] as never).length, 1, "what was acked is not sent again");
});

test("promise 3, nothing is lost: nodes and the balancer failing in turn", async (t) => {
  const { balancer, nodes } = await startCluster(t, 3);
  const accepted = new Set<number>();
  for (let round = 0; round < 3; round++) {
    const victim = nodes[round];
    await victim?.stop();
    const replies = await Promise.all(
      range(8).map((n) => register(balancer, `u${round}-${n}`).catch(() => null)),
    );
    for (const reply of replies) if (reply?.status === 200) accepted.add(reply.seq);
    await balancer.kill9();
    await victim?.restart();
    await balancer.start();
  }
  assert.ok(accepted.size >= 20);
  for (const node of nodes) {
    const got = new Set(seqsAt(node));
    for (const seq of accepted) assert.ok(got.has(seq), `seq ${seq}`);
  }
});
