import assert from "node:assert/strict";
import { test } from "node:test";
import { Delivery, type DeliveryLimits, isFinal } from "../../proxy/delivery.ts";
import type { Journal } from "../../proxy/journal/journal.ts";
import type { Attempt, LegOptions } from "../../proxy/leg.ts";
import { UpstreamNode } from "../../proxy/node.ts";
import { RecentRecords } from "../../proxy/recent-records.ts";
import type { JournalRecord, StoredAck } from "../../proxy/record.ts";
import { until } from "../support/wait.ts";

/**
 * The loop over a node that the test plays: each attempt waits until the test says what comes of it. The
 * journal is a list: what matters here is when the loop asks and what it tells.
 */
class Stage {
  readonly records: JournalRecord[] = [];
  readonly acks: StoredAck[] = [];
  readonly cursors: number[] = [];
  readonly exhausted: number[] = [];
  readonly acked: [seq: number, status: number, ambiguous: boolean][] = [];
  readonly attempts: { seq: number; attempt: number; end: (attempt: Attempt) => void }[] = [];
  readonly node: UpstreamNode;
  readonly delivery: Delivery;
  head = 0;

  constructor(limits: Partial<DeliveryLimits> = {}) {
    this.node = new UpstreamNode({ name: "app1", url: "http://127.0.0.1:1", empty: true }, () => {});
    this.node.history = true;
    this.node.apply("came-up", "");
    const recent = new RecentRecords();
    const stage = this;
    const journal = {
      id: "journal",
      get head() {
        return stage.head;
      },
      read: async (from: number, limit: number) =>
        stage.records.filter(({ seq }) => seq >= from).slice(0, limit),
      ackedBeyond: async () => stage.acks.map(({ seq }) => seq),
      ack: (ack: StoredAck) => void stage.acks.push(ack),
      moveCursor: (_: string, cursor: number) => void stage.cursors.push(cursor),
      storedCursor: () => stage.cursors.at(-1) ?? 0,
      resetNode: async () => {},
    };
    this.delivery = new Delivery({
      node: this.node,
      journal: journal as unknown as Journal,
      recent,
      send: (options) => stage.#send(options),
      limits: () => ({
        window: 8,
        attemptTimeout: 1000,
        maxAnswer: 1000,
        backoff: { min: 1, max: 2 },
        maxAttempts: 3,
        ...limits,
      }),
      events: {
        acked: (_, record, { status, ambiguous }) => void stage.acked.push([record.seq, status, ambiguous]),
        attempted: () => {},
        exhausted: (_, record) => void stage.exhausted.push(record.seq),
        purged: () => {},
        unproven: () => {},
        progressed: () => {},
        link: () => {},
      },
    });
  }

  /** Puts records with these keys in the journal; null: without one. */
  write(...keys: (string | null)[]): void {
    for (const key of keys) {
      const request = { method: "POST", target: "/", headers: [], body: Buffer.from("x") };
      const seq = ++this.head;
      this.records.push({
        seq,
        at: 0,
        route: "all-1",
        key,
        clientKey: null,
        requestId: null,
        request,
        state: { outcome: null, setAside: false },
      });
    }
    this.delivery.wake();
  }

  get sent(): string[] {
    return this.attempts.map(({ seq, attempt }) => `${seq}/${attempt}`);
  }

  async sends(count: number): Promise<void> {
    await until(() => this.attempts.length >= count, { what: `${count} attempts, got ${this.sent}` });
  }

  /** What comes of the attempt last sent of a record. */
  end(seq: number, attempt: Partial<Attempt> & { readonly status?: number }): void {
    const found = this.attempts.findLast((one) => one.seq === seq);
    assert.ok(found, `no attempt at ${seq}`);
    const failed = { timedOut: false, reason: "gone", error: new Error("gone"), ms: 1 };
    const answer = {
      kind: "answer" as const,
      headers: [],
      body: new Uint8Array(),
      tooLarge: false,
      ms: 1,
      status: attempt.status ?? 200,
    };
    found.end(
      attempt.kind === "lost" || attempt.kind === "unsent" ? { kind: attempt.kind, ...failed } : answer,
    );
  }

  #send({ headers }: LegOptions): Promise<Attempt> {
    const value = (name: string) => Number(headers[headers.indexOf(name) + 1]);
    return new Promise((resolve) => {
      this.attempts.push({ seq: value("lb-seq"), attempt: value("lb-attempt"), end: resolve });
    });
  }
}

test("2xx to 4xx are final, but for those that ask to come again", () => {
  for (const status of [200, 204, 301, 400, 404, 409, 422])
    assert.equal(isFinal(status), true, String(status));
  for (const status of [408, 425, 429, 500, 502, 503, 504])
    assert.equal(isFinal(status), false, String(status));
});

test("records of other keys go in parallel up to the window, of one key in order", async () => {
  const stage = new Stage({ window: 3 });
  stage.write("a", "a", "b", "c", "d");
  await stage.sends(3);
  assert.deepEqual(stage.sent, ["1/1", "3/1", "4/1"]);
  stage.end(3, {});
  await stage.sends(4);
  stage.end(1, {});
  await stage.sends(5);
  assert.deepEqual(stage.sent.slice(3).toSorted(), ["2/1", "5/1"]);
});

test("the cursor moves over what is acked without a gap", async () => {
  const stage = new Stage();
  stage.write("a", "b", "c");
  await stage.sends(3);
  stage.end(2, {});
  stage.end(3, {});
  await until(() => stage.acked.length === 2);
  assert.deepEqual([stage.node.cursor, stage.cursors], [0, []]);
  stage.end(1, {});
  await until(() => stage.node.cursor === 3);
  assert.deepEqual(stage.cursors, [3]);
});

test("a failed attempt comes again; lb-attempt counts what may have been sent, ambiguity stays", async () => {
  const stage = new Stage();
  stage.write("a");
  await stage.sends(1);
  stage.end(1, { kind: "unsent" });
  await stage.sends(2);
  stage.end(1, { status: 503 });
  await stage.sends(3);
  stage.end(1, { kind: "lost" });
  await stage.sends(4);
  stage.end(1, { status: 409 });
  await until(() => stage.acked.length === 1);
  assert.deepEqual(stage.sent, ["1/1", "1/1", "1/2", "1/3"]);
  assert.deepEqual(stage.acked, [[1, 409, true]]);
  assert.deepEqual([stage.acks[0]?.attempts, stage.acks[0]?.ambiguous], [3, true]);
});

test("attempts are used up only where the node showed that it runs", async () => {
  const stage = new Stage({ maxAttempts: 2 });
  stage.write("a", "b");
  await stage.sends(2);
  for (let n = 0; n < 3; n++) {
    const before = stage.attempts.length;
    stage.end(1, { kind: "lost" });
    await stage.sends(before + 1);
  }
  assert.deepEqual(stage.exhausted, []);
  stage.end(2, {});
  await until(() => stage.acked.length === 1);
  stage.end(1, { kind: "lost" });
  await until(() => stage.exhausted.length > 0);
  assert.equal(stage.exhausted[0], 1);
});

test("a record set aside lets others through and is not sent; put back, it has its turn", async () => {
  const stage = new Stage();
  stage.write("a", "a", null, "b");
  await stage.sends(1);
  stage.delivery.setAside(1);
  stage.end(1, { kind: "lost" });
  await stage.sends(2);
  assert.deepEqual(stage.sent, ["1/1", "3/1"], "the barrier waits for nothing that is held");
  stage.end(3, {});
  await stage.sends(3);
  stage.end(4, {});
  await until(() => stage.acked.length === 2);
  assert.equal(
    stage.delivery.caughtUp(() => false),
    true,
    "what is held keeps nobody out",
  );
  stage.delivery.putBack(1);
  await stage.sends(4);
  stage.end(1, {});
  await stage.sends(5);
  stage.end(2, {});
  await until(() => stage.node.cursor === 4);
  assert.deepEqual(stage.sent.slice(3), ["1/2", "2/1"]);
});

test("an accepted error is final; while an attempt is under way, its end is waited for", async () => {
  const stage = new Stage();
  stage.write("a", "a");
  await stage.sends(1);
  stage.end(1, { status: 500 });
  await stage.sends(2);
  stage.delivery.acceptError(1);
  assert.deepEqual([stage.acked, stage.sent.length], [[], 2], "the next of its key must not overtake it");
  stage.end(1, { status: 500 });
  await stage.sends(3);
  assert.deepEqual([stage.acked, stage.sent[2]], [[[1, 500, false]], "2/1"]);
});

test("a hold brings the node to rest at a seq, until it is released", async () => {
  const stage = new Stage();
  stage.write("a", "b");
  await stage.sends(2);
  const held = stage.delivery.hold(2, AbortSignal.timeout(5000));
  stage.write("c");
  stage.end(1, {});
  stage.end(2, {});
  const release = await held;
  assert.deepEqual([stage.node.cursor, stage.sent.length], [2, 2]);
  release();
  await stage.sends(3);
});

test("of several holds the lowest counts; one that is given up holds nothing", async () => {
  const stage = new Stage();
  stage.write("a");
  await stage.sends(1);
  const giveUp = new AbortController();
  const first = stage.delivery.hold(1, AbortSignal.timeout(5000));
  const second = stage.delivery.hold(1, giveUp.signal);
  giveUp.abort(new Error("no longer"));
  await assert.rejects(second, /no longer/);
  stage.write("b");
  stage.end(1, {});
  const release = await first;
  const later = stage.delivery.hold(2, AbortSignal.timeout(5000));
  assert.deepEqual(stage.sent, ["1/1"]);
  release();
  await stage.sends(2);
  stage.end(2, {});
  (await later)();
});

test("started again from another state: what was under way belongs to the old one", async () => {
  const stage = new Stage();
  stage.write("a", "b", "c");
  await stage.sends(3);
  await stage.delivery.restart(2);
  stage.end(1, {});
  stage.end(3, { status: 409 });
  stage.delivery.wake();
  await stage.sends(4);
  assert.deepEqual([stage.acked, stage.sent[3]], [[], "3/1"]);
  stage.end(3, {});
  await until(() => stage.node.cursor === 3);
});

test("after a restart of the balancer, what may have been sent is not a first attempt, and acks stay", async () => {
  const stage = new Stage();
  stage.node.apply("went-down", "");
  stage.write("a", "b", "c");
  stage.acks.push({ seq: 2, node: "app1", status: 200, attempts: 1, ambiguous: false, firstAt: 0, at: 0 });
  await stage.delivery.restore();
  stage.write("d");
  stage.node.apply("came-up", "");
  stage.delivery.wake();
  await stage.sends(3);
  assert.deepEqual(stage.sent, ["1/2", "3/2", "4/1"]);
});

test("a node that is down is sent nothing; it goes on where it was", async () => {
  const stage = new Stage();
  stage.node.apply("went-down", "");
  stage.write("a");
  assert.deepEqual(stage.sent, []);
  stage.node.apply("came-up", "");
  stage.delivery.wake();
  await stage.sends(1);
  assert.equal(
    stage.delivery.caughtUp(() => false),
    false,
  );
  assert.equal(
    stage.delivery.caughtUp((seq) => seq === 1),
    true,
    "a write that may wait for it",
  );
});

test("an operator's retry waits for the attempt that is under way: never two at a time", async () => {
  const stage = new Stage();
  stage.write("a");
  await stage.sends(1);
  stage.delivery.setAside(1);
  stage.delivery.putBack(1);
  assert.deepEqual(stage.sent, ["1/1"]);
  stage.end(1, { kind: "lost" });
  await stage.sends(2);
  stage.end(1, {});
  await until(() => stage.acked.length === 1);
  assert.deepEqual(stage.sent, ["1/1", "1/2"]);
});

test("an operator's skip waits for the attempt that is under way before the next of its key goes", async () => {
  const stage = new Stage();
  stage.write("a", "a");
  await stage.sends(1);
  stage.delivery.setAside(1);
  stage.delivery.skip(1);
  assert.deepEqual(stage.sent, ["1/1"]);
  stage.end(1, { kind: "lost" });
  await stage.sends(2);
  assert.deepEqual(stage.sent, ["1/1", "2/1"]);
});
