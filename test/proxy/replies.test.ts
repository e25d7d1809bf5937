import assert from "node:assert/strict";
import { test } from "node:test";
import { Replies } from "../../proxy/replies.ts";

const REPLY = { at: 1, ms: 1, status: 201, code: null, repeat: false };

test("the first reply to a write and the latest of its repeats are kept", () => {
  const replies = new Replies();
  for (let status = 1; status <= 9; status++) replies.note(7, { ...REPLY, status });
  assert.deepEqual(
    replies.of(7).map(({ status }) => status),
    [1, 7, 8, 9],
  );
});

test("only so many writes are remembered: the oldest go", () => {
  const replies = new Replies();
  for (let seq = 1; seq <= 4097; seq++) replies.note(seq, REPLY);
  assert.deepEqual(replies.of(1), []);
  assert.deepEqual(replies.of(2), [REPLY]);
  assert.deepEqual(replies.of(4097), [REPLY]);
});
