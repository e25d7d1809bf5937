import assert from "node:assert/strict";
import { closeSync, ftruncateSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type TestContext, test } from "node:test";
import { LbError } from "../../../proxy/errors.ts";
import { type Mark, readMark } from "../../../proxy/journal/head-mark.ts";
import type { JournalOptions } from "../../../proxy/journal/journal.ts";
import { checkMark, type Looked, lookAt } from "../../../proxy/journal/journal-check.ts";
import { openStore } from "../../../proxy/journal/journal-open.ts";
import { blobCheck, CHECKED, type State } from "../../../proxy/journal/journal-schema.ts";

import {
  ackOf,
  copyFolder,
  filesBelow,
  journalOptions,
  newRecord,
  nodeRow,
  openTestJournal,
} from "../../support/journals.ts";
import { tempFolder } from "../../support/temp-folder.ts";

/** What a crash leaves behind: the files of a journal that was never closed. */
interface Crashed {
  readonly options: JournalOptions;
  readonly db: string;
  readonly log: string;
}

/** Copies of an open journal, one before and one after a commit with a record, an ack, an outcome and a cursor. */
async function crashAround(t: TestContext): Promise<{ before: Crashed; after: Crashed }> {
  const folder = tempFolder(t);
  const journal = await openTestJournal(t, journalOptions(folder));
  await journal.saveNode(nodeRow("app1"));
  for (let id = 1; id <= 3; id++) await journal.append(newRecord(id));
  const before = crashed(copyFolder(folder, tempFolder(t)));
  journal.ack(ackOf(1, "app1"));
  journal.settle(1, 201, null);
  journal.moveCursor("app1", 1);
  await journal.append(newRecord(4));
  return { before, after: crashed(copyFolder(folder, tempFolder(t))) };
}

function crashed(folder: string): Crashed {
  const options = journalOptions(folder);
  return { options, db: join(options.dataDir, "journal.db"), log: join(options.dataDir, "journal.db-wal") };
}

function markOf({ options }: Crashed): Mark {
  const mark = readMark(options.headFile);
  assert.ok(mark);
  return mark;
}

/** What the journal holds at the least: its state, and that as many records as it says can be counted. */
function glanceAt(db: string): Looked {
  const connection = new DatabaseSync(db, { readOnly: true });
  const state = connection.prepare("SELECT head, first, commits FROM state").get() as unknown as State;
  const meta = connection.prepare("SELECT value FROM meta WHERE name = 'id'").get();
  const count = connection.prepare("SELECT count(*) AS n FROM records JOIN bodies USING (seq)").get()?.n;
  connection.close();
  assert.equal(count, state.head);
  return {
    ...state,
    id: String(meta?.value),
    cluster: "",
    keyId: "",
    foundedEmpty: true,
    minor: 1,
    gapEnd: 0,
  };
}

test("the log cut at every offset behind the last fsync: nothing acknowledged is lost; before it: it is noticed", async (t) => {
  const { before, after } = await crashAround(t);
  const whole = readFileSync(after.log).length;
  const synced = readFileSync(before.log).length;
  const acknowledged = markOf(before);
  const later = markOf(after);
  const fd = openSync(after.log, "r+");
  for (let length = whole; length >= synced; length--) {
    ftruncateSync(fd, length);
    // Every offset by what it leaves; the whole check, which takes longer, at some of them.
    const looked = length % 61 === 0 || length === whole ? lookAt(after.db) : glanceAt(after.db);
    assert.equal(looked?.head, length === whole ? 4 : 3);
    checkMark(looked, acknowledged, "");
    // Had this commit been acknowledged, too, a cut inside it would be a loss.
    if (length < whole) assert.throws(() => checkMark(looked, later, ""), { code: "journal_behind_mark" });
  }
  closeSync(fd);
  assert.ok(whole - synced > 10_000);
});

test("garbage in place of what was not yet synced is not taken for records", async (t) => {
  const { before, after } = await crashAround(t);
  const whole = readFileSync(after.log);
  const synced = readFileSync(before.log).length;
  const random = seeded(7);
  for (let round = 0; round < 100; round++) {
    const torn = Buffer.from(whole);
    for (let at = synced + random(whole.length - synced); at < whole.length; at++) torn[at] = random(256);
    writeFileSync(after.log, torn);
    const looked = lookAt(after.db);
    assert.equal(looked?.head, 3);
  }
});

test("a journal whose log was cut opens, and gives the seq that was never acknowledged to the next record", async (t) => {
  const { before, after } = await crashAround(t);
  const options = { ...after.options, headFile: before.options.headFile };
  writeFileSync(after.log, readFileSync(after.log).subarray(0, -100));
  const journal = await openTestJournal(t, options);
  assert.equal(journal.head, 3);
  assert.equal((await journal.append(newRecord("other"))).seq, 4);
});

test("a record that was on disk before its head mark stays, and its seq is not given again", async (t) => {
  const { before, after } = await crashAround(t);
  const journal = await openTestJournal(t, { ...after.options, headFile: before.options.headFile });
  assert.equal(journal.head, 4);
  assert.equal((await journal.append(newRecord(5))).seq, 5);
});

test("a flipped bit anywhere in the log is noticed, and nothing on the disk is changed by noticing", async (t) => {
  const { after } = await crashAround(t);
  const log = readFileSync(after.log);
  const random = seeded(11);
  for (let round = 0; round < 150; round++) {
    const flipped = Buffer.from(log);
    flip(flipped, random(log.length * 8));
    writeFileSync(after.log, flipped);
    assertRefused(after.options, ["journal_behind_mark"]);
    assert.ok(readFileSync(after.log).equals(flipped));
  }
  writeFileSync(after.log, log);
  assert.equal((await openTestJournal(t, after.options)).head, 4);
});

test("a lost end of the log that held no record, but a node's quarantine, is noticed", async (t) => {
  const folder = tempFolder(t);
  const journal = await openTestJournal(t, journalOptions(folder));
  await journal.append(newRecord(1));
  await journal.saveNode(nodeRow("app1", { admin: "quarantined" }));
  const { options, log } = crashed(copyFolder(folder, tempFolder(t)));
  const bytes = readFileSync(log);
  flip(bytes, bytes.length * 8 - 100);
  writeFileSync(log, bytes);
  assertRefused(options, ["journal_behind_mark"]);
});

test("a flipped bit anywhere in the database is refused, or is where nothing is stored", async (t) => {
  const { db, options } = await closedJournal(t);
  const sound = readFileSync(db);
  const mark = readFileSync(options.headFile);
  const expected = dump(db);
  const random = seeded(13);
  let refused = 0;
  for (let round = 0; round < 400; round++) {
    const flipped = Buffer.from(sound);
    flip(flipped, random(sound.length * 8));
    writeFileSync(db, flipped);
    writeFileSync(options.headFile, mark);
    if (!opens(options)) refused++;
    else assert.equal(dump(db), expected, `round ${round}: opened with other contents`);
  }
  assert.ok(refused > 50, `${refused} of 400 were refused`);
});

test("a flipped bit in a row of any table is refused", async (t) => {
  const { db, options } = await closedJournal(t);
  const sound = readFileSync(db);
  const mark = readFileSync(options.headFile);
  for (const [what, bytes] of searched(db)) {
    // Moved rows leave copies of themselves in unused space: one of the places is the row.
    const refused = placesOf(sound, bytes).filter((at) => {
      const flipped = Buffer.from(sound);
      flip(flipped, (at + (bytes.length >> 1)) * 8);
      writeFileSync(db, flipped);
      writeFileSync(options.headFile, mark);
      return !opens(options);
    });
    assert.ok(refused.length > 0, what);
  }
});

test("rows that were exchanged, each with its own sound check, do not open", async (t) => {
  const { db, options } = await closedJournal(t);
  const connection = new DatabaseSync(db);
  const sealed = connection.prepare("SELECT sealed FROM bodies WHERE seq = 2").get()?.sealed as Uint8Array;
  connection
    .prepare("UPDATE bodies SET sealed = ?, crc = ? WHERE seq = 3")
    .run(sealed, blobCheck("bodies", [3], sealed));
  connection.close();
  const journal = await openTestJournal(t, options);
  await assert.rejects(journal.read(3, 1), { code: "journal_corrupt" });
  assert.equal((await journal.read(2, 1)).length, 1);
});

test("a record that is gone from the middle is noticed", async (t) => {
  const { db, options } = await closedJournal(t);
  const connection = new DatabaseSync(db);
  connection.exec("DELETE FROM records WHERE seq = 3; DELETE FROM bodies WHERE seq = 3");
  connection.close();
  assertRefused(options, ["journal_corrupt"]);
});

test("the last record gone is noticed", async (t) => {
  const { db, options } = await closedJournal(t);
  const connection = new DatabaseSync(db);
  connection.exec("DELETE FROM bodies WHERE seq = (SELECT max(seq) FROM bodies)");
  connection.close();
  assertRefused(options, ["journal_corrupt"]);
});

/** A closed journal with something in every table. */
async function closedJournal(t: TestContext): Promise<Crashed> {
  const made = crashed(tempFolder(t));
  const journal = await openTestJournal(t, made.options);
  await journal.saveNode(nodeRow("app1", { admin: "quarantined", reason: "a reason to look for" }));
  const idempotency = (id: number) => ({ key: `idempotency-${id}`, fingerprint: "print" });
  const ids = Array.from({ length: 60 }, (_, i) => i + 1);
  await Promise.all(ids.map((id) => journal.append(newRecord(id, { idempotency: idempotency(id) }))));
  journal.ack(ackOf(1, "app1", { firstAt: 123456.789 }));
  journal.settle(1, 201, { status: 201, headers: [], body: Buffer.from("answer") });
  await journal.setAside(4, true);
  await journal.close();
  return made;
}

/** Bytes of rows to look for in the file, by what they are. */
function searched(db: string): Map<string, Buffer> {
  const connection = new DatabaseSync(db);
  const blob = (sql: string) =>
    Buffer.from(Object.values(connection.prepare(sql).get() ?? {})[0] as Uint8Array);
  const found = new Map([
    [
      "meta",
      Buffer.from(String(connection.prepare("SELECT value FROM meta WHERE name = 'id'").get()?.value)),
    ],
    ["records", Buffer.from("idempotency-2")],
    ["bodies", blob("SELECT sealed FROM bodies WHERE seq = 2").subarray(0, 40)],
    ["acks", blob("SELECT packed FROM acks WHERE seq = 1")],
    ["answers", blob("SELECT sealed FROM answers WHERE seq = 1").subarray(0, 40)],
    ["nodes", Buffer.from("a reason to look for")],
  ]);
  connection.close();
  return found;
}

function placesOf(file: Buffer, bytes: Buffer): number[] {
  const places: number[] = [];
  for (let at = file.indexOf(bytes); at >= 0; at = file.indexOf(bytes, at + 1)) places.push(at);
  return places;
}

/** All that is stored, as text. */
function dump(db: string): string {
  const connection = new DatabaseSync(db, { readOnly: true });
  const rows = Object.keys(CHECKED)
    .filter((table) => table !== "state")
    .map((table) => connection.prepare(`SELECT * FROM ${table}`).all());
  connection.close();
  return JSON.stringify(rows);
}

function assertRefused(options: JournalOptions, codes: readonly string[], what = ""): void {
  const before = filesBelow(options.dataDir);
  assert.throws(
    () => openStore(options, options.maxBytes, true).store.close(),
    (error) => error instanceof LbError && codes.includes(error.code),
    what,
  );
  const after = filesBelow(options.dataDir);
  for (const [path, bytes] of before) {
    if (!path.endsWith("-shm")) assert.ok(after.get(path)?.equals(bytes), `${path} was changed`);
  }
}

function opens(options: JournalOptions): boolean {
  try {
    const { store, mark } = openStore(options, options.maxBytes, true);
    store.close();
    mark.close();
    return true;
  } catch (error) {
    assert.ok(error instanceof LbError);
    assert.match(
      error.code,
      /^journal_(corrupt|newer_format|wrong_key|other_cluster|behind_mark)$/,
      error.message,
    );
    return false;
  }
}

function flip(bytes: Buffer, bit: number): void {
  bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
}

/** Numbers below a limit, the same in every run. */
function seeded(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
}
