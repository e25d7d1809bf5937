import assert from "node:assert/strict";
import { test } from "node:test";
import { RecentRecords } from "../../proxy/recent-records.ts";
import type { JournalRecord } from "../../proxy/record.ts";

function records(first: number, count: number, bytes = 0): JournalRecord[] {
  return Array.from({ length: count }, (_, index) => ({
    seq: first + index,
    at: 0,
    route: "all-1",
    key: null,
    clientKey: null,
    requestId: null,
    request: { method: "POST", target: "/", headers: [], body: new Uint8Array(bytes) },
    state: { outcome: null, setAside: false },
  }));
}

function kept(recent: RecentRecords, upTo: number): number[] {
  return Array.from({ length: upTo }, (_, index) => index + 1).filter((seq) => recent.get(seq) !== undefined);
}

test("the newest records are kept, up to a number", () => {
  const recent = new RecentRecords({ maxRecords: 3 });
  recent.push(records(1, 2));
  assert.deepEqual(kept(recent, 9), [1, 2]);
  recent.push(records(3, 5));
  assert.deepEqual(kept(recent, 9), [5, 6, 7]);
});

test("and up to a number of bytes", () => {
  const recent = new RecentRecords({ maxBytes: 10_000 });
  for (let seq = 1; seq <= 9; seq++) recent.push(records(seq, 1, 2000));
  assert.deepEqual(kept(recent, 9), [7, 8, 9]);
});

test("header fields count as bytes, too", () => {
  const recent = new RecentRecords({ maxBytes: 10_000 });
  for (let seq = 1; seq <= 9; seq++) {
    const [record] = records(seq, 1);
    assert.ok(record);
    recent.push([{ ...record, request: { ...record.request, headers: ["cookie", "x".repeat(4000)] } }]);
  }
  assert.ok(kept(recent, 9).length <= 3);
});

test("a record that alone is over the limit is not kept, and takes nothing away for good", () => {
  const recent = new RecentRecords({ maxBytes: 5000 });
  recent.push(records(1, 1, 9000));
  recent.push(records(2, 2));
  assert.deepEqual(kept(recent, 3), [2, 3]);
});

test("the same record is given each time: what is noted in it is seen by all", () => {
  const recent = new RecentRecords();
  recent.push(records(1, 1));
  const record = recent.get(1);
  assert.ok(record);
  record.state.outcome = 201;
  assert.equal(recent.get(1)?.state.outcome, 201);
});
