import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { JournalRecord } from "../../proxy/record.ts";
import { type Answer, Write, type WritePolicy } from "../../proxy/write.ts";

const NODES = ["a", "b", "c", "d"];

function answerOf(status: number, { ambiguous = false, tooLarge = false } = {}): Answer {
  return { status, headers: [], body: new Uint8Array(), ambiguous, tooLarge };
}

interface Told {
  settled: number | null;
  missed: string[];
  agreed: number | null;
  diverged: { nodes: string[]; expected: number } | null;
  closed: boolean;
}

/** A write and all that it told; `agreedOnError` accepts the error on each node, as its owner does. */
function makeWrite(
  policy: Partial<WritePolicy> = {},
  inSync: readonly string[] = ["a", "b", "c"],
  startedAt: number | null = 0,
) {
  const told: Told = { settled: null, missed: [], agreed: null, diverged: null, closed: false };
  const record: JournalRecord = {
    seq: 1,
    at: 0,
    route: "all-1",
    key: null,
    clientKey: null,
    requestId: null,
    request: { method: "POST", target: "/", headers: [], body: new Uint8Array() },
    state: { outcome: null, setAside: false },
  };
  const write: Write = new Write({
    record,
    policy: { ack: "all", minInSync: 1, members: NODES, ...policy },
    inSync,
    startedAt,
    order: (name) => NODES.indexOf(name),
    events: {
      missed: (node, from) => {
        assert.ok(!told.missed.includes(node), `${node} is told once`);
        told.missed.push(node);
        from.left(node);
      },
      settled: (_, { status }) => {
        assert.equal(told.settled, null);
        told.settled = status;
      },
      agreedOnError: (from, status, nodes) => {
        told.agreed = status;
        for (const node of nodes) from.answered(node, answerOf(status));
      },
      diverged: (_, nodes, expected) => {
        told.diverged = { nodes: [...nodes], expected };
      },
      closed: () => {
        assert.ok(!told.closed);
        told.closed = true;
      },
    },
  });
  return { write, told, record };
}

type Step = (write: Write) => void;
const acks =
  (node: string, status = 200, more = {}): Step =>
  (write) =>
    write.answered(node, answerOf(status, more));
const fails =
  (node: string, status: number | null = null): Step =>
  (write) =>
    write.failed(node, { status, reason: "" });
const leaves =
  (node: string): Step =>
  (write) =>
    write.left(node);
const drains =
  (node: string): Step =>
  (write) =>
    write.left(node, { draining: true });
const removed =
  (...nodes: string[]): Step =>
  (write) =>
    write.reconfigured(1, (name) => !nodes.includes(name));
const joins =
  (node: string): Step =>
  (write) =>
    write.joined(node);
const overdue: Step = (write) => write.overdue();

/** What is told behind all the steps; nodes a, b and c are in-sync, d is a member. */
const TABLE: readonly [
  what: string,
  policy: Partial<WritePolicy>,
  steps: readonly Step[],
  told: Partial<Told>,
][] = [
  ["all: nothing before the last answer", {}, [acks("a"), acks("b")], { settled: null, closed: false }],
  [
    "all: the last answer settles and closes",
    {},
    [acks("a"), acks("b"), acks("c")],
    { settled: 200, closed: true },
  ],
  [
    "all: a node that left is not waited for",
    {},
    [acks("a"), acks("b"), leaves("c")],
    { settled: 200, closed: true },
  ],
  [
    "all: all left without an answer is no success",
    {},
    [leaves("a"), leaves("b"), leaves("c")],
    { settled: null },
  ],
  [
    "all: an answer counts although its node left since",
    {},
    [acks("a"), leaves("a"), leaves("b"), leaves("c")],
    { settled: 200 },
  ],
  [
    "all: fewer answers than minInSync are no success",
    { minInSync: 2 },
    [acks("a"), leaves("b"), leaves("c")],
    { settled: null, closed: false },
  ],
  [
    "all: a node that joins makes up for it",
    { minInSync: 2 },
    [acks("a"), leaves("b"), leaves("c"), acks("d"), joins("d")],
    { settled: 200 },
  ],
  [
    "all: a node that joins is waited for",
    {},
    [acks("a"), acks("b"), joins("d"), acks("c")],
    { settled: null },
  ],
  [
    "all: an answer of a node that is not in-sync does not count",
    {},
    [acks("d"), leaves("a"), leaves("b"), leaves("c")],
    { settled: null },
  ],
  [
    "quorum: more than half of the members",
    { ack: "quorum" },
    [acks("a"), acks("b"), acks("c")],
    { settled: 200 },
  ],
  [
    "quorum: half of the members is not enough",
    { ack: "quorum" },
    [acks("a"), acks("b"), leaves("c")],
    { settled: null },
  ],
  [
    "quorum: nodes that left count against it",
    { ack: "quorum", members: [...NODES, "e"] },
    [leaves("c"), acks("a"), acks("b")],
    { settled: null },
  ],
  [
    "quorum: a node that is drained counts when it answers",
    { ack: "quorum", members: [...NODES, "e"] },
    [drains("c"), acks("a"), acks("b"), acks("c")],
    { settled: 200 },
  ],
  [
    "quorum: nodes that are removed do not count against it",
    { ack: "quorum", members: [...NODES, "e"] },
    [leaves("c"), acks("a"), acks("b"), removed("c", "e")],
    { settled: 200 },
  ],
  [
    "quorum: the answer of a node that is removed does not count",
    { ack: "quorum", members: [...NODES, "e"] },
    [acks("c"), acks("a"), leaves("c"), removed("c", "e"), acks("d")],
    { settled: null },
  ],
  [
    "all: too few have answered, until minInSync is lowered",
    { minInSync: 3 },
    [acks("a"), acks("b"), leaves("c"), (write) => write.reconfigured(2, () => true)],
    { settled: 200 },
  ],
  [
    "quorum: settled while others are awaited",
    { ack: "quorum", members: ["a", "b", "c"] },
    [acks("a"), acks("b")],
    { settled: 200, closed: false },
  ],
  ["one: the first", { ack: "one" }, [acks("b")], { settled: 200, closed: false }],
  [
    "one: closed when all have answered",
    { ack: "one" },
    [acks("b"), acks("a"), acks("c")],
    { settled: 200, closed: true },
  ],
  ["missed: an attempt failed, then another node acked", {}, [fails("b"), acks("a")], { missed: ["b"] }],
  ["missed: another node acked, then an attempt failed", {}, [acks("a"), fails("b")], { missed: ["b"] }],
  ["missed: nobody acked, nobody missed", {}, [fails("a"), fails("b"), fails("c"), overdue], { missed: [] }],
  [
    "missed: the send timeout passed, and one acked",
    {},
    [acks("a"), overdue],
    { missed: ["b", "c"], settled: 200, closed: true },
  ],
  [
    "missed: the send timeout passed before one acked",
    {},
    [overdue, acks("a")],
    { missed: ["b", "c"], settled: 200 },
  ],
  [
    "missed: a failure that was made good before anyone acked",
    {},
    [fails("b"), acks("b"), acks("a"), acks("c")],
    { missed: [], settled: 200 },
  ],
  [
    "missed: an ack of a node that is not in-sync makes nobody miss it",
    {},
    [acks("d"), fails("b")],
    { missed: [] },
  ],
  ["missed: that node joins", {}, [acks("d"), fails("b"), joins("d")], { missed: ["b"] }],
  [
    "missed: a node that joins behind the send timeout",
    {},
    [leaves("c"), overdue, joins("d"), acks("a")],
    { missed: ["b", "d"] },
  ],
  [
    "missed: a node that is not in-sync cannot miss",
    {},
    [leaves("b"), fails("b"), acks("a")],
    { missed: [] },
  ],
  [
    "error: all in-sync nodes insist on it",
    {},
    [..."abcabc"].map((node) => fails(node, 500)),
    { agreed: 500, settled: 500, missed: [], closed: true },
  ],
  ["error: one retry each is asked for", {}, [..."abcab"].map((node) => fails(node, 500)), { agreed: null }],
  [
    "error: another status is no agreement",
    {},
    [..."abab"].map((node) => fails(node, 500)).concat([fails("c", 503), fails("c", 503)]),
    { agreed: null },
  ],
  [
    "error: a lost answer in between starts anew",
    {},
    [..."aabbc"].map((node) => fails(node, 500)).concat([fails("c"), fails("c", 500)]),
    { agreed: null },
  ],
  [
    "error: one success is no agreement",
    {},
    [acks("c"), ...[..."aabb"].map((node) => fails(node, 500))],
    { agreed: null, missed: ["a", "b"], settled: 200 },
  ],
  [
    "error: the one that does not insist leaves",
    {},
    [..."aabb"].map((node) => fails(node, 500)).concat([leaves("c")]),
    { agreed: 500, settled: 500 },
  ],
  [
    "diverged: the minority",
    {},
    [acks("a"), acks("b", 409), acks("c")],
    { settled: 200, diverged: { nodes: ["b"], expected: 200 } },
  ],
  [
    "diverged: the first node in the minority",
    {},
    [acks("a", 409), acks("b"), acks("c")],
    { settled: 200, diverged: { nodes: ["a"], expected: 200 } },
  ],
  [
    "diverged: tie, those that differ from what the client got",
    {},
    [leaves("c"), acks("a", 201), acks("b", 409)],
    { settled: 201, diverged: { nodes: ["b"], expected: 201 } },
  ],
  [
    "diverged: policy one, the majority decides",
    { ack: "one" },
    [acks("a", 409), acks("b"), acks("c")],
    { settled: 409, diverged: { nodes: ["a"], expected: 200 } },
  ],
  [
    "diverged: policy one, tie",
    { ack: "one" },
    [leaves("c"), acks("b", 409), acks("a")],
    { settled: 409, diverged: { nodes: ["a"], expected: 409 } },
  ],
  [
    "diverged: a node that answered while it was out",
    {},
    [leaves("c"), acks("c", 409), acks("a"), acks("b")],
    { settled: 200, diverged: { nodes: ["c"], expected: 200 } },
  ],
  [
    "ambiguous: never diverged",
    {},
    [acks("a"), acks("b", 409, { ambiguous: true }), acks("c")],
    { settled: 200, diverged: null },
  ],
  [
    "ambiguous: certain answers decide",
    {},
    [acks("a", 409, { ambiguous: true }), acks("b", 409, { ambiguous: true }), acks("c", 201)],
    { settled: 201, diverged: null },
  ],
  [
    "ambiguous: all of them: the majority of what there is",
    {},
    [
      acks("a", 409, { ambiguous: true }),
      acks("b", 201, { ambiguous: true }),
      acks("c", 409, { ambiguous: true }),
    ],
    { settled: 409, diverged: null },
  ],
  [
    "ambiguous: what the client got, and the one certain answer differs",
    { ack: "one" },
    [acks("a", 201, { ambiguous: true }), acks("b", 409), acks("c", 409)],
    { settled: 201, diverged: null },
  ],
];

for (const [what, policy, steps, expected] of TABLE) {
  test(`write: ${what}`, () => {
    const { write, told } = makeWrite(policy);
    for (const step of steps) step(write);
    const seen = Object.fromEntries(Object.keys(expected).map((name) => [name, told[name as keyof Told]]));
    assert.deepEqual(seen, expected);
  });
}

test("write: the answer sent is that of the majority's first node in config order that has its body", () => {
  const { write } = makeWrite();
  write.answered("c", { ...answerOf(201), body: Buffer.from("c") });
  write.answered("b", { ...answerOf(201), body: Buffer.from("b") });
  write.answered("a", { ...answerOf(201, { tooLarge: true }) });
  assert.equal(String(write.answer?.body), "b");
});

test("write: set aside is for when every awaited node has used up its attempts and none acked", () => {
  const { write } = makeWrite();
  assert.deepEqual(
    ["a", "b", "c"].map((node) => write.exhausted(node, [])),
    [false, false, true],
  );
  const acked = makeWrite().write;
  acked.answered("a", answerOf(200));
  assert.deepEqual(
    ["b", "c"].map((node) => acked.exhausted(node, [])),
    [false, false],
  );
});

test("write: a node that has not acked may join while nothing was told, unless it has missed it", () => {
  const fresh = makeWrite().write;
  assert.equal(fresh.mayJoin("d"), true);
  fresh.failed("d", { status: 500, reason: "" });
  assert.equal(fresh.mayJoin("d"), true, "nobody acked");
  fresh.answered("a", answerOf(200));
  assert.deepEqual([fresh.mayJoin("d"), fresh.mayJoin("e")], [false, true]);
  fresh.overdue();
  assert.equal(fresh.mayJoin("e"), false);
  const settled = makeWrite({ ack: "one" }).write;
  settled.answered("a", answerOf(200));
  assert.equal(settled.mayJoin("d"), false);
  assert.equal(makeWrite({}, ["a"], null).write.mayJoin("d"), false, "recorded before a restart");
});

test("write: what was answered before a restart counts when its node joins", () => {
  const told: number[] = [];
  const { record } = makeWrite();
  const write = new Write({
    record,
    policy: { ack: "all", minInSync: 1, members: ["a", "b"] },
    inSync: [],
    startedAt: null,
    answers: new Map([["a", answerOf(201, { tooLarge: true })]]),
    order: () => 0,
    events: {
      missed() {},
      settled: (_, { status }) => void told.push(status),
      agreedOnError() {},
      diverged() {},
      closed() {},
    },
  });
  assert.deepEqual(told, []);
  write.joined("a");
  assert.deepEqual([told, record.state.outcome], [[201], 201]);
});

// Property: against a naive model that looks at the whole story each time.

type Event =
  | { readonly do: "ack"; readonly node: string; readonly status: number; readonly ambiguous: boolean }
  | { readonly do: "fail" | "leave" | "join"; readonly node: string }
  | { readonly do: "overdue" };

const node = fc.constantFrom(...NODES);
const event: fc.Arbitrary<Event> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("ack" as const),
      node,
      status: fc.constantFrom(200, 201, 409),
      ambiguous: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("fail" as const), node }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("leave" as const), node }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("join" as const), node }) },
  { weight: 1, arbitrary: fc.constant({ do: "overdue" as const }) },
);

class Model {
  readonly inSync: Set<string>;
  readonly answers = new Map<string, { status: number; ambiguous: boolean }>();
  readonly counted = new Map<string, { status: number; ambiguous: boolean }>();
  readonly failing = new Set<string>();
  settled = false;

  constructor(inSync: readonly string[]) {
    this.inSync = new Set(inSync);
  }

  /** Nodes in trouble leave as soon as an in-sync node has acked. */
  update(policy: WritePolicy): void {
    for (const name of this.inSync) {
      const answer = this.answers.get(name);
      if (answer !== undefined) this.counted.set(name, answer);
    }
    if (this.counted.size > 0) for (const name of this.failing) this.inSync.delete(name);
    const waited = [...this.inSync].every((name) => this.answers.has(name));
    const count = this.counted.size;
    if (policy.ack === "one") this.settled ||= count >= 1;
    else if (policy.ack === "quorum") this.settled ||= count > policy.members.length / 2;
    else this.settled ||= waited && count >= Math.max(1, policy.minInSync);
  }
}

test("write: policy, missed nodes and the majority hold in any story (property)", () => {
  const policy = fc.record({
    ack: fc.constantFrom("all" as const, "quorum" as const, "one" as const),
    minInSync: fc.integer({ min: 1, max: 3 }),
    members: fc.constant(NODES),
  });
  fc.assert(
    fc.property(policy, fc.subarray(NODES), fc.array(event, { maxLength: 25 }), (chosen, inSync, events) => {
      const { write, told, record } = makeWrite(chosen, inSync);
      const model = new Model(inSync);
      let isOverdue = false;
      for (const one of events) {
        if (told.closed) break;
        if (one.do === "overdue") {
          isOverdue = true;
          for (const name of model.inSync) if (!model.answers.has(name)) model.failing.add(name);
          write.overdue();
        } else if (one.do === "ack") {
          if (model.answers.has(one.node)) continue;
          model.answers.set(one.node, one);
          model.failing.delete(one.node);
          write.answered(one.node, answerOf(one.status, one));
        } else if (one.do === "fail") {
          if (model.answers.has(one.node)) continue;
          model.failing.add(one.node);
          write.failed(one.node, { status: null, reason: "" });
        } else if (one.do === "leave") {
          model.inSync.delete(one.node);
          write.left(one.node);
        } else {
          // The owner lets a node join only with its ack or where it may be waited for.
          if (model.inSync.has(one.node) || !(model.answers.has(one.node) || write.mayJoin(one.node)))
            continue;
          model.inSync.add(one.node);
          if (isOverdue && !model.answers.has(one.node)) model.failing.add(one.node);
          write.joined(one.node);
        }
        model.update(chosen);
        assert.equal(told.settled !== null, model.settled, `settled after ${one.do}`);
        assert.deepEqual(new Set(write.awaited), model.inSync, `awaited after ${one.do}`);
        if (told.settled !== null && chosen.ack !== "one") {
          const given = [...model.counted.values()];
          assert.ok(given.some(({ status }) => status === told.settled));
        }
        if (told.diverged !== null) {
          assert.equal(record.state.outcome, told.diverged.expected);
          for (const name of told.diverged.nodes) {
            const { status, ambiguous } = model.answers.get(name) ?? { status: 0, ambiguous: true };
            assert.ok(!ambiguous && status !== told.diverged.expected);
          }
        }
      }
    }),
    { numRuns: 3000 },
  );
});
