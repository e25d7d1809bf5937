import assert from "node:assert/strict";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { LbError } from "../../../proxy/errors.ts";
import type { Appended, Journal } from "../../../proxy/journal/journal.ts";
import { Batch } from "../../../proxy/journal/journal-batch.ts";
import { Committer } from "../../../proxy/journal/journal-commit.ts";
import { openStore } from "../../../proxy/journal/journal-open.ts";
import { JournalStore } from "../../../proxy/journal/journal-store.ts";
import { Sealer } from "../../../proxy/journal/seal.ts";
import { ackOf, journalOptions, newRecord, nodeRow, openTestJournal } from "../../support/journals.ts";
import { tempFolder } from "../../support/temp-folder.ts";

const KIB = 1024;

/** A record with a body of 4 KiB. */
function large(id: number): ReturnType<typeof newRecord> {
  const { request } = newRecord(id);
  return newRecord(id, { request: { ...request, body: Buffer.alloc(4 * KIB, id) } });
}

/** Appends until the journal refuses; the seqs that it took. */
async function fill(journal: Journal): Promise<number[]> {
  const seqs: number[] = [];
  for (;;) {
    const outcomes = await Promise.allSettled([1, 2, 3, 4].map((id) => journal.append(large(id))));
    for (const outcome of outcomes) if (outcome.status === "fulfilled") seqs.push(outcome.value.seq);
    const refused = outcomes.find((outcome) => outcome.status === "rejected");
    if (refused === undefined) continue;
    assert.ok(refused.reason instanceof LbError && refused.reason.code === "journal_full");
    return seqs;
  }
}

test("a full journal refuses writes, goes on with acks, cursors and states, and recovers by purging", async (t) => {
  const options = journalOptions(tempFolder(t), {
    maxBytes: 512 * KIB,
    retention: 0,
    idempotencyWindow: 0,
  });
  const journal = await openTestJournal(t, options);
  await journal.saveNode(nodeRow("app1"));
  const seqs = await fill(journal);
  assert.ok(seqs.length > 50, `${seqs.length} records of 4 KiB fitted into 512 KiB`);
  assert.ok(journal.stats.usedBytes <= options.maxBytes);
  const { head } = journal;

  for (const seq of seqs) {
    journal.ack(ackOf(seq, "app1"));
    journal.settle(seq, 201, null);
  }
  await journal.setAside(2, true);
  await journal.saveNode(nodeRow("app1", { admin: "draining" }));
  assert.equal((await journal.ackedBeyond("app1", 0)).length, seqs.length);
  await assert.rejects(journal.append(large(1)), { code: "journal_full" });

  journal.moveCursor("app1", head);
  assert.equal(await journal.purge(), head + 1);
  assert.deepEqual(await journal.append(large(1)), { kind: "recorded", seq: head + 1 });
  assert.ok((await fill(journal)).length > 40);
});

test("a repeat is answered by a full journal, too", async (t) => {
  const journal = await openTestJournal(t, journalOptions(tempFolder(t), { maxBytes: 256 * KIB }));
  const record = newRecord(1, { idempotency: { key: "k", fingerprint: "f" } });
  await journal.append(record);
  await fill(journal);
  assert.deepEqual(await journal.append(record), { kind: "repeat", seq: 1 });
});

test("a record that is larger than the room left is refused alone, in the middle of a batch", async (t) => {
  const journal = await openTestJournal(t, journalOptions(tempFolder(t), { maxBytes: 512 * KIB }));
  const { request } = newRecord(1);
  const huge = newRecord(2, { request: { ...request, body: Buffer.alloc(600 * KIB) } });
  const outcomes = await Promise.allSettled(
    [newRecord(1), huge, newRecord(3)].map((record) => journal.append(record)),
  );
  const seqs = outcomes.map((outcome) => (outcome.status === "fulfilled" ? outcome.value.seq : null));
  assert.deepEqual(seqs, [1, null, 2]);
});

/** A committer over a store of so many bytes, with no soft limit before the hard one (max_page_count). */
function hardLimited(t: TestContext, maxBytes: number, diskFree = () => Number.POSITIVE_INFINITY) {
  const options = journalOptions(tempFolder(t));
  const opened = openStore(options, maxBytes - 1024 * KIB, true);
  t.after(() => opened.store.close());
  const limits = () => ({ maxBytes: Number.MAX_SAFE_INTEGER, idempotencyWindow: 0 });
  const committer = new Committer({ ...opened, limits, diskFree, sealer: new Sealer(opened.master) });
  const commit = (put: (batch: Batch) => void) => {
    const batch = new Batch();
    put(batch);
    return committer.commit(batch.message());
  };
  return { ...opened, committer, commit };
}

const nobody = { resolve: (_: Appended) => {}, reject: () => {} };
const waiting = { resolve: () => {}, reject: () => {} };

test("no page left: the appends of a batch are rolled back, its acks, outcomes and cursors are stored", async (t) => {
  const { store, commit } = hardLimited(t, 1024 * KIB);
  commit((batch) => batch.change({ op: "saveNode", row: nodeRow("app1"), reset: false }, waiting));
  for (let full = false; !full; ) {
    const { appended } = commit((batch) => batch.append({ record: large(1), ...nobody }));
    full = appended[0] === 3;
  }
  const { head } = store.state;
  assert.ok(head > 100);
  const { appended, stored } = commit((batch) => {
    batch.append({ record: large(1), ...nobody });
    batch.ack(ackOf(1, "app1"));
    batch.settle(1, 201, null);
    batch.cursor("app1", 1);
    batch.append({ record: large(2), ...nobody });
  });
  assert.deepEqual([appended, stored, store.state.head], [[3, 0, 0, 3, 0, 0], true, head]);
  assert.equal(store.acksOf(1).length, 1);
  assert.equal(store.row(1)?.status, 201);
  assert.equal(store.node("app1")?.cursor, 1);
});

test("no page left, and the disk has no room either: the disk is what the appends are told", (t) => {
  const { commit } = hardLimited(t, 1024 * KIB, () => 100 * KIB);
  const { request } = newRecord(1);
  const huge = newRecord(2, { request: { ...request, body: Buffer.alloc(2048 * KIB) } });
  assert.deepEqual(commit((batch) => batch.append({ record: huge, ...nobody })).appended, [4, 0, 0]);
});

test("no page left in the middle of a batch: the seqs of its appends are not used up", (t) => {
  const { store, commit } = hardLimited(t, 1024 * KIB);
  const { request } = newRecord(1);
  const huge = newRecord(2, { request: { ...request, body: Buffer.alloc(2048 * KIB) } });
  const { appended } = commit((batch) => {
    batch.append({ record: newRecord(1), ...nobody });
    batch.append({ record: huge, ...nobody });
  });
  assert.deepEqual([appended, store.state.head, store.state.commits], [[3, 0, 0, 3, 0, 0], 0, 1]);
  const after = commit((batch) => batch.append({ record: newRecord(1), ...nobody }));
  assert.deepEqual(after.appended.slice(0, 2), [0, 1]);
});

test("no room even for acks: the cursors are stored, and a waiting change is told that it was not", async (t) => {
  const { store, commit, committer } = hardLimited(t, 1024 * KIB);
  commit((batch) => batch.change({ op: "saveNode", row: nodeRow("app1"), reset: false }, waiting));
  for (let full = false; !full; )
    full = commit((batch) => batch.append({ record: large(1), ...nobody })).appended[0] === 3;
  const { head } = store.state;
  const reason = "x".repeat(200_000);
  const { stored } = commit((batch) => {
    batch.change({ op: "saveNode", row: nodeRow("app2", { reason }), reset: false }, waiting);
    batch.ack(ackOf(1, "app1"));
    batch.cursor("app1", head);
  });
  assert.equal(stored, false);
  assert.deepEqual(
    [store.node("app1")?.cursor, store.node("app2"), store.acksOf(1).length],
    [head, undefined, 0],
  );

  committer.alone(() => store.dropBodies(head));
  assert.deepEqual(commit((batch) => batch.append({ record: large(1), ...nobody })).appended.slice(0, 2), [
    0,
    head + 1,
  ]);
});

/** A disk with room for the log only. */
class TightStore extends JournalStore {
  override checkpoint(): void {
    throw Object.assign(new Error("database or disk is full"), { code: "ERR_SQLITE_ERROR", errcode: 13 });
  }
}

test("no room to empty the log into the database: the log is used further", async (t) => {
  const options = journalOptions(tempFolder(t));
  const { id, master, store: made, mark } = openStore(options, options.maxBytes, true);
  made.close();
  const store = new TightStore(join(options.dataDir, "journal.db"), options.maxBytes);
  t.after(() => store.close());
  const limits = () => ({ maxBytes: options.maxBytes, idempotencyWindow: 0 });
  const diskFree = () => Number.POSITIVE_INFINITY;
  const committer = new Committer({ id, store, mark, sealer: new Sealer(master), limits, diskFree });
  const { request } = newRecord(1);
  const huge = newRecord(1, { request: { ...request, body: Buffer.alloc(5 * KIB * KIB) } });
  for (let seq = 1; seq <= 3; seq++) {
    const batch = new Batch();
    batch.append({ record: huge, ...nobody });
    assert.deepEqual(committer.commit(batch.message()).appended.slice(0, 2), [0, seq]);
    committer.checkpointIfDue();
  }
});

test("an error of the disk is not taken for a lack of room: the commit throws", async (t) => {
  const { id, store, master } = hardLimited(t, 2048 * KIB);
  const failing = () => {
    throw Object.assign(new Error("EIO: i/o error, write"), { code: "EIO" });
  };
  const parts = { id, store, mark: { write: failing }, sealer: new Sealer(master) };
  const committer = new Committer({
    ...parts,
    limits: () => ({ maxBytes: 2048 * KIB, idempotencyWindow: 0 }),
    diskFree: () => Number.POSITIVE_INFINITY,
  });
  const batch = new Batch();
  batch.append({ record: newRecord(1), ...nobody });
  assert.throws(() => committer.commit(batch.message()), /EIO/);
});

test("a limit that is raised while the journal is open lets more writes in; one that is lowered refuses them", async (t) => {
  const options = journalOptions(tempFolder(t), { maxBytes: 256 * KIB });
  const journal = await openTestJournal(t, options);
  // More than the reserve, too, which SQLite keeps to.
  const raised = { ...options, maxBytes: 4096 * KIB };
  await fill(journal);
  journal.configure(raised);
  assert.ok((await fill(journal)).length > 500);
  journal.configure(options);
  await assert.rejects(journal.append(large(1)), { code: "journal_full" });
  assert.equal(journal.stats.maxBytes, options.maxBytes);
});
