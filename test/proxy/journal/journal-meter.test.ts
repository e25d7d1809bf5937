/** What the journal tells of how it fares. */

import assert from "node:assert/strict";
import { renameSync, statfsSync } from "node:fs";
import { test } from "node:test";
import type { GroupCommit } from "../../../proxy/journal/journal.ts";
import { openJournal } from "../../../proxy/journal/journal-start.ts";
import { journalOptions, newRecord, nodeRow, openTestJournal } from "../../support/journals.ts";
import { tempFolder } from "../../support/temp-folder.ts";
import { until } from "../../support/wait.ts";

test("each commit is told with its records, their bytes and its syncs, each append with its seq and wait", async (t) => {
  const appended: number[] = [];
  const commits: GroupCommit[] = [];
  const meter = {
    appended: (ms: number, seq: number) => {
      assert.ok(ms > 0);
      appended.push(seq);
    },
    committed: (commit: GroupCommit) => void commits.push(commit),
    purged: () => assert.fail("nothing was purged"),
  };
  const options = journalOptions(tempFolder(t));
  const journal = await openJournal(options, [], () => {}, assert.ifError, meter);
  t.after(() => journal.close());
  const idempotency = { key: "k", fingerprint: "f" };
  await Promise.all([1, 2, 3].map((id) => journal.append(newRecord(id))));
  await journal.append(newRecord(4, { idempotency }));
  await journal.append(newRecord(4, { idempotency }));
  await journal.saveNode(nodeRow("app1"));
  assert.deepEqual(appended, [1, 2, 3, 4], "a repeat appends nothing");
  assert.deepEqual(
    commits.map(({ records, head }) => [records, head]),
    [
      [3, 3],
      [1, 4],
      [0, 4],
      [0, 4],
    ],
  );
  for (const { records, bytes, ms, syncMs, markMs } of commits) {
    assert.ok(syncMs > 0 && markMs > 0 && syncMs + markMs <= ms, `${syncMs} + ${markMs} of ${ms}`);
    assert.equal(bytes > 0, records > 0);
  }
});

test("questions alone commit nothing", async (t) => {
  const commits: GroupCommit[] = [];
  const meter = {
    appended: () => {},
    committed: (commit: GroupCommit) => void commits.push(commit),
    purged: () => {},
  };
  const journal = await openJournal(journalOptions(tempFolder(t)), [], () => {}, assert.ifError, meter);
  t.after(() => journal.close());
  await journal.flush();
  assert.equal(await journal.story(1), null);
  assert.deepEqual(commits, []);
});

test("the room on its disk is that of the file system; where it cannot be had, the journal goes on", async (t) => {
  const options = journalOptions(tempFolder(t));
  const journal = await openTestJournal(t, options);
  const { blocks, bsize } = statfsSync(options.dataDir);
  assert.equal(journal.stats.diskSize, blocks * bsize);
  assert.ok(journal.stats.diskFree > 0 && journal.stats.diskFree <= journal.stats.diskSize);
  renameSync(options.dataDir, `${options.dataDir}.moved`);
  const movedAt = Date.now();
  await until(() => Date.now() - movedAt > 2500, { what: "a time in which it looks twice" });
  assert.deepEqual(await journal.append(newRecord(1)), { kind: "recorded", seq: 1 });
});
