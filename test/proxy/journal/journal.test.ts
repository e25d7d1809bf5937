import assert from "node:assert/strict";
import { readFileSync, statSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { LbError } from "../../../proxy/errors.ts";
import { readMark } from "../../../proxy/journal/head-mark.ts";
import type { JournalRecord } from "../../../proxy/record.ts";
import {
  ackOf,
  copyFolder,
  filesBelow,
  journalOptions,
  newRecord,
  nodeRow,
  openTestJournal,
  readAll,
} from "../../support/journals.ts";
import { tempFolder } from "../../support/temp-folder.ts";
import { until } from "../../support/wait.ts";

test("a record comes back as it was given", async (t) => {
  const journal = await openTestJournal(t, journalOptions(tempFolder(t)));
  const request = {
    method: "PUT",
    target: "/a%20b?token=1&x=\u00fc",
    headers: ["Idempotency-Key", "abc", "x-latin", "\u00e9\u00ff", "x-twice", "1", "x-twice", "2"],
    body: Buffer.from([0, 255, 128, 10]),
  };
  const before = Date.now();
  assert.deepEqual(await journal.append({ route: "all-1", key: null, idempotency: null, request }), {
    kind: "recorded",
    seq: 1,
  });
  const [record] = await journal.read(1, 10);
  assert.ok(record);
  assert.ok(record.at >= before && record.at <= Date.now());
  assert.deepEqual(
    { ...record, at: 0, request: { ...record.request, body: Buffer.from(record.request.body) } },
    {
      seq: 1,
      at: 0,
      route: "all-1",
      key: null,
      clientKey: "abc",
      requestId: null,
      request,
      state: { outcome: null, setAside: false },
    },
  );
});

test("an empty body comes back empty", async (t) => {
  const journal = await openTestJournal(t, journalOptions(tempFolder(t)));
  const { request } = newRecord(1);
  await journal.append(newRecord(1, { request: { ...request, body: new Uint8Array(0) } }));
  assert.equal((await journal.read(1, 1))[0]?.request.body.length, 0);
});

test("a body that is a piece of a larger buffer is stored alone", async (t) => {
  const journal = await openTestJournal(t, journalOptions(tempFolder(t)));
  const pool = Buffer.from("before-body-after");
  const { request } = newRecord(1);
  await journal.append(newRecord(1, { request: { ...request, body: pool.subarray(7, 11) } }));
  assert.equal(Buffer.from((await journal.read(1, 1))[0]?.request.body ?? []).toString(), "body");
  assert.equal(pool.toString(), "before-body-after");
});

test("seqs are 1, 2, 3 and go on where they were after a restart", async (t) => {
  const options = journalOptions(tempFolder(t));
  const first = await openTestJournal(t, options);
  const appended = await Promise.all([1, 2, 3].map((id) => first.append(newRecord(id))));
  assert.deepEqual(
    appended.map(({ seq }) => seq),
    [1, 2, 3],
  );
  const { id } = first;
  await first.close();

  const second = await openTestJournal(t, options, { empty: false });
  assert.deepEqual([second.id, second.head, second.first, second.foundedEmpty], [id, 3, 1, true]);
  assert.equal((await second.append(newRecord(4))).seq, 4);
  assert.deepEqual(
    (await readAll(second)).map((record) => record.key),
    ["key-1", "key-2", "key-3", "key-4"],
  );
});

test("a journal whose founding nodes were not all declared empty says so", async (t) => {
  const journal = await openTestJournal(t, journalOptions(tempFolder(t)), { empty: false });
  assert.equal(journal.foundedEmpty, false);
});

test("committed gets the new records in seq order, on disk already, before any append resolves", async (t) => {
  const options = journalOptions(tempFolder(t));
  const events: string[] = [];
  const journal = await openTestJournal(t, options, {
    committed: (records) => {
      const onDisk = readMark(options.headFile)?.head ?? 0;
      assert.ok(onDisk >= (records.at(-1)?.seq ?? 0));
      events.push(...records.map((record) => `committed ${record.seq} ${record.key}`));
    },
  });
  const append = async (id: number) =>
    void events.push(`resolved ${(await journal.append(newRecord(id))).seq}`);
  await Promise.all([append(1), append(2), append(3)]);
  assert.deepEqual(events, [
    "committed 1 key-1",
    "committed 2 key-2",
    "committed 3 key-3",
    "resolved 1",
    "resolved 2",
    "resolved 3",
  ]);
});

test("appends that come together share commits", async (t) => {
  const journal = await openTestJournal(t, journalOptions(tempFolder(t)));
  const appended = await Promise.all(Array.from({ length: 500 }, (_, id) => journal.append(newRecord(id))));
  assert.deepEqual(
    appended.map(({ seq }) => seq),
    Array.from({ length: 500 }, (_, i) => i + 1),
  );
  assert.ok(journal.stats.commits <= 5, `500 appends took ${journal.stats.commits} commits`);
});

test("appends that come while a commit runs share the next one", async (t) => {
  const groups: number[] = [];
  const committed = (records: readonly JournalRecord[]) => void groups.push(records.length);
  const journal = await openTestJournal(t, journalOptions(tempFolder(t)), { committed });
  const all: Promise<unknown>[] = [];
  for (let turn = 0; turn < 100; turn++) {
    all.push(journal.append(newRecord(turn)));
    await new Promise((resolve) => setImmediate(resolve));
  }
  await Promise.all(all);
  assert.ok(groups.length < 50, `100 appends took ${groups.length} commits`);
});

test("the same Idempotency-Key and request is a repeat, another request a mismatch, within one batch, too", async (t) => {
  const journal = await openTestJournal(t, journalOptions(tempFolder(t)));
  const same = newRecord(1, { idempotency: { key: "k", fingerprint: "f" } });
  const other = newRecord(2, { idempotency: { key: "k", fingerprint: "g" } });
  const kinds = await Promise.all([same, same, other].map((record) => journal.append(record)));
  assert.deepEqual(kinds, [
    { kind: "recorded", seq: 1 },
    { kind: "repeat", seq: 1 },
    { kind: "mismatch", seq: 1 },
  ]);
  assert.deepEqual(await journal.append(same), { kind: "repeat", seq: 1 });
  assert.deepEqual(await journal.append(other), { kind: "mismatch", seq: 1 });
  assert.equal(journal.head, 1);
});

test("a repeat of a write with a 4xx outcome is a repeat, of one with a 5xx outcome a new record", async (t) => {
  const journal = await openTestJournal(t, journalOptions(tempFolder(t)));
  const record = newRecord(1, { idempotency: { key: "k", fingerprint: "f" } });
  await journal.append(record);
  journal.settle(1, 500, null);
  assert.deepEqual(await journal.append(record), { kind: "recorded", seq: 2 });
  journal.settle(2, 409, null);
  assert.deepEqual(await journal.append(record), { kind: "repeat", seq: 2 });
});

test("an Idempotency-Key is forgotten when its window has passed", async (t) => {
  const journal = await openTestJournal(t, journalOptions(tempFolder(t), { idempotencyWindow: 30 }));
  const record = newRecord(1, { idempotency: { key: "k", fingerprint: "f" } });
  await journal.append(record);
  assert.deepEqual(await until(async () => (await journal.append(record)).kind === "recorded"), true);
});

test("acks, outcomes and cursors are on disk soon without anything that pushes them", async (t) => {
  const folder = tempFolder(t);
  const options = journalOptions(folder);
  const journal = await openTestJournal(t, options);
  await journal.saveNode(nodeRow("app1"));
  await journal.append(newRecord(1));
  const commit = readMark(options.headFile)?.commit ?? 0;
  journal.ack(ackOf(1, "app1", { attempts: 3, ambiguous: true }));
  journal.settle(1, 201, null);
  journal.moveCursor("app1", 1);
  await until(() => (readMark(options.headFile)?.commit ?? 0) > commit, { timeout: 2000 });

  const crashed = await openTestJournal(t, journalOptions(copyFolder(folder, tempFolder(t))));
  assert.deepEqual(await crashed.nodes(), [nodeRow("app1", { cursor: 1 })]);
  const story = await crashed.story(1);
  assert.equal(story?.outcome, 201);
  assert.deepEqual(story?.acks, [ackOf(1, "app1", { attempts: 3, ambiguous: true })]);
});

test("the answer of a write is kept", async (t) => {
  const options = journalOptions(tempFolder(t));
  const journal = await openTestJournal(t, options);
  await Promise.all([journal.append(newRecord(1)), journal.append(newRecord(2))]);
  const answer = { status: 201, headers: ["content-type", "text/plain"], body: Buffer.from("welcome") };
  journal.settle(1, 201, answer);
  journal.settle(2, 201, null);
  await journal.close();

  const again = await openTestJournal(t, options);
  const kept = await again.answer(1);
  assert.deepEqual({ ...kept, body: Buffer.from(kept?.body ?? []) }, answer);
  assert.equal(await again.answer(2), null);
  assert.equal(await again.answer(99), null);
});

test("cursors only go forwards, and never beyond the head", async (t) => {
  const journal = await openTestJournal(t, journalOptions(tempFolder(t)));
  await journal.saveNode(nodeRow("app1"));
  await Promise.all([1, 2, 3].map((id) => journal.append(newRecord(id))));
  journal.moveCursor("app1", 2);
  journal.moveCursor("app1", 1);
  assert.deepEqual(await journal.nodes(), [nodeRow("app1", { cursor: 2 })]);
  journal.moveCursor("app1", 99);
  assert.deepEqual(await journal.nodes(), [nodeRow("app1", { cursor: 3 })]);
});

test("ackedBeyond gives the acks behind the cursor, of this node alone, over any number of records", async (t) => {
  const journal = await openTestJournal(t, journalOptions(tempFolder(t)));
  await journal.saveNode(nodeRow("app1"));
  await journal.saveNode(nodeRow("app2"));
  await Promise.all(Array.from({ length: 4100 }, (_, id) => journal.append(newRecord(id))));
  for (let seq = 1; seq <= 4100; seq++) journal.ack(ackOf(seq, seq % 2 === 0 ? "app1" : "app2"));
  const even = Array.from({ length: 2050 }, (_, i) => 2 * (i + 1));
  assert.deepEqual(await journal.ackedBeyond("app1", 0), even);
  assert.deepEqual(
    await journal.ackedBeyond("app1", 4000),
    even.filter((seq) => seq > 4000),
  );
  assert.deepEqual(await journal.ackedBeyond("nobody", 0), []);
});

test("a node that is removed and added again starts without acks, and its old acks keep its name", async (t) => {
  const journal = await openTestJournal(t, journalOptions(tempFolder(t)));
  await journal.saveNode(nodeRow("app1"));
  await journal.append(newRecord(1));
  journal.ack(ackOf(1, "app1"));
  await journal.removeNode("app1");
  assert.deepEqual(await journal.nodes(), []);
  journal.ack(ackOf(1, "app1", { status: 500 }));
  await journal.saveNode(nodeRow("app1", { member: false }));
  assert.deepEqual(await journal.ackedBeyond("app1", 0), []);
  assert.deepEqual((await journal.story(1))?.acks, [ackOf(1, "app1")]);
});

test("resetNode, and a cursor that is set back, forget the node's acks; saving its state does not", async (t) => {
  const journal = await openTestJournal(t, journalOptions(tempFolder(t)));
  await journal.saveNode(nodeRow("app1"));
  await Promise.all([1, 2, 3, 4].map((id) => journal.append(newRecord(id))));
  journal.ack(ackOf(1, "app1"));
  journal.ack(ackOf(3, "app1"));
  journal.moveCursor("app1", 1);
  await journal.saveNode(nodeRow("app1", { cursor: 1, admin: "quarantined", reason: "poison" }));
  assert.deepEqual(await journal.ackedBeyond("app1", 1), [3]);
  await journal.resetNode(nodeRow("app1", { cursor: 2 }));
  assert.deepEqual(await journal.ackedBeyond("app1", 2), []);
  journal.ack(ackOf(4, "app1"));
  await journal.saveNode(nodeRow("app1", { cursor: 0 }));
  assert.deepEqual(await journal.ackedBeyond("app1", 0), []);
});

test("a record set aside is marked in reads and listed, until it is taken back", async (t) => {
  const options = journalOptions(tempFolder(t));
  const journal = await openTestJournal(t, options);
  await Promise.all([1, 2].map((id) => journal.append(newRecord(id))));
  await journal.setAside(2, true);
  await journal.close();
  const again = await openTestJournal(t, options);
  assert.deepEqual(
    (await again.read(1, 9)).map(({ state }) => state.setAside),
    [false, true],
  );
  assert.deepEqual(
    (await again.pending(9, "set-aside")).map((story) => [story.seq, story.setAside]),
    [[2, true]],
  );
  await again.setAside(2, false);
  assert.deepEqual(await again.pending(9, "set-aside"), []);
});

test("pending lists what some member has not acked, up to the limit, and never a query or a body", async (t) => {
  const journal = await openTestJournal(t, journalOptions(tempFolder(t)));
  for (const name of ["app1", "app2"]) await journal.saveNode(nodeRow(name));
  await journal.saveNode(nodeRow("new", { member: false }));
  const { request } = newRecord(1);
  const secret = { ...request, target: "/register?token=hidden" };
  await Promise.all([1, 2, 3, 4].map((id) => journal.append(newRecord(id, { request: secret }))));
  for (const node of ["app1", "app2"]) journal.ack(ackOf(2, node));
  journal.ack(ackOf(3, "app1"));
  journal.moveCursor("app1", 1);
  journal.moveCursor("app2", 1);
  const stories = await journal.pending(10);
  assert.deepEqual(
    stories.map((story) => story.seq),
    [3, 4],
  );
  assert.deepEqual(
    (await journal.pending(1)).map((story) => story.seq),
    [3],
  );
  assert.deepEqual(stories[0]?.acks, [ackOf(3, "app1")]);
  assert.equal(stories[0]?.path, "/register");
  assert.doesNotMatch(JSON.stringify(stories), /hidden|secret/);
});

test("a read gives at most its limit, 256 records or 1 MiB, and at least one record", async (t) => {
  const journal = await openTestJournal(t, journalOptions(tempFolder(t)));
  const { request } = newRecord(1);
  const large = newRecord("large", { request: { ...request, body: Buffer.alloc(700_000, 1) } });
  await Promise.all(Array.from({ length: 300 }, (_, id) => journal.append(newRecord(id))));
  await Promise.all([large, large].map((record) => journal.append(record)));
  assert.equal((await journal.read(1, 5)).length, 5);
  assert.equal((await journal.read(1, 1000)).length, 256);
  assert.deepEqual(
    (await journal.read(301, 1000)).map((record) => record.seq),
    [301],
  );
  assert.deepEqual(await journal.read(303, 10), []);
});

test("a record larger than a read's 1 MiB is stored and read", async (t) => {
  const journal = await openTestJournal(t, journalOptions(tempFolder(t)));
  const { request } = newRecord(1);
  const body = Buffer.alloc(3_000_000, 7);
  await journal.append(newRecord(1, { request: { ...request, body } }));
  assert.deepEqual(Buffer.from((await journal.read(1, 10))[0]?.request.body ?? []), body);
});

test("no password, username, key or query is on the disk in clear", async (t) => {
  const folder = tempFolder(t);
  const journal = await openTestJournal(t, journalOptions(folder));
  const request = {
    method: "POST",
    target: "/register?token=query-token-7",
    headers: ["authorization", "Basic aGVhZGVyLXNlY3JldA==", "Idempotency-Key", "client-key-7"],
    body: Buffer.from("username=hermione&password=alohomora-7"),
  };
  const key = journal.mac("order", "hermione");
  const idempotency = {
    key: journal.mac("idempotency", "client-key-7"),
    fingerprint: journal.mac("request", request.body),
  };
  await journal.append({ route: "all-1", key, idempotency, request });
  journal.settle(1, 201, {
    status: 201,
    headers: ["set-cookie", "session-7"],
    body: Buffer.from("hello hermione"),
  });
  await journal.flush();
  const secrets = [
    "hermione",
    "alohomora-7",
    "query-token-7",
    "aGVhZGVyLXNlY3JldA",
    "client-key-7",
    "session-7",
  ];
  const search = () => {
    for (const [path, bytes] of filesBelow(folder)) {
      for (const secret of secrets) assert.equal(bytes.includes(secret), false, `${secret} is in ${path}`);
    }
  };
  search();
  await journal.close();
  search();
});

test("the journal's files can be read by their owner alone", async (t) => {
  const folder = tempFolder(t);
  const options = journalOptions(folder);
  const journal = await openTestJournal(t, options);
  await journal.append(newRecord(1));
  const mode = (path: string) => (statSync(path).mode & 0o777).toString(8);
  assert.equal(mode(options.dataDir), "700");
  for (const path of filesBelow(folder).keys()) assert.equal(mode(path), "600", path);
  assert.match(readFileSync(options.keyFile, "utf8"), /^lb-key 1 [0-9a-f]{64}\n$/);
  await journal.close();
});

test("macs differ by purpose and by where a part ends, and are the same after a restart", async (t) => {
  const options = journalOptions(tempFolder(t));
  const journal = await openTestJournal(t, options);
  const mac = journal.mac("order", "ab", "c");
  assert.match(mac, /^[0-9a-f]{32}$/);
  assert.notEqual(mac, journal.mac("order", "a", "bc"));
  assert.notEqual(mac, journal.mac("request", "ab", "c"));
  assert.equal(mac, journal.mac("order", Buffer.from("ab"), "c"));
  await journal.close();
  assert.equal((await openTestJournal(t, options)).mac("order", "ab", "c"), mac);
});

test("what is buffered when the journal is closed is on disk, and a closed journal takes nothing more", async (t) => {
  const options = journalOptions(tempFolder(t));
  const journal = await openTestJournal(t, options);
  await journal.saveNode(nodeRow("app1"));
  await journal.append(newRecord(1));
  journal.moveCursor("app1", 1);
  const last = journal.append(newRecord(2));
  await Promise.all([journal.close(), journal.close()]);
  assert.deepEqual(await last, { kind: "recorded", seq: 2 });
  await assert.rejects(journal.append(newRecord(3)), { code: "journal_failed" });
  journal.ack(ackOf(1, "app1"));
  const again = await openTestJournal(t, options);
  assert.deepEqual([again.head, await again.nodes()], [2, [nodeRow("app1", { cursor: 1 })]]);
});

test("a journal whose disk gives errors stops: every call rejects, and the owner is told once", async (t) => {
  const options = journalOptions(tempFolder(t));
  const failures: Error[] = [];
  const journal = await openTestJournal(t, options, { failed: (error) => void failures.push(error) });
  const { request } = newRecord(1);
  const large = newRecord("large", { request: { ...request, body: Buffer.alloc(1_000_000, 1) } });
  for (let i = 0; i < 30; i++) await journal.append(large);
  truncateSync(join(options.dataDir, "journal.db"), 8192);
  const calls = [journal.read(1, 1), journal.append(newRecord(2)), journal.flush()];
  for (const outcome of await Promise.allSettled(calls)) assert.equal(outcome.status, "rejected");
  await assert.rejects(
    journal.append(newRecord(3)),
    (error) => error instanceof LbError && error.code === "journal_failed",
  );
  assert.deepEqual(
    failures.map((error) => error instanceof LbError && error.code),
    ["journal_failed"],
  );
  await journal.close();
});
