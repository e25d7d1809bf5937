import assert from "node:assert/strict";
import { test } from "node:test";
import type { Inspected } from "../../../proxy/http/framing.ts";
import { rawConnect, rawRequest } from "../../support/raw-http.ts";
import { fieldOf, startTraffic, type Traffic, trafficConfig } from "../../support/traffic.ts";

async function inspected(traffic: Traffic, request: string): Promise<Inspected & { body: string }> {
  const answer = await rawRequest(traffic.port, request);
  assert.equal(answer.status, 200, answer.body);
  return JSON.parse(answer.body);
}

function get(fields: string, target = "/login?user=x"): string {
  return `GET ${target} HTTP/1.1\r\nHost: shop.example\r\n${fields}\r\n`;
}

test("a plain request keeps its target, host and fields, in order and spelling", async (t) => {
  const traffic = await startTraffic(t);
  const found = await inspected(traffic, get("uSeR-agent: x\r\nA: 1\r\na: 2\r\nA: \xe9\r\n"));
  assert.equal(found.target, "/login?user=x");
  assert.equal(found.path, "/login");
  assert.equal(found.hasBody, false);
  assert.equal(found.contentLength, null);
  assert.equal(found.peer, "127.0.0.1");
  assert.deepEqual(traffic.seen[0]?.headers, [
    "Host",
    "shop.example",
    "X-Request-Id",
    found.requestId,
    "uSeR-agent",
    "x",
    "A",
    "1",
    "a",
    "2",
    "A",
    "\xe9",
    "X-Forwarded-For",
    "127.0.0.1",
    "X-Forwarded-Proto",
    "http",
    "X-Forwarded-Host",
    "shop.example",
    "lb-via",
    "balancer1",
  ]);
});

test("an absolute target of the same host becomes origin form", async (t) => {
  const traffic = await startTraffic(t);
  for (const [target, origin] of [
    ["http://shop.example/a?b", "/a?b"],
    ["HTTP://SHOP.example/a", "/a"],
    ["http://shop.example", "/"],
    ["http://shop.example?x=1", "/?x=1"],
  ]) {
    assert.equal((await inspected(traffic, get("", target))).target, origin);
  }
});

test("hop-by-hop fields, those that Connection names and the client's lb-* stay behind", async (t) => {
  const traffic = await startTraffic(t);
  const { headers } = await inspected(
    traffic,
    get(
      "Connection: keep-alive, X-Mine , ,te\r\nConnection: X-Other\r\nX-Mine: 1\r\nx-other: 2\r\nKeep-Alive: timeout=9\r\n" +
        "Proxy-Connection: close\r\nTE: trailers\r\nTrailer: X\r\nUpgrade: h2c\r\nHTTP2-Settings: AAA\r\n" +
        "Proxy-Authorization: Basic eA==\r\nProxy-Authenticate: x\r\nlb-seq: 7\r\nLB-Acks: x\r\nlb_cursor: 9\r\nX-Kept: 1\r\n",
    ),
  );
  const names = headers.filter((_, index) => index % 2 === 0);
  const kept = [
    "Host",
    "X-Request-Id",
    "X-Kept",
    "X-Forwarded-For",
    "X-Forwarded-Proto",
    "X-Forwarded-Host",
    "lb-via",
  ];
  assert.deepEqual(names, kept);
});

test("what a stranger says about where a request came from is replaced", async (t) => {
  const traffic = await startTraffic(t);
  const { headers } = await inspected(
    traffic,
    get(
      "X-Forwarded-For: 6.6.6.6\r\nX_Forwarded_For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\nx-forwarded-host: evil\r\n" +
        "X-Forwarded-Port: 443\r\nForwarded: for=6.6.6.6\r\nX-Real-IP: 6.6.6.6\r\n",
    ),
  );
  assert.equal(fieldOf(headers, "x-forwarded-for"), "127.0.0.1");
  assert.equal(fieldOf(headers, "x-forwarded-proto"), "http");
  assert.equal(fieldOf(headers, "x-forwarded-host"), "shop.example");
  assert.doesNotMatch(headers.join("\n"), /6\.6\.6\.6|443|evil/);
});

test("what a trusted proxy says is kept and appended to", async (t) => {
  const traffic = await startTraffic(t, trafficConfig("trustedProxies: [10.0.0.0/8, 127.0.0.0/8]"));
  const { headers } = await inspected(
    traffic,
    get(
      "X-Forwarded-For: 9.9.9.9\r\nX-Forwarded-For: 8.8.8.8\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: www.example\r\n" +
        'X-Forwarded-Port: 443\r\nForwarded: for="[2001:db8::1]"\r\nX-Real-IP: 9.9.9.9\r\n',
    ),
  );
  assert.equal(fieldOf(headers, "x-forwarded-for"), "9.9.9.9, 8.8.8.8, 127.0.0.1");
  assert.equal(fieldOf(headers, "x-forwarded-proto"), "https");
  assert.equal(fieldOf(headers, "x-forwarded-host"), "www.example");
  assert.equal(fieldOf(headers, "x-forwarded-port"), "443");
  assert.equal(fieldOf(headers, "forwarded"), 'for="[2001:db8::1]", for=127.0.0.1');
  assert.equal(fieldOf(headers, "x-real-ip"), "9.9.9.9");
});

test("a sane request id is kept, any other replaced, each made one new", async (t) => {
  const traffic = await startTraffic(t);
  assert.equal((await inspected(traffic, get("X-Request-Id: abc-1\r\n"))).requestId, "abc-1");
  const made = new Set<string>();
  for (const bad of [
    "",
    "X-Request-Id: a b\r\n",
    `X-Request-Id: ${"a".repeat(129)}\r\n`,
    "X-Request-Id: a\r\nX-Request-Id: b\r\n",
  ]) {
    const found = await inspected(traffic, get(bad));
    assert.match(found.requestId, /^[\w-]{12,}$/);
    assert.equal(fieldOf(found.headers, "x-request-id"), found.requestId);
    made.add(found.requestId);
  }
  assert.equal(made.size, 4);
});

test("a body's length is known, or that it is chunked", async (t) => {
  const traffic = await startTraffic(t);
  const head = "POST /x HTTP/1.1\r\nHost: a\r\n";
  const sized = await inspected(traffic, `${head}Content-Length: 0003\r\n\r\nabc`);
  assert.deepEqual([sized.hasBody, sized.contentLength, sized.body], [true, 3, "abc"]);
  assert.equal(fieldOf(sized.headers, "content-length"), "3");
  const chunked = await inspected(
    traffic,
    `${head}Transfer-Encoding: Chunked\r\nTrailer: X\r\n\r\n3;ext=1\r\nabc\r\n1\r\nd\r\n0\r\nX: trailer\r\n\r\n`,
  );
  assert.deepEqual([chunked.hasBody, chunked.contentLength, chunked.body], [true, null, "abcd"]);
  assert.equal(fieldOf(chunked.headers, "transfer-encoding"), undefined);
  assert.equal(fieldOf(chunked.headers, "x"), undefined);
  const empty = await inspected(traffic, `${head}Content-Length: 0\r\n\r\n`);
  assert.deepEqual([empty.hasBody, empty.contentLength], [false, 0]);
});

test("an HTTP/1.0 request without Host is for the address it came to", async (t) => {
  const traffic = await startTraffic(t);
  const found = await inspected(traffic, "GET / HTTP/1.0\r\n\r\n");
  assert.equal(fieldOf(found.headers, "host"), `127.0.0.1:${traffic.port}`);
});

test("OPTIONS * is answered with the methods that routes take", async (t) => {
  const traffic = await startTraffic(t);
  const connection = await rawConnect(traffic.port);
  t.after(() => connection.end());
  const answer = await connection.send("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n").answer();
  assert.equal(answer.status, 204);
  assert.equal(answer.headers.allow, "POST, GET, HEAD");
  assert.equal((await connection.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").answer()).status, 200);
  assert.equal(traffic.seen.length, 1);
});

test("1,000 fields are looked at, 1,001 refused", async (t) => {
  const traffic = await startTraffic(t);
  const { headers } = await inspected(traffic, get(`${"a: b\r\n".repeat(998)}last: 1\r\n`));
  assert.equal(fieldOf(headers, "last"), "1");
  assert.equal((await rawRequest(traffic.port, get(`${"a: b\r\n".repeat(999)}last: 1\r\n`))).status, 431);
});

test("lb-via names the balancers that a request came through; this one a second time is 508", async (t) => {
  const traffic = await startTraffic(t);
  const { headers } = await inspected(traffic, get("lb-via: balancer2\r\nLB-Via: balancer3\r\n"));
  assert.equal(fieldOf(headers, "lb-via"), "balancer2, balancer3, balancer1");
  const { headers: named } = await inspected(traffic, get("Connection: lb-via\r\nlb-via: balancer10\r\n"));
  assert.equal(fieldOf(named, "lb-via"), "balancer10, balancer1");
  for (const via of ["balancer1", "balancer2,balancer1 , balancer3", "x\r\nlb-via: balancer1"]) {
    const answer = await rawRequest(traffic.port, get(`lb-via: ${via}\r\n`));
    assert.deepEqual([answer.status, JSON.parse(answer.body).code], [508, "loop_detected"], via);
  }
});
