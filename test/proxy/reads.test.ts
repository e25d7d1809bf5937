import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, request, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import { startBalancer, type TestBalancer } from "../support/balancer.ts";
import { gate, readsAt, startCluster } from "../support/bare-cluster.ts";
import { ask, read } from "../support/client.ts";
import type { TestNode } from "../support/nodes.ts";
import { rawConnect, rawRequest } from "../support/raw-http.ts";
import { until } from "../support/wait.ts";

const MIB = 1024 * 1024;

function portOf({ url }: { url: string }): number {
  return Number(new URL(url).port);
}

/** A node whose handler the test writes itself, and the balancer over it. */
async function startOver(
  t: TestContext,
  handler: (request: import("node:http").IncomingMessage, response: ServerResponse) => void,
  config: Readonly<Record<string, unknown>> = {},
): Promise<{ balancer: TestBalancer; server: Server }> {
  const server = createServer(handler).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { balancer: await startBalancer(t, { nodes: [{ name: "app1", url }], config }), server };
}

test("reads go to the in-sync nodes in turn, exactly", async (t) => {
  const { balancer, nodes } = await startCluster(t, 3);
  for (let n = 0; n < 12; n++) await read(balancer);
  assert.deepEqual(nodes.map(readsAt), [4, 4, 4]);
  await Promise.all(Array.from({ length: 30 }, () => read(balancer)));
  assert.deepEqual(nodes.map(readsAt), [14, 14, 14]);
});

test("a read that fails before the first byte is tried on the next node, and the client sees nothing of it", async (t) => {
  const { balancer, nodes } = await startCluster(t, 3, { health: { fall: 100 } });
  nodes[0]?.behave({ fault: "reset" });
  for (let n = 0; n < 9; n++) assert.equal((await read(balancer)).status, 200);
  assert.deepEqual(nodes.map(readsAt), [5, 5, 4]);
});

test("a read is an error only when every in-sync node failed it", async (t) => {
  const { balancer, nodes } = await startCluster(t, 3, { health: { fall: 100 } });
  for (const node of nodes) node.behave({ fault: "reset" });
  const { status, code } = await read(balancer);
  assert.deepEqual([status, code, nodes.map(readsAt)], [502, "all_nodes_failed", [1, 1, 1]]);
});

test("without a node in-sync a read is 503 with Retry-After", async (t) => {
  const { balancer, nodes } = await startCluster(t, 1);
  await nodes[0]?.stop();
  await balancer.reached("app1", "down");
  const { status, code, headers } = await read(balancer);
  assert.deepEqual([status, code, headers["retry-after"]], [503, "no_in_sync_node", "1"]);
});

test("an error that a node answers is its answer: it is not tried elsewhere", async (t) => {
  const { balancer, nodes } = await startCluster(t, 2, {}, { status: 503, body: "busy" });
  const { status, body } = await read(balancer);
  assert.deepEqual([status, body, nodes.map(readsAt)], [503, "busy", [1, 0]]);
});

test("after a timeout one other node is tried, and no more", async (t) => {
  const routes = [{ match: { methods: ["GET"] }, to: "one", firstByteTimeout: "700ms" }];
  const { balancer, nodes } = await startCluster(t, 3, { routes }, { fault: "hang" });
  const { status, code } = await read(balancer);
  assert.deepEqual([status, code, nodes.map(readsAt)], [504, "read_timeout", [1, 1, 0]]);
});

test("reads are tried again after a timeout only within the budget", async (t) => {
  const routes = [{ match: { methods: ["GET"] }, to: "one", firstByteTimeout: "500ms" }];
  const { balancer, nodes } = await startCluster(t, 2, { routes, limits: { retryBudget: 0 } });
  nodes[0]?.behave({ fault: "hang" });
  const statuses = [await read(balancer), await read(balancer)].map(({ status }) => status).sort();
  assert.deepEqual(statuses, [200, 504]);
});

test("the whole read has a deadline, over all attempts", async (t) => {
  const routes = [{ match: { methods: ["GET"] }, to: "one", firstByteTimeout: "3s", timeout: "4s" }];
  const { balancer } = await startCluster(t, 2, { routes }, { fault: "hang" });
  const begun = performance.now();
  assert.equal((await read(balancer)).status, 504);
  const ms = performance.now() - begun;
  assert.ok(ms >= 3980 && ms < 5950, `${ms} ms: not two whole firstByteTimeouts`);
});

test("unsafe methods are never sent twice", async (t) => {
  const routes = [{ match: { methods: ["GET", "PUT", "DELETE"] }, to: "one" }];
  const { balancer, nodes } = await startCluster(t, 3, { routes, health: { fall: 100 } }, { fault: "reset" });
  for (const method of ["PUT", "DELETE"]) {
    const before = nodes.reduce((sum, { begun }) => sum + begun, 0);
    const { status, code } = await ask(balancer.url, { method, path: "/x" });
    const sent = nodes.reduce((sum, { begun }) => sum + begun, 0) - before;
    assert.deepEqual([status, code, sent], [502, "all_nodes_failed", 1], method);
  }
});

test("a read with a body is sent with it, and not twice", async (t) => {
  const { balancer, nodes } = await startCluster(t, 2, { health: { fall: 100 } });
  assert.equal((await ask(balancer.url, { path: "/search", body: "query" })).status, 200);
  assert.deepEqual([nodes[0]?.log[0]?.body, nodes[0]?.log[0]?.headers["content-length"]], ["query", "5"]);
  for (const node of nodes) node.behave({ fault: "reset" });
  assert.equal((await ask(balancer.url, { path: "/search", body: "query" })).status, 502);
  assert.equal(
    nodes.reduce((sum, { begun }) => sum + begun, 0),
    2,
  );
});

test("a read's body over the limit is 413, whether or not it says its length", async (t) => {
  const { balancer, nodes } = await startCluster(t, 1, { limits: { readBody: "1KiB" } });
  assert.equal((await ask(balancer.url, { body: "x".repeat(1024) })).status, 200);
  const said = await ask(balancer.url, { body: "x".repeat(1025) });
  assert.deepEqual([said.status, said.code], [413, "body_too_large"]);
  const connection = await rawConnect(portOf(balancer));
  connection.send(
    `GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n400\r\n${"x".repeat(1024)}\r\n1\r\nx\r\n`,
  );
  assert.equal((await connection.answer()).status, 413);
  assert.equal(nodes[0]?.log.length, 1);
  assert.equal((await balancer.node("app1")).state, "in-sync");
});

test("a chunked body of a read reaches the node as it came", async (t) => {
  const { balancer, nodes } = await startCluster(t, 1);
  const { status } = await rawRequest(
    portOf(balancer),
    "GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
  );
  assert.deepEqual([status, nodes[0]?.log[0]?.body], [200, "abcde"]);
});

test("HEAD, 204 and 304 have no body, and the fields that the node gave", async (t) => {
  const { balancer } = await startOver(t, ({ method, url }, response) => {
    const status = url === "/204" ? 204 : url === "/304" ? 304 : 200;
    response.writeHead(status, { etag: '"e"', ...(status === 200 ? { "content-length": "5" } : {}) });
    response.end(method === "HEAD" || status !== 200 ? undefined : "hello");
  });
  const connection = await rawConnect(portOf(balancer));
  for (const [line, status, length] of [
    ["HEAD /", 200, "5"],
    ["GET /204", 204, undefined],
    ["GET /304", 304, undefined],
    ["HEAD /304", 304, undefined],
  ] as const) {
    const answer = await connection.send(`${line} HTTP/1.1\r\nHost: x\r\n\r\n`).answer({ head: true });
    assert.deepEqual(
      [line, answer.status, answer.headers["content-length"], answer.headers.etag],
      [line, status, length, '"e"'],
    );
    assert.equal(answer.headers["transfer-encoding"], undefined);
  }
  const last = await connection.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n").answer();
  assert.equal(last.body, "hello", "nothing of an answer before was left on the connection");
  connection.end();
});

test("103 early hints go on to the client, and not to one of HTTP/1.0", async (t) => {
  const { balancer } = await startOver(t, (_, response) => {
    response.writeEarlyHints({ link: "</style.css>; rel=preload" }, () => response.end("ok"));
  });
  const connection = await rawConnect(portOf(balancer));
  connection.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  const hints = await connection.answer({ head: true });
  assert.deepEqual([hints.status, hints.headers.link], [103, "</style.css>; rel=preload"]);
  assert.equal((await connection.answer()).body, "ok");
  connection.end();
  assert.equal((await rawRequest(portOf(balancer), "GET / HTTP/1.0\r\nHost: x\r\n\r\n")).status, 200);
});

test("trailers of a node's answer are dropped, its chunks are not", async (t) => {
  const { balancer } = await startOver(t, (_, response) => {
    response.writeHead(200, { trailer: "x-sum" });
    response.write("one ");
    response.addTrailers({ "x-sum": "1" });
    response.end("two");
  });
  const { body, headers, lines } = await rawRequest(portOf(balancer), "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  assert.deepEqual([body, headers.trailer], ["one two", undefined]);
  assert.ok(lines.every((line) => !/x-sum/i.test(line)));
});

test("an HTTP/1.0 client gets answers without chunks", async (t) => {
  const { balancer } = await startOver(t, ({ url }, response) => {
    if (url === "/chunked") response.write("one ");
    response.end("two");
  });
  for (const [path, body] of [
    ["/chunked", "one two"],
    ["/", "two"],
  ]) {
    const answer = await rawRequest(portOf(balancer), `GET ${path} HTTP/1.0\r\n\r\n`);
    assert.deepEqual(
      [answer.status, answer.body, answer.headers["transfer-encoding"]],
      [200, body, undefined],
    );
  }
});

test("an HTTP/1.0 client that keeps alive gets one answer after the other (ab -k)", async (t) => {
  const { balancer } = await startCluster(t, 1);
  const connection = await rawConnect(portOf(balancer));
  for (let n = 0; n < 3; n++) {
    const answer = await connection
      .send("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\nHost: x\r\n\r\n")
      .answer();
    assert.deepEqual(
      [answer.body, answer.headers.connection?.toLowerCase(), answer.headers["content-length"]],
      ["ok", "keep-alive", "2"],
    );
  }
  connection.end();
});

test("a big body comes through whole", async (t) => {
  const body = Buffer.alloc(20 * MIB, "abcdefghij");
  const { balancer } = await startCluster(t, 1, {}, { body });
  const answer = await ask(balancer.url);
  assert.ok(answer.body === body.toString());
});

test("every byte of a body arrives as it was, whether it goes out with the head or behind it", async (t) => {
  const lengths = [0, 1, 256, 16 * 1024, 16 * 1024 + 1, 70_000];
  const bodyOf = (length: number) => Buffer.from(Array.from({ length }, (_, at) => at % 256));
  const { balancer } = await startOver(t, (request, response) => {
    const [, length, how] = (request.url ?? "").split("/");
    const body = bodyOf(Number(length));
    if (how === "known") response.setHeader("Content-Length", body.byteLength).end(body);
    else for (const part of [body.subarray(0, 1), body.subarray(1)]) response.write(part);
    response.end();
  });
  await balancer.reached("app1", "in-sync");
  for (const length of lengths)
    for (const how of ["known", "chunked"]) {
      const answer = await fetch(`${balancer.url}/${length}/${how}`);
      const body = Buffer.from(await answer.arrayBuffer());
      assert.ok(body.equals(bodyOf(length)), `${length} bytes, ${how}: got ${body.byteLength}`);
    }
});

test("a slow client holds back the node, not the balancer's memory", async (t) => {
  let sent = 0;
  const chunk = Buffer.alloc(256 * 1024);
  const { balancer } = await startOver(t, (_, response) => {
    const more = () => {
      while (sent < 200 * MIB) {
        sent += chunk.length;
        if (!response.write(chunk)) return void response.once("drain", more);
      }
      response.end();
    };
    more();
  });
  const connection = await rawConnect(portOf(balancer));
  connection.socket.pause();
  connection.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  let last = -1;
  await until(async () => {
    // Unchanged over a whole round trip through the balancer: it stands still.
    const still = sent > 0 && sent === last;
    last = sent;
    await balancer.status();
    await new Promise((resolve) => setTimeout(resolve, 100));
    return still;
  });
  assert.ok(
    sent < 40 * MIB,
    `the node could send ${Math.round(sent / MIB)} MiB to a client that reads nothing`,
  );
  connection.end();
  await until(async () => (await balancer.node("app1")).inFlightReads === 0, { what: "the read to be over" });
});

test("a slow node holds back a client that sends a big body", async (t) => {
  const { balancer } = await startOver(t, (request, _) => void request.pause(), {
    limits: { readBody: "1GiB" },
  });
  const sent = request(balancer.url, { method: "GET", headers: { "content-length": String(200 * MIB) } });
  sent.on("error", () => {});
  let bytes = 0;
  const chunk = Buffer.alloc(256 * 1024);
  const more = () => {
    while (bytes < 200 * MIB) {
      bytes += chunk.length;
      if (!sent.write(chunk)) return void sent.once("drain", more);
    }
  };
  more();
  let last = -1;
  await until(async () => {
    const still = bytes === last;
    last = bytes;
    await new Promise((resolve) => setTimeout(resolve, 100));
    return still && bytes > 0;
  });
  assert.ok(bytes < 40 * MIB, `${Math.round(bytes / MIB)} MiB went into the balancer`);
  sent.destroy();
});

test("a client that leaves aborts the read at the node", async (t) => {
  const closed = Promise.withResolvers<void>();
  const { balancer } = await startOver(t, (_, response) => {
    response.once("close", closed.resolve);
  });
  const connection = await rawConnect(portOf(balancer));
  connection.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  await until(async () => (await balancer.node("app1")).inFlightReads === 1);
  connection.end();
  await closed.promise;
  const node = await until(async () => {
    const now = await balancer.node("app1");
    return now.inFlightReads === 0 ? now : null;
  });
  assert.deepEqual([node.state, node.readErrors], ["in-sync", 0], "the node is not to blame");
});

test("a client that leaves is no reason to ask another node", async (t) => {
  const { balancer, nodes } = await startCluster(t, 3, {}, { fault: "hang" });
  const connection = await rawConnect(portOf(balancer));
  connection.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  await until(() => nodes[0]?.log.length === 1);
  connection.end();
  await until(async () => (await balancer.node("app1")).inFlightReads === 0);
  assert.deepEqual(nodes.map(readsAt), [1, 0, 0]);
});

test("a node that cuts a read's body off: the client still gets an answer", async (t) => {
  const { balancer } = await startOver(
    t,
    (request) => void request.once("data", () => request.socket.resetAndDestroy()),
    { health: { fall: 100 } },
  );
  const connection = await rawConnect(portOf(balancer));
  connection.send(`GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n${"x".repeat(1000)}`);
  const { status, headers } = await connection.answer();
  assert.deepEqual([status, headers.connection], [502, "close"]);
  connection.end();
});

test("a node that breaks off in the middle of a body is noticed by the client", async (t) => {
  const { balancer, nodes } = await startCluster(t, 1, {}, { fault: "half", body: "hello world" });
  await assert.rejects(read(balancer), /aborted|socket hang up|ECONNRESET/);
  nodes[0]?.behave({});
  await balancer.reached("app1", "in-sync");
  assert.equal((await read(balancer)).status, 200);
});

test("a node that stalls in the middle of a body is cut off at the read's deadline", async (t) => {
  const routes = [{ match: { methods: ["GET"] }, to: "one", firstByteTimeout: "200ms", timeout: "500ms" }];
  const { balancer } = await startCluster(t, 1, { routes }, { fault: "stall", body: "hello world" });
  const begun = performance.now();
  await assert.rejects(read(balancer), /aborted|socket hang up|ECONNRESET/);
  assert.ok(performance.now() - begun >= 480);
});

test("a node that answers garbage is no answer: another one is asked", async (t) => {
  const { createServer: createTcpServer } = await import("node:net");
  const garbage = createTcpServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () => socket.end("HTTP/1.1 banana\r\n\r\n"));
  }).listen(0, "127.0.0.1");
  await once(garbage, "listening");
  t.after(() => void garbage.close());
  const { listed, balancer: first, nodes } = await startCluster(t, 1);
  await first.stop();
  const url = `http://127.0.0.1:${(garbage.address() as AddressInfo).port}`;
  const balancer = await startBalancer(t, { nodes: [{ name: "bad", url }, ...listed] });
  for (let n = 0; n < 4; n++) assert.equal((await read(balancer)).status, 200);
  assert.equal(readsAt(nodes[0] as TestNode), 4);
});

test("the client's deadline is not the node's: reads in flight at a node that goes down are tried elsewhere", async (t) => {
  const { balancer, nodes } = await startCluster(t, 2);
  const held = gate();
  nodes[0]?.behave(held.answers());
  const reads = Array.from({ length: 6 }, () => read(balancer));
  await until(() => nodes[0]?.log.length === 3);
  await nodes[0]?.stop();
  assert.deepEqual(
    (await Promise.all(reads)).map(({ status }) => status),
    Array(6).fill(200),
  );
});
