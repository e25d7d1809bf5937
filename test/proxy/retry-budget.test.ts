import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { RetryBudget } from "../../proxy/retry-budget.ts";

test("a quiet balancer has a few retries in hand, and then as many as reads pay for", () => {
  const budget = new RetryBudget(0.5, 3);
  const take = () => Array.from({ length: 5 }, () => budget.withdraw());
  assert.deepEqual(take(), [true, true, true, false, false]);
  for (let read = 0; read < 4; read++) budget.deposit();
  assert.deepEqual(take(), [true, true, false, false, false]);
});

test("a share of 0 allows no retry at all", () => {
  const budget = new RetryBudget(0);
  for (let read = 0; read < 100; read++) budget.deposit();
  assert.equal(budget.withdraw(), false);
});

test("what is saved up is bounded", () => {
  const budget = new RetryBudget(0.2, 10);
  for (let read = 0; read < 100_000; read++) budget.deposit();
  let retries = 0;
  while (budget.withdraw()) retries++;
  assert.equal(retries, 30);
});

test("retries never exceed the share of all reads, plus the floor (property)", () => {
  fc.assert(
    fc.property(
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.array(fc.boolean(), { maxLength: 300 }),
      (share, steps) => {
        const budget = new RetryBudget(share, 5);
        let [reads, retries] = [0, 0];
        for (const isRead of steps) {
          if (isRead) {
            budget.deposit();
            reads++;
          } else if (budget.withdraw()) retries++;
          assert.ok(retries <= reads * share + 5 + 1e-6);
        }
      },
    ),
  );
});
