import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { DatabaseSync } from "node:sqlite";
import { type TestContext, test } from "node:test";
import { ERROR_ROWS, type ErrorCode, LbError } from "../../../proxy/errors.ts";
import type { JournalOptions } from "../../../proxy/journal/journal.ts";
import { acceptJournal } from "../../../proxy/journal/journal-open.ts";
import { rowCheck } from "../../../proxy/journal/journal-schema.ts";
import { openJournal } from "../../../proxy/journal/journal-start.ts";
import {
  copyFolder,
  filesBelow,
  journalOptions,
  newRecord,
  nodeRow,
  openTestJournal,
  readAll,
} from "../../support/journals.ts";
import { tempFolder } from "../../support/temp-folder.ts";

/** A closed journal with `count` records. */
async function madeJournal(
  t: TestContext,
  count: number,
): Promise<{ folder: string; options: JournalOptions; id: string }> {
  const folder = tempFolder(t);
  const options = journalOptions(folder);
  const journal = await openTestJournal(t, options);
  await journal.saveNode(nodeRow("app1"));
  for (let id = 1; id <= count; id++) await journal.append(newRecord(id));
  await journal.close();
  return { folder, options, id: journal.id };
}

/** Opening is refused with this code, says what to do next, and changes nothing on the disk. */
async function assertRefused(options: JournalOptions, code: ErrorCode, detail: RegExp): Promise<void> {
  const before = filesBelow(options.dataDir);
  await assert.rejects(
    openJournal(options, [], () => {}),
    (error) => {
      assert.ok(error instanceof LbError);
      assert.equal(error.code, code, error.message);
      assert.match(error.message, detail);
      assert.ok(error.message.includes(ERROR_ROWS[code].next), error.message);
      return true;
    },
  );
  const after = filesBelow(options.dataDir);
  for (const [path, bytes] of before) assert.ok(after.get(path)?.equals(bytes), `${path} was changed`);
}

function changeMeta(options: JournalOptions, name: string, value: string): void {
  const db = new DatabaseSync(join(options.dataDir, "journal.db"));
  db.prepare("UPDATE meta SET value = ?, crc = ? WHERE name = ?").run(
    value,
    rowCheck("meta", [name, value]),
    name,
  );
  db.close();
}

test("another key file is refused", async (t) => {
  const { options } = await madeJournal(t, 1);
  writeFileSync(options.keyFile, `lb-key 1 ${"ab".repeat(32)}\n`);
  await assertRefused(
    options,
    "journal_wrong_key",
    /expected the journal's key [0-9a-f]{16}, got key [0-9a-f]{16}/,
  );
});

test("a missing key file is refused, and none is made, where there is a journal", async (t) => {
  const { options } = await madeJournal(t, 1);
  rmSync(options.keyFile);
  await assertRefused(options, "journal_wrong_key", /got no file/);
});

test("a key file that was cut is refused", async (t) => {
  const { options } = await madeJournal(t, 1);
  writeFileSync(options.keyFile, readFileSync(options.keyFile).subarray(0, 40));
  await assertRefused(options, "journal_wrong_key", /64 hex digits/);
});

test("a key file that is there before the journal is used", async (t) => {
  const options = journalOptions(tempFolder(t));
  const key = `lb-key 1 ${"cd".repeat(32)}\n`;
  writeFileSync(options.keyFile, key);
  await openTestJournal(t, options);
  assert.equal(readFileSync(options.keyFile, "utf8"), key);
});

test("the journal of another cluster is refused", async (t) => {
  const { options } = await madeJournal(t, 1);
  await assertRefused({ ...options, cluster: "other" }, "journal_other_cluster", /"other".*"test"/);
});

test("a newer major format is refused", async (t) => {
  const { options } = await madeJournal(t, 1);
  changeMeta(options, "format", "2.0");
  await assertRefused(options, "journal_newer_format", /expected 1\.x, got 2\.0/);
});

test("a newer minor format is read and written: what it added is left alone", async (t) => {
  const { options } = await madeJournal(t, 2);
  changeMeta(options, "format", "1.7");
  const db = new DatabaseSync(join(options.dataDir, "journal.db"));
  db.exec(
    "ALTER TABLE records ADD COLUMN added TEXT DEFAULT 'x'; CREATE TABLE added (a); INSERT INTO added VALUES (1)",
  );
  db.close();
  const journal = await openTestJournal(t, options);
  assert.equal((await journal.append(newRecord(3))).seq, 3);
  assert.equal((await readAll(journal)).length, 3);
  await journal.close();
  const after = new DatabaseSync(join(options.dataDir, "journal.db"));
  assert.equal(after.prepare("SELECT value FROM meta WHERE name = 'format'").get()?.value, "1.7");
  assert.equal(after.prepare("SELECT a FROM added").get()?.a, 1);
  after.close();
});

test("a journal of minor 0 is taken up: it gets what minor 1 added, and keeps what it knew", async (t) => {
  const { options } = await madeJournal(t, 2);
  const file = join(options.dataDir, "journal.db");
  changeMeta(options, "format", "1.0");
  const before = new DatabaseSync(file);
  before.exec("ALTER TABLE nodes DROP COLUMN url");
  before.close();
  const journal = await openTestJournal(t, options);
  assert.equal((await readAll(journal)).length, 2);
  assert.deepEqual(
    (await journal.nodes()).map(({ name, url }) => ({ name, url })),
    [{ name: "app1", url: undefined }],
  );
  await journal.saveNode(nodeRow("app1", { url: "http://127.0.0.1:1" }));
  await journal.close();
  const again = await openTestJournal(t, options);
  assert.deepEqual(
    (await again.nodes()).map(({ url }) => url),
    ["http://127.0.0.1:1"],
  );
});

test("a file that is no journal is refused", async (t) => {
  const options = journalOptions(tempFolder(t));
  mkdirSync(options.dataDir);
  writeFileSync(join(options.dataDir, "journal.db"), "this is something else entirely".repeat(200));
  await assertRefused(options, "journal_corrupt", /not a database/);
});

test("another SQLite database is refused", async (t) => {
  const options = journalOptions(tempFolder(t));
  mkdirSync(options.dataDir);
  const db = new DatabaseSync(join(options.dataDir, "journal.db"));
  db.exec("CREATE TABLE users (name TEXT)");
  db.close();
  await assertRefused(options, "journal_corrupt", /not a journal/);
});

test("a data folder that cannot be written is refused", async (t) => {
  const folder = tempFolder(t);
  writeFileSync(join(folder, "file"), "");
  await assert.rejects(
    openJournal(journalOptions(folder, { dataDir: join(folder, "file", "data") }), [], () => {}),
    { code: "data_dir_unwritable" },
  );
});

test("a second process is refused while the first has the journal open, and gets it once that is killed", async (t) => {
  const options = journalOptions(tempFolder(t));
  const child = startChild(t, options);
  await child.said("open");
  await assert.rejects(
    openJournal(options, [], () => {}),
    { code: "journal_locked" },
  );
  await child.kill();
  const journal = await openTestJournal(t, options);
  assert.equal((await journal.append(newRecord(1))).kind, "recorded");
});

test("a journal that this process has open is not opened twice", async (t) => {
  const options = journalOptions(tempFolder(t));
  await openTestJournal(t, options);
  await assert.rejects(
    openJournal(options, [], () => {}),
    { code: "journal_locked" },
  );
});

test("making a journal that was cut short is taken up again", async (t) => {
  const options = journalOptions(tempFolder(t));
  mkdirSync(options.dataDir);
  const db = new DatabaseSync(join(options.dataDir, "journal.db"));
  db.exec("PRAGMA journal_mode = WAL");
  db.close();
  const journal = await openTestJournal(t, options);
  assert.equal((await journal.append(newRecord(1))).seq, 1);
});

test("an older copy put back is refused; once accepted, no seq of the lost writes is given again", async (t) => {
  const { folder, options, id } = await madeJournal(t, 5);
  const copy = copyFolder(options.dataDir, join(folder, "copy"));
  const newer = await openTestJournal(t, options);
  for (let n = 6; n <= 9; n++) await newer.append(newRecord(n));
  await newer.close();
  copyFolder(copy, options.dataDir);
  await assertRefused(options, "journal_behind_mark", /ends at seq 5 .* seq 9 .*accept-journal/s);

  assert.deepEqual(acceptJournal(options), { journal: id, kept: 5, lost: { first: 6, last: 9 } });
  const journal = await openTestJournal(t, options);
  assert.deepEqual([journal.head, journal.foundedEmpty], [5, false]);
  await journal.append(newRecord("after"));
  assert.deepEqual(
    (await journal.read(4, 10)).map((record) => record.seq),
    [4, 5, 10],
  );
  assert.deepEqual(
    (await journal.read(7, 10)).map((record) => record.seq),
    [10],
  );
  assert.deepEqual(await journal.ackedBeyond("app1", 0), [6, 7, 8, 9]);
  await journal.close();
  assert.equal((await openTestJournal(t, options)).head, 10);
});

test("a gap that was accepted twice in a row grows, and is still skipped", async (t) => {
  const { options } = await madeJournal(t, 2);
  writeFileSync(options.headFile, "nonsense");
  await assertRefused(options, "journal_behind_mark", /neither of its two copies/);
  assert.deepEqual(acceptJournal(options, 4).lost, { first: 3, last: 4 });
  assert.deepEqual(acceptJournal(options, 6).lost, { first: 3, last: 6 });
  const journal = await openTestJournal(t, options);
  assert.equal((await journal.append(newRecord(7))).seq, 7);
});

test("a missing head mark is refused; once accepted the journal goes on", async (t) => {
  const { options } = await madeJournal(t, 3);
  rmSync(options.headFile);
  await assertRefused(options, "journal_behind_mark", /got no file/);
  assert.deepEqual(acceptJournal(options).lost, null);
  assert.equal((await openTestJournal(t, options)).head, 3);
});

test("the head mark of another journal is refused", async (t) => {
  const { options } = await madeJournal(t, 3);
  const other = await madeJournal(t, 9);
  copyFolder(other.options.dataDir, options.dataDir);
  copyFolder(other.options.keyFile, options.keyFile);
  await assertRefused(options, "journal_behind_mark", new RegExp(`expected one of journal ${other.id}`));
});

test("an empty data folder is refused while the mark tells of a journal: its disk may not be mounted", async (t) => {
  const { options } = await madeJournal(t, 3);
  rmSync(options.dataDir, { recursive: true });
  mkdirSync(options.dataDir);
  await assertRefused(options, "journal_behind_mark", /mounted/);
  assert.deepEqual(acceptJournal(options), { journal: null, kept: 0, lost: null });
  assert.equal((await openTestJournal(t, options)).head, 0);
});

test("kill -9 at any time: every append that resolved is there, as it was, and no seq comes twice", async (t) => {
  const options = journalOptions(tempFolder(t));
  const told = new Map<number, string>();
  for (let round = 0; round < 6; round++) {
    const child = startChild(t, options, String(round));
    await child.said("open");
    await child.lines(10 + round * 37);
    await child.kill();
    for (const line of child.all.filter((line) => line !== "open")) {
      const [seq, id] = line.split(" ");
      assert.equal(told.has(Number(seq)), false, `seq ${seq} was given twice`);
      told.set(Number(seq), id ?? "");
    }
    child.all.length = 0;
  }
  const journal = await openTestJournal(t, options);
  const records = new Map((await readAll(journal)).map((record) => [record.seq, record]));
  assert.ok(told.size > 100);
  for (const [seq, id] of told) {
    assert.equal(
      Buffer.from(records.get(seq)?.request.body ?? []).toString(),
      newRecord(id).request.body.toString(),
    );
  }
  const acked = new Set(await journal.ackedBeyond("app1", 0));
  assert.ok(acked.size > 0);
  for (const { seq, state } of records.values()) {
    assert.equal(acked.has(seq), state.outcome === 201, `seq ${seq}: its ack and its outcome came apart`);
  }
});

interface Child {
  readonly all: string[];
  said(line: string): Promise<void>;
  lines(count: number): Promise<void>;
  kill(): Promise<void>;
}

function startChild(t: TestContext, options: JournalOptions, run?: string): Child {
  const script = join(import.meta.dirname, "../../support/journal-child.ts");
  const child = spawn(process.execPath, [script, JSON.stringify(options), ...(run ? [run] : [])], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const all: string[] = [];
  const lines = createInterface(child.stdout);
  const ended = once(child, "close");
  lines.on("line", (line) => void all.push(line));
  const waitFor = async (condition: () => boolean) => {
    while (!condition()) {
      assert.equal(child.exitCode, null, `the child ended: ${child.exitCode}`);
      await once(lines, "line");
    }
  };
  const kill = async () => {
    child.kill("SIGKILL");
    await ended;
  };
  t.after(kill);
  return {
    all,
    kill,
    said: (line) => waitFor(() => all.includes(line)),
    lines: (count) => waitFor(() => all.length >= count),
  };
}
