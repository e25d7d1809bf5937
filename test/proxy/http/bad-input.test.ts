/**
 * Bad requests, each on a connection of its own: what is answered, that the handler never sees it, that
 * nothing behind it on the connection is taken for a request, and that the next client is served.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { ErrorCode } from "../../../proxy/errors.ts";
import { statusFor } from "../../../proxy/errors.ts";
import { rawConnect, rawRequest } from "../../support/raw-http.ts";
import { startTraffic, trafficConfig } from "../../support/traffic.ts";

const GOOD = "GET /good HTTP/1.1\r\nHost: a\r\n\r\n";
const CHUNKS = "3\r\nabc\r\n0\r\n\r\n";

function get(fields: string): string {
  return `GET / HTTP/1.1\r\n${fields}\r\n`;
}

function target(text: string, method = "GET"): string {
  return `${method} ${text} HTTP/1.1\r\nHost: a\r\n\r\n`;
}

function post(fields: string, body = "abc", version = "1.1"): string {
  return `POST /register HTTP/${version}\r\nHost: a\r\n${fields}\r\n${body}`;
}

const CASES: readonly (readonly [what: string, code: ErrorCode, request: string])[] = [
  // Host
  ["no Host on HTTP/1.1", "bad_framing", get("")],
  ["two Hosts", "bad_framing", get("Host: a\r\nHost: b\r\n")],
  ["the same Host twice", "bad_framing", get("Host: a\r\nhost: a\r\n")],
  ["an empty Host", "bad_framing", get("Host:\r\n")],
  ["a list of Hosts", "bad_framing", get("Host: a, b\r\n")],
  ["userinfo in Host", "bad_framing", get("Host: user@a\r\n")],
  ["a path in Host", "bad_framing", get("Host: a/b\r\n")],
  ["a space in Host", "bad_framing", get("Host: a b\r\n")],
  ["a port that is no number in Host", "bad_framing", get("Host: a:b\r\n")],
  ["percent-encoding in Host", "bad_framing", get("Host: a%00b\r\n")],
  ["Host named by Connection", "bad_framing", get("Host: a\r\nConnection: host\r\n")],
  // Framing of the body
  ["gzip, chunked", "bad_framing", post("Transfer-Encoding: gzip, chunked\r\n", CHUNKS)],
  [
    "gzip and chunked in two fields",
    "bad_framing",
    post("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", CHUNKS),
  ],
  ["chunked twice", "bad_framing", post("Transfer-Encoding: chunked, chunked\r\n", CHUNKS)],
  [
    "chunked in two fields",
    "bad_framing",
    post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", CHUNKS),
  ],
  ["xchunked", "bad_framing", post("Transfer-Encoding: xchunked\r\n", CHUNKS)],
  ["identity", "bad_framing", post("Transfer-Encoding: identity\r\n", CHUNKS)],
  ["an empty Transfer-Encoding", "bad_framing", post("Transfer-Encoding:\r\n", CHUNKS)],
  ["a parameter on chunked", "bad_framing", post("Transfer-Encoding: chunked;x=1\r\n", CHUNKS)],
  ["Transfer-Encoding on HTTP/1.0", "bad_framing", post("Transfer-Encoding: chunked\r\n", CHUNKS, "1.0")],
  [
    "Transfer-Encoding, then Content-Length",
    "bad_framing",
    post("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", CHUNKS),
  ],
  [
    "Content-Length, then Transfer-Encoding",
    "bad_framing",
    post("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", CHUNKS),
  ],
  ["two equal Content-Lengths", "bad_framing", post("Content-Length: 3\r\nContent-Length: 3\r\n")],
  ["two unequal Content-Lengths", "bad_framing", post("Content-Length: 3\r\nContent-Length: 30\r\n")],
  ["a list of Content-Lengths", "bad_framing", post("Content-Length: 3, 3\r\n")],
  ["a sign before Content-Length", "bad_framing", post("Content-Length: +3\r\n")],
  ["a negative Content-Length", "bad_framing", post("Content-Length: -3\r\n")],
  ["a hexadecimal Content-Length", "bad_framing", post("Content-Length: 0x3\r\n")],
  ["an empty Content-Length", "bad_framing", post("Content-Length:\r\n")],
  ["a Content-Length beyond 64 bits", "bad_framing", post("Content-Length: 99999999999999999999999\r\n")],
  ["a Content-Length beyond 53 bits", "bad_framing", post("Content-Length: 9999999999999999\r\n")],
  [
    "Content-Length named by Connection",
    "bad_framing",
    post("Connection: content-length\r\nContent-Length: 3\r\n"),
  ],
  [
    "a chunk size that is no number",
    "bad_framing",
    post("Transfer-Encoding: chunked\r\n", "zz\r\nabc\r\n0\r\n\r\n"),
  ],
  ["a negative chunk size", "bad_framing", post("Transfer-Encoding: chunked\r\n", "-3\r\nabc\r\n0\r\n\r\n")],
  ["chunks ended by LF alone", "bad_framing", post("Transfer-Encoding: chunked\r\n", "3\nabc\n0\n\n")],
  [
    "a chunk's size ended by LF alone",
    "bad_framing",
    post("Transfer-Encoding: chunked\r\n", "3\nabc\r\n0\r\n\r\n"),
  ],
  [
    "a chunk's data ended by LF alone",
    "bad_framing",
    post("Transfer-Encoding: chunked\r\n", "3\r\nabc\n0\r\n\r\n"),
  ],
  [
    "a chunk's extension ended by LF alone",
    "bad_framing",
    post("Transfer-Encoding: chunked\r\n", "3;a=b\nabc\r\n0\r\n\r\n"),
  ],
  [
    "the last chunk ended by LF alone",
    "bad_framing",
    post("Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n0\n\r\n"),
  ],
  [
    "trailers ended by LF alone",
    "bad_framing",
    post("Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n0\r\nX: y\n\r\n"),
  ],
  ["a chunk without a size", "bad_framing", post("Transfer-Encoding: chunked\r\n", "\r\nabc\r\n0\r\n\r\n")],
  [
    "a space behind a chunk's size",
    "bad_framing",
    post("Transfer-Encoding: chunked\r\n", "3 \r\nabc\r\n0\r\n\r\n"),
  ],
  [
    "a chunk longer than its size",
    "bad_framing",
    post("Transfer-Encoding: chunked\r\n", "2\r\nabc\r\n0\r\n\r\n"),
  ],
  // Lines
  ["a folded line", "bad_framing", get("Host: a\r\nX: a\r\n b\r\n")],
  ["a folded first line", "bad_framing", get(" Host: a\r\n")],
  ["a space before the colon", "bad_framing", get("Host : a\r\n")],
  ["a field without a name", "bad_framing", get("Host: a\r\n: x\r\n")],
  ["a field without a colon", "bad_framing", get("Host: a\r\nX\r\n")],
  ["a name that is no token", "bad_framing", get("Host: a\r\nX(: x\r\n")],
  ["a NUL in a value", "bad_framing", get("Host: a\r\nX: a\0b\r\n")],
  ["a control character in a value", "bad_framing", get("Host: a\r\nX: a\x01b\r\n")],
  ["a bare CR in a value", "bad_framing", get("Host: a\r\nX: a\rb\r\n")],
  ["lines ended by LF alone", "bad_framing", "GET / HTTP/1.1\nHost: a\n\n"],
  ["a request line ended by LF alone", "bad_framing", "GET / HTTP/1.1\nHost: a\r\n\r\n"],
  ["a request line ended by CR alone", "bad_framing", "GET / HTTP/1.1\rHost: a\r\n\r\n"],
  ["a space behind the version", "bad_framing", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n"],
  ["a field ended by LF alone", "bad_framing", get("Host: a\nX: y\r\n")],
  ["a field ended by CR alone", "bad_framing", get("Host: a\rX: y\r\n")],
  ["a field ended by CR CR LF", "bad_framing", get("Host: a\r\r\n")],
  ["an empty field ended by LF alone", "bad_framing", get("Host: a\r\nX:\n")],
  ["Content-Length ended by LF alone", "bad_framing", post("Content-Length: 3\nX: y\r\n")],
  ["a head ended by LF alone", "bad_framing", "GET / HTTP/1.1\r\nHost: a\r\n\n"],
  ["a head ended by CR alone", "bad_framing", "GET / HTTP/1.1\r\nHost: a\r\n\rX"],
  // Target
  ["a fragment", "bad_target", target("/a#b")],
  ["no leading slash", "bad_target", target("a")],
  ["bytes beyond ASCII in the target", "bad_target", target("/caf\xe9")],
  ["a control character in the target", "bad_target", target("/a\x01b")],
  ["a tab in the target", "bad_target", target("/a\tb")],
  ["a dot segment", "bad_target", target("/search/../register")],
  ["an encoded dot segment", "bad_target", target("/search/%2E%2e/register")],
  ["a dot segment at the end", "bad_target", target("/a/.")],
  ["a backslash in the path", "bad_target", target("/a\\..\\register")],
  ["an absolute target of another host", "bad_target", target("http://b/")],
  ["an absolute target of another port", "bad_target", target("http://a:81/")],
  ["an absolute target with userinfo", "bad_target", target("http://u@a/")],
  ["an absolute target of another scheme", "bad_target", target("https://a/")],
  ["an absolute target with a fragment", "bad_target", target("http://a/#b")],
  ["* with a method other than OPTIONS", "bad_target", target("*")],
  // Version, method, protocol
  ["HTTP/0.9 without a version", "bad_version", "GET /\r\n\r\n"],
  ["HTTP/0.9 by name", "bad_version", "GET / HTTP/0.9\r\nHost: a\r\n\r\n"],
  ["HTTP/2.0 in the request line", "bad_version", "GET / HTTP/2.0\r\nHost: a\r\n\r\n"],
  ["HTTP/1.2", "bad_version", "GET / HTTP/1.2\r\nHost: a\r\n\r\n"],
  ["HTTP/2's preface", "bad_version", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
  ["an unknown method", "bad_framing", "BREW / HTTP/1.1\r\nHost: a\r\n\r\n"],
  ["a method in lower case", "bad_framing", "get / HTTP/1.1\r\nHost: a\r\n\r\n"],
  ["TLS on a plain listener", "bad_framing", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"],
  ["CONNECT", "connect_refused", "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n"],
  [
    "Upgrade to WebSocket",
    "upgrade_refused",
    get("Host: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"),
  ],
  [
    "Upgrade with a body",
    "upgrade_refused",
    post("Connection: Upgrade\r\nUpgrade: foo\r\nContent-Length: 3\r\n"),
  ],
  ["an unknown expectation", "expectation_failed", post("Expect: 200-ok\r\nContent-Length: 3\r\n")],
  ["two expectations", "expectation_failed", post("Expect: 100-continue, x\r\nContent-Length: 3\r\n")],
  // Size
  ["a field that is too long", "header_too_large", get(`Host: a\r\nX: ${"a".repeat(17_000)}\r\n`)],
  ["a target that is too long", "header_too_large", target(`/${"a".repeat(17_000)}`)],
  ["too many fields", "header_too_large", get(`Host: a\r\n${"X: y\r\n".repeat(4000)}`)],
  [
    "chunk extensions that are too long",
    "body_too_large",
    post("Transfer-Encoding: chunked\r\n", `1;${"a".repeat(20_000)}\r\na\r\n0\r\n\r\n`),
  ],
];

test("the table of bad requests", async (t) => {
  const traffic = await startTraffic(t);
  for (const [what, code, request] of CASES) {
    await t.test(`${what}: ${statusFor(code)} ${code}`, async () => {
      const seen = traffic.seen.length;
      const refused = traffic.refused.length;
      const connection = await rawConnect(traffic.port);
      // The good request behind it must not be served: where it begins is not certain.
      const answer = await connection.send(request + GOOD).answer();
      assert.equal(answer.status, statusFor(code));
      assert.equal(answer.headers["content-type"], "application/problem+json");
      assert.equal(answer.headers.connection, "close");
      const problem = JSON.parse(answer.body);
      assert.equal(problem.code, code);
      assert.equal(problem.status, answer.status);
      assert.match(problem.detail, /^expected /);
      await connection.waitClosed();
      assert.equal(connection.received, "");
      connection.end();
      assert.equal(traffic.seen.length, seen, "the handler got it");
      assert.equal(traffic.refused.length, refused + 1);
      assert.equal(traffic.refused.at(-1)?.code, code);
      assert.equal((await rawRequest(traffic.port, GOOD)).status, 200);
    });
  }
});

test("a head that does not arrive in time: 408", async (t) => {
  const traffic = await startTraffic(t, trafficConfig("limits: { headerTimeout: 200ms }"));
  const answer = await rawRequest(traffic.port, "GET / HTTP/1.1\r\nHost: a\r\nX: ");
  assert.equal(answer.status, 408);
  assert.equal(JSON.parse(answer.body).code, "request_timeout");
});

test("a body that does not arrive in time: 408", async (t) => {
  const traffic = await startTraffic(
    t,
    trafficConfig("limits: { headerTimeout: 100ms, bodyTimeout: 200ms }"),
  );
  const answer = await rawRequest(traffic.port, post("Content-Length: 10\r\n"));
  assert.equal(answer.status, 408);
  assert.equal(JSON.parse(answer.body).code, "body_timeout");
  assert.equal(traffic.seen.length, 0);
});

test("a connection on which nothing ever comes is closed without a word", async (t) => {
  const traffic = await startTraffic(t, trafficConfig("limits: { headerTimeout: 200ms }"));
  const connection = await rawConnect(traffic.port);
  await connection.waitClosed();
  assert.equal(connection.received, "");
  connection.end();
});

test("an unreadable request behind a good one: the good one's answer, then 400", async (t) => {
  const release = Promise.withResolvers<void>();
  const traffic = await startTraffic(t, trafficConfig(), async (_, response) => {
    await release.promise;
    response.writeHead(200, ["Content-Length", "2"]).end("ok");
  });
  const connection = await rawConnect(traffic.port);
  t.after(() => connection.end());
  connection.send(`${GOOD}NONSENSE\r\n\r\n`);
  while (traffic.refused.length === 0) await new Promise((resolve) => setImmediate(resolve));
  release.resolve();
  assert.equal((await connection.answer()).status, 200);
  assert.equal((await connection.answer()).status, 400);
  await connection.waitClosed();
});
