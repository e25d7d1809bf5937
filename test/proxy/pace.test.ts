import assert from "node:assert/strict";
import { test } from "node:test";
import { Pace } from "../../proxy/pace.ts";

/** Sends what it may each ms; `headAt` is the journal's head at that time. */
function sentWithin(ms: number, headAt: (now: number) => number): number {
  const pace = new Pace(0, headAt(0));
  let sent = 0;
  for (let now = 0; now < ms; now++) {
    while (pace.wait(now, headAt(now)) === 0) {
      pace.spend();
      sent++;
    }
  }
  return sent;
}

test("a short backlog goes at once", () => {
  assert.ok(sentWithin(1, () => 5000) >= 64);
});

test("a long one goes at about 250 a second behind that", () => {
  const sent = sentWithin(10_000, () => 50_000) - sentWithin(1, () => 50_000);
  assert.ok(sent > 2_450 && sent <= 2_500, `${sent}`);
});

test("where 5,000 new ones come each second it is faster than they are", () => {
  const sent = sentWithin(10_000, (now) => now * 5);
  assert.ok(sent > 100_000, `${sent}`);
});

test("what it says to wait is when the next may go", () => {
  const pace = new Pace(0, 1);
  while (pace.wait(0, 1) === 0) pace.spend();
  const wait = pace.wait(0, 1);
  assert.ok(wait > 0 && wait <= 4);
  assert.equal(pace.wait(wait + 0.001, 1), 0);
});
