/** Bodies that are not what their head announced: nobody may take a part for the whole. */

import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { startBalancer, type TestBalancer } from "../support/balancer.ts";
import { QUICK, startCluster } from "../support/bare-cluster.ts";
import { type RawConnection, rawConnect, rawRequest } from "../support/raw-http.ts";
import { type LastAnswer, PLAIN, type RawNode, startRawNode } from "../support/raw-node.ts";
import { until } from "../support/wait.ts";

const ROUTES = [
  { match: { methods: ["POST"] }, to: "all", orderBy: "username" },
  { match: { methods: ["GET"] }, to: "one", firstByteTimeout: "20s" },
];

const OK = "HTTP/1.1 200 OK\r\n";
const GET = "GET /x HTTP/1.1\r\nHost: x\r\n\r\n";

/** What breaks off in the middle of its body, by how the body's end is told. */
const BROKEN: Readonly<Record<string, LastAnswer>> = {
  "Content-Length": { text: `${OK}Content-Length: 11\r\n\r\nhello`, end: "fin" },
  "Content-Length, and Connection: close": {
    text: `${OK}Connection: close\r\nContent-Length: 11\r\n\r\nhello`,
    end: "fin",
  },
  chunks: { text: `${OK}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n`, end: "fin" },
  "chunks, and Connection: close": {
    text: `${OK}Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n`,
    end: "fin",
  },
  "chunks that are reset": {
    text: `${OK}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n`,
    end: "reset",
  },
};

/** Nodes that answer `GET /x` and `POST /x` as given, each in its own way, and the balancer over them. */
async function startOver(
  t: TestContext,
  answers: readonly (string | LastAnswer)[],
  routes: readonly unknown[] = ROUTES,
): Promise<{ balancer: TestBalancer; nodes: readonly RawNode[]; port: number }> {
  const nodes = await Promise.all(answers.map((answer) => startRawNode(t, { "/x": answer })));
  const balancer = await startBalancer(t, {
    nodes: nodes.map(({ url }, index) => ({ name: `app${index + 1}`, url })),
    config: { routes, writes: QUICK, health: { fall: 100 } },
  });
  return { balancer, nodes, port: Number(new URL(balancer.url).port) };
}

async function connectTo(t: TestContext, port: number): Promise<RawConnection> {
  const connection = await rawConnect(port);
  t.after(() => connection.end());
  return connection;
}

function asked(nodes: readonly RawNode[]): number {
  return nodes.flatMap(({ log }) => log).length;
}

for (const [how, answer] of Object.entries(BROKEN)) {
  test(`an answer that ends before its end (${how}): the client is cut off, and not served by another node`, async (t) => {
    const { nodes, port } = await startOver(t, [answer, answer]);
    const connection = await connectTo(t, port);
    connection.send(GET);
    await connection.waitClosed();
    assert.match(connection.received, /hello/);
    assert.ok(!connection.received.endsWith("0\r\n\r\n"), "it has no end that says that it is whole");
    assert.equal(asked(nodes), 1);
  });
}

test("an answer that ends before its end: a client that knows its end by the connection's gets a reset", async (t) => {
  const { port } = await startOver(t, [BROKEN.chunks as LastAnswer]);
  const connection = await connectTo(t, port);
  connection.send("GET /x HTTP/1.0\r\n\r\n");
  await connection.waitClosed();
  assert.ok(connection.wasReset);
});

test("an answer of which only the head came was not begun for the client: another node is asked", async (t) => {
  const head = { text: `${OK}Content-Length: 11\r\n\r\n`, end: "fin" } as const;
  const { balancer, nodes, port } = await startOver(t, [head, PLAIN]);
  const { status, body } = await rawRequest(port, GET);
  assert.deepEqual([status, body], [200, "ok"]);
  assert.deepEqual(
    nodes.map(({ log }) => log.length),
    [1, 1],
  );
  assert.equal((await balancer.node("app1")).readErrors, 1);
});

test("answers of which only the heads came, from every node: 502, and the connection goes on", async (t) => {
  const head = { text: `${OK}Content-Length: 11\r\n\r\n`, end: "fin" } as const;
  const { port } = await startOver(t, [head, head]);
  const connection = await connectTo(t, port);
  const { status, body } = await connection.send(GET).answer();
  assert.deepEqual([status, JSON.parse(body).code], [502, "all_nodes_failed"]);
  assert.equal((await connection.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n").answer()).body, "ok");
});

test("a head whose body lets wait for itself goes on alone, after firstByteTimeout", async (t) => {
  const routes = [{ match: { methods: ["GET"] }, to: "one", firstByteTimeout: "300ms", timeout: "60s" }];
  const { nodes, port } = await startOver(t, [`${OK}Content-Type: text/event-stream\r\n\r\n`], routes);
  const connection = await connectTo(t, port);
  connection.send(GET);
  await until(() => connection.received.includes("text/event-stream"), { what: "the head" });
  assert.deepEqual([connection.closed, asked(nodes)], [false, 1]);
});

test("an answer longer than announced: the client gets what was announced, and nobody the rest", async (t) => {
  const long = `${OK}Content-Length: 2\r\n\r\nok${OK}Content-Length: 4\r\n\r\nevil`;
  const { port } = await startOver(t, [long]);
  const connection = await connectTo(t, port);
  for (let n = 0; n < 3; n++) assert.equal((await connection.send(GET).answer()).body, "ok");
  assert.equal((await connection.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n").answer()).body, "ok");
  assert.equal(connection.received, "");
});

const FORM = "Content-Type: application/x-www-form-urlencoded\r\n";

for (const [how, answer] of Object.entries(BROKEN)) {
  test(`a write's answer that ends before its end (${how}) is no ack`, async (t) => {
    const { balancer, port } = await startOver(t, [answer, PLAIN]);
    const write = `POST /x HTTP/1.1\r\nHost: x\r\n${FORM}Content-Length: 12\r\n\r\nusername=ada`;
    const { status, body, headers } = await rawRequest(port, write);
    assert.deepEqual([status, body], [200, "ok"]);
    assert.doesNotMatch(headers["lb-acks"] ?? "", /app1=200/);
    assert.equal((await balancer.node("app1")).cursor, 0);
  });
}

for (const [how, body] of [
  ["Content-Length", "Content-Length: 20\r\n\r\nusername=ada"],
  ["chunks", "Transfer-Encoding: chunked\r\n\r\nc\r\nusername=ada\r\n"],
  ["a chunk", "Transfer-Encoding: chunked\r\n\r\nff\r\nusername=ada"],
] as const) {
  test(`a write whose body ends before its end (${how}) is not recorded, and its connection is closed`, async (t) => {
    const { balancer, nodes } = await startCluster(t, 1);
    const connection = await connectTo(t, Number(new URL(balancer.url).port));
    connection.send(`POST /register HTTP/1.1\r\nHost: x\r\n${FORM}${body}`);
    connection.socket.end();
    await connection.waitClosed();
    assert.doesNotMatch(connection.received, /HTTP\/1\.1 2/);
    assert.deepEqual([(await balancer.status()).head, nodes[0]?.heads.length], [0, 0]);
  });

  test(`a read whose body ends before its end (${how}) is cut off at the node, too`, async (t) => {
    const { balancer, nodes } = await startCluster(t, 1);
    const connection = await connectTo(t, Number(new URL(balancer.url).port));
    connection.send(`GET /x HTTP/1.1\r\nHost: x\r\n${body}`);
    await until(() => nodes[0]?.begun === 1, { what: "the read to arrive" });
    connection.socket.end();
    await connection.waitClosed();
    await until(() => nodes[0]?.cut === 1, { what: "the node's connection to be cut" });
    assert.deepEqual([nodes[0]?.log.length, connection.received], [0, ""]);
    assert.deepEqual((await balancer.node("app1")).readErrors, 0);
  });
}
