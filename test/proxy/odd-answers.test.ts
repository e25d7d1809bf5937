/** Answers that HTTP allows a node, or that real ones give, though few libraries would. */

import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { startBalancer, type TestBalancer } from "../support/balancer.ts";
import { QUICK } from "../support/bare-cluster.ts";
import { type RawAnswer, rawConnect, rawRequest } from "../support/raw-http.ts";
import { type RawNode, startRawNode } from "../support/raw-node.ts";
import { until } from "../support/wait.ts";

const ROUTES = [
  { match: { methods: ["POST"] }, to: "all", orderBy: "username" },
  { match: { methods: ["HEAD"], paths: ["/written"] }, to: "all" },
  { match: { methods: ["GET", "HEAD"] }, to: "one", firstByteTimeout: "20s" },
];

const FORM = "Content-Type: application/x-www-form-urlencoded\r\n";

/** Two nodes that give the same answers, and the balancer over them. */
async function startOver(
  t: TestContext,
  answers: Readonly<Record<string, string>>,
): Promise<{ balancer: TestBalancer; nodes: readonly RawNode[] }> {
  const nodes = await Promise.all([startRawNode(t, answers), startRawNode(t, answers)]);
  const balancer = await startBalancer(t, {
    nodes: nodes.map(({ url }, index) => ({ name: `app${index + 1}`, url })),
    config: { routes: ROUTES, writes: QUICK },
  });
  return { balancer, nodes };
}

function send(to: TestBalancer, method: string, path: string, user = "ada"): Promise<RawAnswer> {
  const body = method === "POST" ? `username=${user}` : "";
  const fields = body === "" ? "" : `${FORM}Content-Length: ${body.length}\r\n`;
  const port = Number(new URL(to.url).port);
  const request = `${method} ${path} HTTP/1.1\r\nHost: x\r\n${fields}\r\n${body}`;
  return rawRequest(port, request, { head: method === "HEAD" });
}

async function states(balancer: TestBalancer): Promise<string[]> {
  return (await balancer.status()).nodes.map(({ state }) => state);
}

test("304 with the Content-Length that the 200 would have is passed on, for reads and for writes", async (t) => {
  const { balancer, nodes } = await startOver(t, {
    "/x": 'HTTP/1.1 304 Not Modified\r\nETag: "e"\r\nContent-Length: 5\r\n\r\n',
  });
  for (const method of ["GET", "HEAD", "POST", "GET"]) {
    const { status, headers } = await send(balancer, method, "/x");
    assert.deepEqual([method, status, headers.etag], [method, 304, '"e"']);
  }
  assert.equal(nodes.flatMap(({ log }) => log).length, 5, "three reads, and a write to both: none twice");
  assert.deepEqual(await states(balancer), ["in-sync", "in-sync"]);
  await until(async () => (await balancer.write(1)).outcome === 304, { what: "the write's outcome" });
});

test("204 with a Content-Length, which it may not have, is passed on without one", async (t) => {
  const { balancer, nodes } = await startOver(t, {
    "/none": "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
    "/some": "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n",
  });
  for (const path of ["/none", "/some"]) {
    for (const method of ["GET", "POST"]) {
      const { status, headers } = await send(balancer, method, path);
      assert.deepEqual([method, path, status, headers["content-length"]], [method, path, 204, undefined]);
    }
  }
  assert.equal(nodes.flatMap(({ log }) => log).length, 6);
  assert.deepEqual(await states(balancer), ["in-sync", "in-sync"]);
});

test("the Content-Length of an answer to HEAD is the node's own, for reads and for writes", async (t) => {
  const { balancer } = await startOver(t, {
    "/read": "HTTP/1.1 200 OK\r\nContent-Length: 4711\r\n\r\n",
    "/written": "HTTP/1.1 200 OK\r\nContent-Length: 4711\r\n\r\n",
  });
  for (const path of ["/read", "/written"]) {
    const { status, headers } = await send(balancer, "HEAD", path);
    assert.deepEqual([path, status, headers["content-length"]], [path, 200, "4711"]);
  }
});

test("a body behind a 304 reaches no client, neither as its body nor as the next answer", async (t) => {
  const { balancer } = await startOver(t, {
    "/x": "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\nhello",
  });
  assert.equal((await send(balancer, "GET", "/x")).status, 304);
  for (let n = 0; n < 4; n++) assert.equal((await send(balancer, "GET", "/")).body, "ok");
});

test("a reason phrase goes on where it is ASCII; any other one is left out", async (t) => {
  const { balancer } = await startOver(t, {
    "/ascii": "HTTP/1.1 200 All right!\r\nContent-Length: 2\r\n\r\nok",
    "/none": "HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok",
    "/latin1": "HTTP/1.1 200 D\xe9j\xe0\r\nContent-Length: 2\r\n\r\nok",
    "/utf8": "HTTP/1.1 200 \xe2\x86\x92\r\nContent-Length: 2\r\n\r\nok",
  });
  for (const [path, reason] of [
    ["/ascii", "All right!"],
    ["/none", ""],
    ["/latin1", ""],
    ["/utf8", ""],
  ] as const) {
    const answer = await send(balancer, "GET", path);
    assert.deepEqual([path, answer.status, answer.reason, answer.body], [path, 200, reason, "ok"]);
  }
});

test("103 goes on whatever its fields say", async (t) => {
  const answer = "\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
  const two = "</a.css>; rel=preload; as=style, </b.js>; rel=preload; as=script";
  const { balancer } = await startOver(t, {
    "/two": `HTTP/1.1 103 Early Hints\r\nLink: ${two}${answer}`,
    "/odd": `HTTP/1.1 103 Early Hints\r\nLink: not a link${answer}`,
    "/none": `HTTP/1.1 103 Early Hints\r\nX-Other: 1${answer}`,
  });
  const port = Number(new URL(balancer.url).port);
  for (const [path, field, value] of [
    ["/two", "link", two],
    ["/odd", "link", "not a link"],
    ["/none", "x-other", "1"],
  ] as const) {
    const connection = await rawConnect(port);
    connection.send(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
    const hints = await connection.answer();
    assert.deepEqual([path, hints.status, hints.headers[field]], [path, 103, value]);
    assert.equal((await connection.answer()).body, "ok", path);
    connection.end();
  }
});

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const CONTINUE = "HTTP/1.1 100 Continue\r\n\r\n";
const HINTS = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n";

/** What may stand in front of an answer, asked for or not (RFC 9110 §15.2). */
const INTERIM = {
  "/100": CONTINUE,
  "/100-with-fields": "HTTP/1.1 100 Continue\r\nX-A: b\r\n\r\n",
  "/100-three-times": CONTINUE.repeat(3),
  "/102": "HTTP/1.1 102 Processing\r\n\r\n",
  "/all": CONTINUE + HINTS + CONTINUE,
} as const;

test("1xx that nobody asked for: the client gets the answer behind them, and of HTTP/1.1 the 103", async (t) => {
  const answers = Object.entries(INTERIM).map(([path, interim]) => [path, interim + OK]);
  const { balancer, nodes } = await startOver(t, Object.fromEntries(answers));
  const port = Number(new URL(balancer.url).port);
  const connection = await rawConnect(port);
  t.after(() => connection.end());
  for (const path of Object.keys(INTERIM)) {
    connection.send(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
    if (path === "/all") assert.equal((await connection.answer()).status, 103);
    const { status, body } = await connection.answer();
    assert.deepEqual([path, status, body], [path, 200, "ok"]);
    const old = await rawRequest(port, `GET ${path} HTTP/1.0\r\n\r\n`);
    assert.deepEqual([path, old.status, old.body], [path, 200, "ok"]);
  }
  assert.equal(connection.received, "");
  assert.equal(nodes.flatMap(({ log }) => log).length, 10, "no read was sent twice");
});

test("1xx that nobody asked for, to a write: the node's ack is the answer behind them", async (t) => {
  const answers = Object.entries(INTERIM).map(([path, interim]) => [path, interim + OK]);
  const { balancer, nodes } = await startOver(t, Object.fromEntries(answers));
  for (const path of Object.keys(INTERIM)) {
    const { status, body, headers } = await send(balancer, "POST", path);
    assert.deepEqual([path, status, body, headers["lb-acks"]], [path, 200, "ok", "app1=200, app2=200"]);
  }
  assert.deepEqual(
    nodes.map(({ log }) => log.length),
    [5, 5],
  );
});

test("101 that nobody asked for is a failed attempt, and the log says why", async (t) => {
  const { balancer } = await startOver(t, {
    "/x": "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
  });
  assert.equal((await send(balancer, "GET", "/x")).status, 502);
  const legs = () => balancer.output().match(/^.*"leg failed".*$/gm) ?? [];
  await until(() => legs().length === 2, { what: "a line for each of the two legs" });
  const failed = legs().map((line) => JSON.parse(line));
  const told = failed.map(({ node, outcome, attempt, route, reason }) => [
    node,
    outcome,
    attempt,
    route,
    reason,
  ]);
  const reason = "answered 101 Switching Protocols, which it was not asked for";
  assert.deepEqual(told, [
    ["app1", "reset", 1, "one-3", reason],
    ["app2", "reset", 2, "one-3", reason],
  ]);
  assert.deepEqual(await states(balancer), ["in-sync", "in-sync"]);
  assert.equal((await send(balancer, "GET", "/")).status, 200);
});

test("a node whose every answer to a write is a 101 leaves with that as the reason", async (t) => {
  const switching = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n";
  const nodes = [await startRawNode(t, { "/x": switching }), await startRawNode(t, {})];
  const balancer = await startBalancer(t, {
    nodes: nodes.map(({ url }, index) => ({ name: `app${index + 1}`, url })),
    config: { routes: ROUTES, writes: { ...QUICK, maxAttempts: 2 } },
  });
  assert.equal((await send(balancer, "POST", "/x")).status, 200);
  assert.equal((await send(balancer, "POST", "/y", "ben")).status, 200);
  const { reason } = await balancer.reached("app1", "quarantined");
  assert.equal(
    reason,
    "keeps failing write 1, which others acked: answered 101 Switching Protocols, which it was not asked for",
  );
});
