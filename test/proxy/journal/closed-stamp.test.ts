/** A journal that was closed, and nobody touched since, is taken as it is, and read through behind that. */
import assert from "node:assert/strict";
import { copyFileSync, renameSync, rmSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type TestContext, test } from "node:test";
import type { LbError } from "../../../proxy/errors.ts";
import { isAsClosed, stampOf } from "../../../proxy/journal/closed-stamp.ts";
import { HeadMark, readMark } from "../../../proxy/journal/head-mark.ts";
import { lookAt } from "../../../proxy/journal/journal-check.ts";
import { openJournal } from "../../../proxy/journal/journal-start.ts";
import { copyFolder, journalOptions, newRecord, openTestJournal } from "../../support/journals.ts";
import { tempFolder } from "../../support/temp-folder.ts";
import { until } from "../../support/wait.ts";

const RECORDS = 40;

async function closed(t: TestContext, records = RECORDS) {
  const folder = tempFolder(t);
  const options = journalOptions(folder);
  const journal = await openTestJournal(t, options);
  for (let id = 1; id <= records; id++) await journal.append(newRecord(id));
  const asClosed = () => isAsClosed(join(options.dataDir, "journal.db"), readMark(options.headFile));
  assert.equal(asClosed(), false, "it is open");
  const open = copyFolder(folder, tempFolder(t));
  await journal.close();
  return { folder, open, options, db: join(options.dataDir, "journal.db"), asClosed };
}

test("after its close a journal is as it was closed; after a crash it never was", async (t) => {
  // The mark's two slots are written in turn.
  assert.equal((await closed(t, RECORDS + 1)).asClosed(), true);
  const { asClosed, open } = await closed(t);
  assert.equal(asClosed(), true);
  const crashed = journalOptions(open);
  assert.equal(isAsClosed(join(crashed.dataDir, "journal.db"), readMark(crashed.headFile)), false);
});

test("what was written, copied, put back or touched since is not as it was closed", async (t) => {
  const { asClosed, db } = await closed(t);
  const kept = `${db}.kept`;
  copyFileSync(db, kept);
  assert.equal(asClosed(), true, "it was read only");
  renameSync(kept, db);
  assert.equal(asClosed(), false, "a copy of the same bytes");
  const again = await closed(t);
  utimesSync(again.db, 1, 1);
  assert.equal(again.asClosed(), false);
  const third = await closed(t);
  rmSync(third.options.headFile);
  assert.equal(third.asClosed(), false);
});

test("once it is open again it is not closed, however it ends then", async (t) => {
  const { options, asClosed } = await closed(t);
  const journal = await openTestJournal(t, options);
  assert.equal(asClosed(), false);
  assert.equal(readMark(options.headFile)?.head, RECORDS);
  await journal.close();
  assert.equal(asClosed(), true);
});

test("a mark that an older release wrote, or will read, is a mark all the same", (t) => {
  const file = join(tempFolder(t), "head");
  const mark = { journal: "j", head: 3, commit: 2 };
  const writer = new HeadMark(file, mark);
  assert.deepEqual(readMark(file), mark);
  writer.write({ ...mark, commit: 3, closed: "1-2-3-4" });
  writer.close();
  assert.deepEqual(readMark(file), { ...mark, commit: 3, closed: "1-2-3-4" });
});

/** A field of the first table that is read through, and one of the last row of a later one. */
const DAMAGE = {
  "a record": "UPDATE records SET path = '/other' WHERE seq = 7",
  "the last body": `UPDATE bodies SET sealed = x'00' WHERE seq = ${RECORDS}`,
};

for (const [what, sql] of Object.entries(DAMAGE)) {
  test(`damage of ${what} that no stamp shows ends the journal soon after, and the next start refuses it`, async (t) => {
    const { options, db } = await closed(t);
    const mark = readMark(options.headFile);
    assert.ok(mark);
    spoil(db, sql);
    // A disk does this without a trace.
    const writer = new HeadMark(options.headFile, mark);
    writer.write({ ...mark, closed: stampOf(db) ?? "" });
    writer.close();
    const failures: LbError[] = [];
    const journal = await openJournal(
      options,
      [],
      () => undefined,
      (error) => failures.push(error),
    );
    t.after(() => journal.close().catch(() => undefined));
    await until(() => failures.length > 0, { what: "the damage being found" });
    assert.equal(failures[0]?.code, "journal_corrupt");
    await journal.close().catch(() => undefined);
    assert.equal(isAsClosed(db, readMark(options.headFile)), false);
    // Once the thread has let go of it.
    await until(() => refusalOf(db) === "journal_corrupt", { what: "the next start's refusal" });
  });
}

function refusalOf(db: string): unknown {
  try {
    return lookAt(db);
  } catch (error) {
    return (error as { code?: string }).code;
  }
}

function spoil(db: string, sql: string): void {
  const connection = new DatabaseSync(db);
  connection.prepare(sql).run();
  connection.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  connection.close();
}
