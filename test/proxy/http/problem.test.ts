import assert from "node:assert/strict";
import { createServer } from "node:http";
import { test } from "node:test";
import { ERROR_ROWS, type ErrorCode, LbError, statusFor, toLbError } from "../../../proxy/errors.ts";
import { problemBody, problemHeaders, sendProblem } from "../../../proxy/http/problem.ts";

test("a problem has type, title, status, detail, code, next step and extras", () => {
  const error = new LbError("ack_timeout", "expected 2 acks within 5s, got 1", { extra: { seq: 7 } });
  assert.deepEqual(JSON.parse(problemBody(error, "req-1")), {
    type: "urn:lbctl:error:ack_timeout",
    title: ERROR_ROWS.ack_timeout.title,
    status: 504,
    detail: "expected 2 acks within 5s, got 1",
    code: "ack_timeout",
    next: ERROR_ROWS.ack_timeout.next,
    instance: "req-1",
    seq: 7,
  });
});

test("extras never overwrite what a problem stands for", () => {
  const error = new LbError("no_route", "x", { extra: { code: "other", status: 200 } });
  const problem = JSON.parse(problemBody(error));
  assert.equal(problem.code, "no_route");
  assert.equal(problem.status, 404);
});

test("Retry-After and Allow come from the table and the extras", () => {
  const busy = new LbError("below_min_in_sync", "x");
  assert.match(problemHeaders(busy, "").join("|"), /Retry-After\|1/);
  const later = new LbError("below_min_in_sync", "x", { extra: { retryAfter: 9 } });
  assert.match(problemHeaders(later, "").join("|"), /Retry-After\|9/);
  const method = new LbError("method_not_allowed", "x", { extra: { allow: "GET, HEAD" } });
  assert.match(problemHeaders(method, "").join("|"), /Allow\|GET, HEAD/);
});

test("every row has a status of its kind, a title and a next step", () => {
  for (const [code, row] of Object.entries(ERROR_ROWS)) {
    assert.match(code, /^[a-z][a-z_]+$/);
    assert.ok(row.status >= 400 && row.status < 600, code);
    assert.ok(row.title.length > 0 && !row.title.endsWith("."), code);
    assert.match(row.next, /\.$/, code);
    assert.equal(statusFor(code as ErrorCode), row.status);
  }
});

test("what is not an LbError becomes internal_error without its message", () => {
  const error = toLbError(new Error("secret"));
  assert.equal(error.code, "internal_error");
  assert.doesNotMatch(problemBody(error), /secret/);
  assert.equal((error.cause as Error).message, "secret");
});

test("an answer with the problem's status; to HEAD without its body; more fields on request", async (t) => {
  const server = createServer((_, response) => {
    sendProblem(response, new LbError("no_route", "x"), { instance: "r", headers: ["lb-seq", "3"] });
  }).listen(0, "127.0.0.1");
  t.after(() => server.close());
  await new Promise((resolve) => server.once("listening", resolve));
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  const url = `http://127.0.0.1:${address.port}/`;
  const got = await fetch(url);
  assert.equal(got.status, 404);
  assert.equal(got.headers.get("content-type"), "application/problem+json");
  assert.equal(got.headers.get("lb-seq"), "3");
  assert.equal(((await got.json()) as { instance: string }).instance, "r");
  const head = await fetch(url, { method: "HEAD" });
  assert.equal(head.status, 404);
  assert.equal(await head.text(), "");
});
