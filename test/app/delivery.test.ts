import assert from "node:assert/strict";
import { test } from "node:test";
import { readDelivery } from "../../app/delivery.ts";
import { deliveryHeaders } from "../../proxy/delivery-headers.ts";
import type { JournalRecord } from "../../proxy/record.ts";
import { delivery } from "./client.ts";

test("what the balancer sends with a write is understood", () => {
  const list = deliveryHeaders(record(42), { journalId: "abc-def", attempt: 2, cursor: 40 });
  assert.deepEqual(readDelivery(toObject(list)), {
    journal: "abc-def",
    seq: 42,
    cursor: 40,
    key: "abc-def-42",
  });
});

test("these tests send what the balancer sends", () => {
  const options = { journalId: "abc", attempt: 1, cursor: 5 };
  assert.deepEqual(delivery(7, 5, "abc"), { ...toObject(deliveryHeaders(record(7), options)) });
});

test("a client's own key: with quotes, without, with escapes; never taken for a journal's", () => {
  const none = { journal: "", seq: null, cursor: 0 };
  for (const [header, key] of [
    ["k-1", "k-1"],
    ['"k-1"', "k-1"],
    ['"a\\"b\\\\c"', 'a"b\\c'],
    ['"', '"'],
    ["x-null", "x-null"],
  ] as const) {
    assert.deepEqual(readDelivery({ "idempotency-key": header }), { ...none, key });
  }
  assert.deepEqual(readDelivery({}), { ...none, key: null });
});

function record(seq: number): JournalRecord {
  const request = { method: "POST", target: "/register", headers: [], body: new Uint8Array() };
  const rest = {
    route: "all-1",
    key: null,
    clientKey: null,
    requestId: null,
    state: { outcome: null, setAside: false },
  };
  return { seq, at: 1767323045678, request, ...rest };
}

function toObject(list: readonly string[]): Record<string, string> {
  const pairs = list.flatMap((name, i) =>
    i % 2 === 0 ? [[name.toLowerCase(), list[i + 1] ?? ""] as const] : [],
  );
  return Object.fromEntries(pairs);
}
