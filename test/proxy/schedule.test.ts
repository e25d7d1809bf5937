import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Schedule } from "../../proxy/schedule.ts";

interface Entry {
  readonly seq: number;
  readonly key: string | null;
  aside: boolean;
  claimed: boolean;
}

/** The rules of promises 4 and 8 said naively: may this record be sent now? */
class Model {
  /** In the order in which they take their turns. */
  open: Entry[] = [];

  sendable(): number[] {
    return this.open.filter((entry) => !entry.claimed && this.#mayGo(entry)).map(({ seq }) => seq);
  }

  held(): number {
    return this.open.filter((entry) => this.#isHeld(entry)).length;
  }

  /** A barrier that is put back comes after all that was let past it. */
  putBack(entry: Entry): void {
    entry.aside = false;
    if (entry.key !== null || this.#isBlocked(entry)) return;
    const others = this.open.filter((other) => other !== entry);
    const firstBlocked = others.findIndex((other, at) => {
      const barriers = others.slice(0, at + 1).filter(({ key, aside }) => key === null && !aside);
      return barriers.length > 0 && !(barriers.length === 1 && barriers[0] === other && other.claimed);
    });
    const at = firstBlocked < 0 ? others.length : firstBlocked;
    this.open = [...others.slice(0, at), entry, ...others.slice(at)];
  }

  #before(entry: Entry): Entry[] {
    return this.open.slice(0, this.open.indexOf(entry));
  }

  #isBlocked(entry: Entry): boolean {
    return this.#before(entry).some((other) => other.key === null && !other.aside);
  }

  #mayGo(entry: Entry): boolean {
    if (entry.aside || this.#isBlocked(entry)) return false;
    const before = this.#before(entry);
    if (entry.key === null) return before.every((other) => this.#isHeld(other));
    return !before.some((other) => other.key === entry.key);
  }

  /** Set aside, or behind one of its key that is; what a barrier keeps back is not held by anything else. */
  #isHeld(entry: Entry): boolean {
    if (this.#isBlocked(entry)) return false;
    if (entry.key === null) return entry.aside;
    return this.open.find((other) => other.key === entry.key)?.aside ?? false;
  }
}

type Step = { do: "add"; key: string | null } | { do: "next" | "done" | "retry" | "aside"; pick: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    do: fc.constant("add" as const),
    key: fc.oneof(
      { weight: 6, arbitrary: fc.constantFrom("a", "b", "c") },
      { weight: 1, arbitrary: fc.constant(null) },
    ),
  }),
  fc.record({ do: fc.constantFrom("next", "done", "retry", "aside"), pick: fc.nat(9) }) as fc.Arbitrary<Step>,
);

test("invariant in order: the schedule allows exactly what the rules of promise 4 allow (property)", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const schedule = new Schedule();
      const model = new Model();
      let seq = 0;
      for (const one of steps) {
        if (one.do === "add") {
          seq++;
          schedule.add(seq, one.key);
          model.open.push({ seq, key: one.key, aside: false, claimed: false });
        } else act(schedule, model, one.do, one.pick);
        check(schedule, model);
      }
    }),
    { numRuns: 3000 },
  );
});

function act(
  schedule: Schedule,
  model: Model,
  what: "next" | "done" | "retry" | "aside",
  pick: number,
): void {
  const claimed = model.open.filter((entry) => entry.claimed);
  if (what === "next") {
    const sendable = model.sendable();
    const got = schedule.next();
    if (sendable.length === 0) assert.equal(got, undefined);
    else assert.ok(got !== undefined && sendable.includes(got), `got ${got} of ${sendable}`);
    const entry = model.open.find(({ seq }) => seq === got);
    if (entry) entry.claimed = true;
  } else if (what === "done" && claimed.length > 0) {
    const entry = claimed[pick % claimed.length] as Entry;
    schedule.done(entry.seq);
    model.open.splice(model.open.indexOf(entry), 1);
  } else if (what === "retry" && claimed.length > 0) {
    const entry = claimed[pick % claimed.length] as Entry;
    schedule.pause(entry.seq);
    schedule.resume(entry.seq);
    entry.claimed = false;
  } else if (what === "aside" && model.open.length > 0) {
    const entry = model.open[pick % model.open.length] as Entry;
    if (entry.aside) {
      schedule.putBack(entry.seq);
      model.putBack(entry);
      return;
    }
    schedule.setAside(entry.seq);
    entry.aside = true;
    entry.claimed = false;
  }
}

function check(schedule: Schedule, model: Model): void {
  assert.equal(schedule.size, model.open.length);
  const seqs = model.open.map(({ seq }) => seq);
  assert.equal(schedule.lowest, seqs.length > 0 ? Math.min(...seqs) : undefined);
  assert.equal(schedule.held, model.held(), "held");
  assert.equal([...schedule.waiting()].length, model.open.length - model.held());
}

test("a record whose key is free is sent while another key is held up", () => {
  const schedule = new Schedule();
  schedule.add(1, "a");
  schedule.add(2, "a");
  schedule.add(3, "b");
  assert.deepEqual([schedule.next(), schedule.next(), schedule.next()], [1, 3, undefined]);
  schedule.done(1);
  assert.equal(schedule.next(), 2);
});

test("a barrier waits for all before it and holds all after it", () => {
  const schedule = new Schedule();
  schedule.add(1, "a");
  schedule.add(2, null);
  schedule.add(3, "b");
  assert.deepEqual([schedule.next(), schedule.next()], [1, undefined]);
  schedule.done(1);
  assert.deepEqual([schedule.next(), schedule.next()], [2, undefined]);
  schedule.done(2);
  assert.equal(schedule.next(), 3);
});

test("a skip takes out a record that has not had its turn", () => {
  const schedule = new Schedule();
  schedule.add(1, "a");
  schedule.add(2, null);
  schedule.add(3, "a");
  schedule.done(2);
  assert.deepEqual([schedule.next(), schedule.next()], [1, undefined]);
  schedule.done(1);
  assert.equal(schedule.next(), 3);
});

test("each record's place says what it waits for", () => {
  const schedule = new Schedule();
  schedule.add(1, "a");
  schedule.add(2, "a");
  schedule.add(3, null);
  schedule.add(4, "b");
  assert.deepEqual(schedule.placeOf(1), { at: "ready", behind: null });
  assert.equal(schedule.next(), 1);
  assert.deepEqual(
    [1, 2, 3, 4, 5].map((seq) => schedule.placeOf(seq)),
    [
      { at: "sending", behind: null },
      { at: "same-key", behind: 1 },
      { at: "as-barrier", behind: 1 },
      { at: "barrier", behind: 3 },
      null,
    ],
  );
  schedule.pause(1);
  assert.deepEqual(schedule.placeOf(1), { at: "paused", behind: null });
  schedule.setAside(1);
  assert.deepEqual(schedule.placeOf(1), { at: "set-aside", behind: null });
  assert.deepEqual(schedule.placeOf(2), { at: "held", behind: 1 });
  assert.deepEqual(schedule.placeOf(3), { at: "ready", behind: null });
  assert.deepEqual(schedule.placeOf(4), { at: "barrier", behind: 3 });
  assert.equal(schedule.next(), 3);
  schedule.done(3);
  assert.deepEqual(schedule.placeOf(4), { at: "ready", behind: null });
});
