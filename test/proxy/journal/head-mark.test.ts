import assert from "node:assert/strict";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { HeadMark, readMark } from "../../../proxy/journal/head-mark.ts";
import { tempFolder } from "../../support/temp-folder.ts";

const mark = (head: number) => ({ journal: "0123456789abcdef", head, commit: head + 7 });

test("the mark that was written last is read", (t) => {
  const file = join(tempFolder(t), "folder", "journal.head");
  assert.equal(readMark(file), null);
  const writer = new HeadMark(file, mark(0));
  assert.deepEqual(readMark(file), mark(0));
  for (const head of [1, 2, 3, 12345678901]) {
    writer.write(mark(head));
    assert.deepEqual(readMark(file), mark(head));
  }
  writer.close();
  assert.equal(statSync(file).mode & 0o777, 0o600);
});

test("a write torn at any byte leaves the mark before it", (t) => {
  const file = join(tempFolder(t), "journal.head");
  const writer = new HeadMark(file, mark(1));
  writer.write(mark(2));
  const before = readFileSync(file);
  writer.write(mark(3));
  const after = readFileSync(file);
  writer.close();
  const changed = [...after.keys()].filter((at) => before[at] !== after[at]);
  const first = changed[0] ?? 0;
  const last = changed.at(-1) ?? 0;
  assert.ok(last > first);
  for (let cut = first + 1; cut <= last; cut++) {
    writeFileSync(file, Buffer.concat([after.subarray(0, cut), before.subarray(cut)]));
    assert.deepEqual(readMark(file), mark(2));
  }
});

test("a flipped bit in one slot leaves the other; in both it is refused", (t) => {
  const file = join(tempFolder(t), "journal.head");
  new HeadMark(file, mark(5)).close();
  const bytes = readFileSync(file);
  bytes[30] = (bytes[30] ?? 0) ^ 1;
  writeFileSync(file, bytes);
  assert.deepEqual(readMark(file), mark(5));
  bytes[4096 + 30] = (bytes[4096 + 30] ?? 0) ^ 1;
  writeFileSync(file, bytes);
  assert.throws(() => readMark(file), { code: "journal_behind_mark" });
});

test("an empty mark is refused", (t) => {
  const file = join(tempFolder(t), "journal.head");
  writeFileSync(file, "");
  assert.throws(() => readMark(file), { code: "journal_behind_mark" });
});
