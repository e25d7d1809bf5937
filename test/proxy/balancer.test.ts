import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createBalancer, LeastConn, RoundRobin } from "../../proxy/balancer.ts";
import { UpstreamNode } from "../../proxy/node.ts";

function nodes(count: number): UpstreamNode[] {
  return Array.from({ length: count }, (_, index) => {
    return new UpstreamNode({ name: `app${index + 1}`, url: "http://127.0.0.1:1", empty: false }, () => {});
  });
}

function counts(picked: readonly (UpstreamNode | undefined)[], of: readonly UpstreamNode[]): number[] {
  return of.map((node) => picked.filter((one) => one === node).length);
}

test("round robin: over any n·k consecutive picks among n nodes each gets exactly k (property)", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 9 }),
      fc.nat(40),
      fc.integer({ min: 1, max: 20 }),
      (n, before, k) => {
        const balancer = new RoundRobin();
        const all = nodes(n);
        for (let pick = 0; pick < before; pick++) balancer.pick(all, []);
        const picked = Array.from({ length: n * k }, () => balancer.pick(all, []));
        assert.deepEqual(counts(picked, all), Array(n).fill(k));
      },
    ),
  );
});

test("round robin: any 9·k consecutive picks of a long run among 9 nodes", () => {
  const balancer = new RoundRobin();
  const all = nodes(9);
  const picked = Array.from({ length: 200 }, () => balancer.pick(all, []));
  for (let from = 0; from + 45 <= picked.length; from++) {
    assert.deepEqual(counts(picked.slice(from, from + 45), all), Array(9).fill(5), `from pick ${from}`);
  }
});

test("round robin: a node that was tried is passed over; none left is undefined", () => {
  const balancer = new RoundRobin();
  const all = nodes(3);
  const tried: UpstreamNode[] = [];
  for (let n = 0; n < 3; n++) {
    const node = balancer.pick(all, tried);
    assert.ok(node && !tried.includes(node));
    tried.push(node);
  }
  assert.equal(balancer.pick(all, tried), undefined);
  assert.equal(balancer.pick([], []), undefined);
});

test("round robin: goes on evenly when nodes come and go", () => {
  const balancer = new RoundRobin();
  const all = nodes(5);
  for (const now of [all, all.slice(0, 2), all.slice(1), all.slice(4), all]) {
    const picked = Array.from({ length: now.length * 6 }, () => balancer.pick(now, []));
    assert.deepEqual(counts(picked, now), Array(now.length).fill(6));
  }
});

test("leastconn: the node with the fewest reads in flight", () => {
  const balancer = new LeastConn();
  const all = nodes(3);
  [3, 1, 2].forEach((reads, index) => {
    (all[index] as UpstreamNode).readsInFlight = reads;
  });
  assert.equal(balancer.pick(all, [])?.name, "app2");
  assert.equal(balancer.pick(all, [all[1] as UpstreamNode])?.name, "app3");
  assert.equal(balancer.pick(all, all), undefined);
});

test("leastconn: among equals in turn; and it evens out what is uneven", () => {
  const balancer = createBalancer("leastconn");
  const all = nodes(4);
  const idle = Array.from({ length: 12 }, () => balancer.pick(all, []));
  assert.deepEqual(counts(idle, all), [3, 3, 3, 3]);
  (all[0] as UpstreamNode).readsInFlight = 5;
  for (let n = 0; n < 15; n++) {
    const node = balancer.pick(all, []);
    if (node) node.readsInFlight++;
  }
  assert.deepEqual(
    all.map(({ readsInFlight }) => readsInFlight),
    [5, 5, 5, 5],
  );
});
