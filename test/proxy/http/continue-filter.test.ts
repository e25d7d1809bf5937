import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { test } from "node:test";
import { ContinueFilter } from "../../../proxy/http/continue-filter.ts";

const CONTINUE = "HTTP/1.1 100 Continue\r\nX-A: b\r\n\r\n";
const HINTS = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n";
/** Its body is made of what would be dropped in front of it. */
const FINAL = `HTTP/1.1 200 OK\r\nContent-Length: ${2 * CONTINUE.length}\r\n\r\n${CONTINUE}${CONTINUE}`;

/** What comes out where the bytes arrive in these pieces. */
function filtered(filter: ContinueFilter, pieces: readonly string[]): string {
  return pieces.map((piece) => filter.take(Buffer.from(piece, "latin1"))?.toString("latin1") ?? "").join("");
}

test("wherever the bytes are cut in two, the 100s before an answer go, and nothing else", () => {
  const sent = CONTINUE + HINTS + CONTINUE + FINAL;
  for (let cut = 0; cut <= sent.length; cut++) {
    const filter = new ContinueFilter(1000);
    filter.expectAnswer();
    const pieces = [sent.slice(0, cut), sent.slice(cut)].filter((piece) => piece !== "");
    assert.equal(filtered(filter, pieces), HINTS + FINAL, `cut at ${cut}`);
  }
});

test("byte by byte, too", () => {
  const filter = new ContinueFilter(1000);
  filter.expectAnswer();
  assert.equal(filtered(filter, [...(CONTINUE + HINTS + CONTINUE + FINAL)]), HINTS + FINAL);
});

test("each answer on a connection has a start of its own", () => {
  const filter = new ContinueFilter(1000);
  for (let n = 0; n < 3; n++) {
    filter.expectAnswer();
    assert.equal(filtered(filter, [CONTINUE, FINAL]), FINAL);
  }
});

test("a head without an end is waited for no longer than a head may be", () => {
  const filter = new ContinueFilter(100);
  filter.expectAnswer();
  const endless = `HTTP/1.1 100 Continue\r\nX: ${"a".repeat(200)}`;
  assert.equal(filtered(filter, [endless]), endless);
});

test("what is read from a connection is filtered while an answer is expected, and after that comes as it is", () => {
  const filter = new ContinueFilter(1000);
  const socket = new Readable({ read() {} });
  filter.watch(socket);
  filter.expectAnswer();
  socket.push(CONTINUE + FINAL);
  assert.equal(String(socket.read()), FINAL);
  socket.push(CONTINUE);
  assert.equal(String(socket.read()), CONTINUE);
  assert.equal(socket.read(), null);
});

test("a new connection begins anew: what the one before left in the middle of a head is gone", () => {
  const filter = new ContinueFilter(1000);
  filter.watch(new Readable({ read() {} }));
  filter.expectAnswer();
  assert.equal(filter.take(Buffer.from("HTTP/1.1 10")), null);
  const next = new Readable({ read() {} });
  filter.watch(next);
  next.push(FINAL);
  assert.equal(String(next.read()), FINAL);
});
