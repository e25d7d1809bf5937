import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { LbError } from "../../../proxy/errors.ts";
import { AnswerHeaders, fieldValues, idempotencyKey, withoutNamed } from "../../../proxy/http/headers.ts";

function raw(...texts: string[]): Buffer[] {
  return texts.map((text) => Buffer.from(text, "latin1"));
}

test("an answer loses its hop-by-hop fields, those that Connection names and lb-*", () => {
  const headers = new AnswerHeaders().forClient(
    200,
    raw(
      ...[
        "Content-Type",
        "text/plain",
        "Connection",
        "keep-alive, X-Hop",
        "X-Hop",
        "1",
        "Keep-Alive",
        "timeout=5",
      ],
      ...["Transfer-Encoding", "chunked", "Trailer", "X", "Upgrade", "h2c", "Proxy-Authenticate", "Basic"],
      ...["lb-seq", "9", "LB-ACKS", "x", "TE", "x", "Proxy-Connection", "close", "Date", "today"],
    ),
  );
  assert.deepEqual(headers, ["Content-Type", "text/plain", "Date", "today"]);
});

test("an answer keeps repeated fields, their order, spelling and bytes", () => {
  const headers = new AnswerHeaders().forClient(
    200,
    raw("Set-Cookie", "a=1", "set-cookie", "b=\xe9", "Set-Cookie", "c"),
  );
  assert.deepEqual(headers, ["Set-Cookie", "a=1", "set-cookie", "b=\xe9", "Set-Cookie", "c"]);
});

test("names that share a slot of the cache are never mixed up", () => {
  const name = fc
    .stringMatching(/^[a-zA-Z-]{1,12}$/)
    .filter((text) => !/^(?:te|trailer|upgrade|connection|keep-alive|lb-.*)$/i.test(text));
  const answers = new AnswerHeaders();
  fc.assert(
    fc.property(fc.array(fc.tuple(name, fc.stringMatching(/^[ -~]{0,9}$/)), { maxLength: 12 }), (fields) => {
      const flat = fields.flat();
      assert.deepEqual(answers.forClient(200, raw(...flat)), flat);
    }),
  );
});

test("a name seen once stays right when the socket's buffer is overwritten", () => {
  const answers = new AnswerHeaders();
  const buffer = Buffer.from("X-One");
  answers.forClient(200, [buffer, buffer]);
  buffer.write("X-Two");
  assert.deepEqual(answers.forClient(200, [buffer, buffer]), ["X-Two", "X-Two"]);
  assert.deepEqual(answers.forClient(200, raw("X-One", "1")), ["X-One", "1"]);
});

test("fields are found and left out whatever their case", () => {
  const headers = ["A", "1", "b", "2", "a", "3"];
  assert.deepEqual(fieldValues(headers, "a"), ["1", "3"]);
  assert.deepEqual(withoutNamed(headers, new Set(["a"])), ["b", "2"]);
});

test("one Idempotency-Key of visible ASCII, at most 255 long, is taken", () => {
  assert.equal(idempotencyKey(["Host", "a"]), null);
  assert.equal(idempotencyKey(["idempotency-KEY", "abc"]), "abc");
  assert.equal(idempotencyKey(["Idempotency-Key", "k".repeat(255)])?.length, 255);
  for (const bad of [[""], ["a b"], ["k".repeat(256)], ["é"], ["a", "a"]]) {
    const headers = bad.flatMap((key) => ["Idempotency-Key", key]);
    assert.throws(
      () => idempotencyKey(headers),
      (error) => error instanceof LbError && error.code === "idempotency_key_invalid",
    );
  }
});
