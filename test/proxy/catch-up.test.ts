import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { CatchUp } from "../../proxy/catch-up.ts";

/** A node's cursor and the head that goes with it, second by second. */
function sampled(
  t: TestContext,
  seconds: readonly { head: number; cursor: number; bootstrappedAt?: number }[],
) {
  let now = seconds[0] ?? { head: 0, cursor: 0 };
  const catchUp = new CatchUp(() => ({
    head: now.head,
    nodes: [{ name: "app1", cursor: now.cursor, bootstrappedAt: now.bootstrappedAt ?? 0 }],
  }));
  t.after(() => catchUp.stop());
  for (const [index, one] of seconds.entries()) {
    now = one;
    catchUp.sample(index * 1000);
  }
  return catchUp.speed("app1");
}

test("a node that gets 100 records a second while 20 come has 80 fewer each second", (t) => {
  const seconds = [0, 1, 2, 3].map((n) => ({ head: 1000 + 20 * n, cursor: 100 * n }));
  // 1,000 behind at first, 760 after 3 s
  assert.deepEqual(sampled(t, seconds), { rate: 100, eta: 9.5 });
});

test("a node that gets nothing never catches up", (t) => {
  const seconds = [0, 1, 2].map((n) => ({ head: 1000 + n, cursor: 0 }));
  assert.deepEqual(sampled(t, seconds), { rate: 0, eta: null });
});

test("a node that is slower than the writes that come never catches up, however fast it is", (t) => {
  const seconds = [0, 1, 2].map((n) => ({ head: 1000 + 200 * n, cursor: 100 * n }));
  assert.deepEqual(sampled(t, seconds), { rate: 100, eta: null });
});

test("without lag there is nothing to wait for", (t) => {
  assert.deepEqual(sampled(t, [{ head: 7, cursor: 7 }]), { rate: 0, eta: 0 });
});

test("only the last 15 seconds count", (t) => {
  const seconds = Array.from({ length: 40 }, (_, n) => ({ head: 5000, cursor: n < 20 ? 100 * n : 2000 }));
  assert.deepEqual(sampled(t, seconds), { rate: 0, eta: null });
});

test("a cursor that a bootstrap or a resync set has not moved", (t) => {
  const forwards = [
    { head: 1000, cursor: 0 },
    { head: 1000, cursor: 900, bootstrappedAt: 5 },
  ];
  assert.deepEqual(sampled(t, forwards), { rate: 0, eta: null });
  const backwards = [
    { head: 1000, cursor: 1000 },
    { head: 1000, cursor: 0 },
  ];
  assert.deepEqual(sampled(t, backwards), { rate: 0, eta: null });
});

test("a node that nobody knows has no speed", (t) => {
  const catchUp = new CatchUp(() => ({ head: 0, nodes: [] }));
  t.after(() => catchUp.stop());
  assert.deepEqual(catchUp.speed("app9"), { rate: 0, eta: null });
});
