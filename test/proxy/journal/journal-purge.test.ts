import assert from "node:assert/strict";
import { test } from "node:test";
import { journalOptions, newRecord, nodeRow, openTestJournal, readAll } from "../../support/journals.ts";
import { tempFolder } from "../../support/temp-folder.ts";
import { until } from "../../support/wait.ts";

const ids = (count: number) => Array.from({ length: count }, (_, i) => i + 1);

test("bodies go once every member acked and retention has passed; the story stays while the key is remembered", async (t) => {
  const options = journalOptions(tempFolder(t), { retention: 0 });
  const journal = await openTestJournal(t, options);
  await journal.saveNode(nodeRow("app1", { cursor: 0 }));
  await journal.saveNode(nodeRow("app2", { cursor: 0 }));
  await Promise.all(ids(10).map((id) => journal.append(newRecord(id))));
  journal.moveCursor("app1", 8);
  journal.moveCursor("app2", 5);
  assert.equal(await journal.purge(), 6);
  assert.equal(journal.first, 6);
  await assert.rejects(journal.read(5, 1), { code: "journal_purged" });
  assert.deepEqual(
    (await readAll(journal)).map((record) => record.seq),
    [6, 7, 8, 9, 10],
  );
  const story = await journal.story(5);
  assert.equal(story?.purged, true);
  assert.equal((await journal.story(6))?.purged, false);
  await journal.close();
  assert.equal((await openTestJournal(t, options)).first, 6);
});

test("records that are younger than the retention stay", async (t) => {
  const journal = await openTestJournal(t, journalOptions(tempFolder(t), { retention: 3_600_000 }));
  await journal.append(newRecord(1));
  await journal.saveNode(nodeRow("app1", { cursor: 1 }));
  assert.equal(await journal.purge(), 1);
});

test("retention null keeps everything", async (t) => {
  const journal = await openTestJournal(
    t,
    journalOptions(tempFolder(t), { retention: null, idempotencyWindow: 0 }),
  );
  await journal.append(newRecord(1));
  await journal.saveNode(nodeRow("app1", { cursor: 1 }));
  assert.equal(await journal.purge(), 1);
});

test("only members hold the purge back, and without any nothing is purged", async (t) => {
  const journal = await openTestJournal(t, journalOptions(tempFolder(t), { retention: 0 }));
  await Promise.all(ids(3).map((id) => journal.append(newRecord(id))));
  await journal.saveNode(nodeRow("new", { member: false }));
  assert.equal(await journal.purge(), 1);
  await journal.saveNode(nodeRow("app1", { cursor: 2 }));
  assert.equal(await journal.purge(), 3);
});

test("rows go when the idempotency window has passed, too, and no seq is given again when all are gone", async (t) => {
  const options = journalOptions(tempFolder(t), { retention: 0, idempotencyWindow: 0 });
  const journal = await openTestJournal(t, options);
  await Promise.all(ids(1200).map((id) => journal.append(newRecord(id))));
  await journal.saveNode(nodeRow("app1", { cursor: 1200 }));
  assert.equal(await journal.purge(), 1201);
  assert.equal(await journal.story(1), null);
  assert.equal(await journal.story(1200), null);
  assert.deepEqual(await journal.read(1201, 10), []);
  await journal.close();
  const again = await openTestJournal(t, options);
  assert.deepEqual([again.head, again.first], [1200, 1201]);
  assert.equal((await again.append(newRecord(1))).seq, 1201);
});

test("the timer purges without being asked", async (t) => {
  const journal = await openTestJournal(t, journalOptions(tempFolder(t), { retention: 0 }));
  await journal.append(newRecord(1));
  await journal.saveNode(nodeRow("app1", { cursor: 1 }));
  assert.ok(await until(() => journal.first === 2, { timeout: 5000 }));
});
