import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { connect } from "node:tls";
import { readTls } from "../../../proxy/config/tls-files.ts";
import { createTrafficServer } from "../../../proxy/http/http-server.ts";
import { certificateIn } from "../../support/certificate.ts";
import { rawConnect, rawRequest } from "../../support/raw-http.ts";
import { tempFolder } from "../../support/temp-folder.ts";
import { startTraffic, trafficConfig } from "../../support/traffic.ts";
import { until } from "../../support/wait.ts";

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

test("pipelined requests are carried out one after the other and answered in order", async (t) => {
  let running = 0;
  const order: string[] = [];
  const traffic = await startTraffic(t, trafficConfig(), async (request, response, { path }) => {
    running += 1;
    assert.equal(running, 1);
    for await (const _ of request);
    // The first takes longest.
    for (let turn = 0; turn < 40 - order.length * 10; turn++)
      await new Promise((resolve) => setImmediate(resolve));
    order.push(path);
    running -= 1;
    response.writeHead(200, ["Content-Length", "2"]).end(path);
  });
  const connection = await rawConnect(traffic.port);
  t.after(() => connection.end());
  connection.send(
    "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET /b HTTP/1.1\r\nHost: a\r\n\r\nGET /c HTTP/1.1\r\nHost: a\r\n\r\n",
  );
  const bodies = [await connection.answer(), await connection.answer(), await connection.answer()].map(
    ({ body }) => body,
  );
  assert.deepEqual(bodies, ["/a", "/b", "/c"]);
  assert.deepEqual(order, ["/a", "/b", "/c"]);
});

test("a flood of pipelined requests is cut off, and all answers that come are right", async (t) => {
  const traffic = await startTraffic(t);
  const connection = await rawConnect(traffic.port);
  t.after(() => connection.end());
  connection.send(GET.repeat(500));
  await connection.waitClosed();
  const answers = connection.received.split("HTTP/1.1 ").length - 1;
  assert.ok(answers >= 1 && answers <= 66, `${answers} answers`);
  assert.equal(traffic.seen.length, answers);
  assert.match(connection.received, /Connection: close/);
});

test("Expect: 100-continue: 100 comes when the handler wants the body", async (t) => {
  const traffic = await startTraffic(t);
  const connection = await rawConnect(traffic.port);
  t.after(() => connection.end());
  connection.send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
  assert.equal((await connection.answer()).status, 100);
  const answer = await connection.send("abc").answer();
  assert.equal(JSON.parse(answer.body).body, "abc");
  assert.doesNotMatch(answer.body, /100-continue/);
  assert.equal(answer.headers.connection, "keep-alive");
});

test("Expect: 100-continue: an answer without 100 closes the connection", async (t) => {
  let calls = 0;
  const traffic = await startTraffic(t, trafficConfig(), (_, response) => {
    calls += 1;
    response.writeHead(503, ["Content-Length", "0"]).end();
  });
  const connection = await rawConnect(traffic.port);
  t.after(() => connection.end());
  connection.send(
    `POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: ${GET.length}\r\n\r\n`,
  );
  const answer = await connection.answer();
  assert.equal(answer.status, 503);
  assert.equal(answer.headers.connection, "close");
  // It may be the body; it may be a request.
  connection.send(GET + GET);
  await connection.waitClosed();
  assert.equal(calls, 1);
});

test("HTTP/1.0: a chunked answer comes unchunked, ended by the connection", async (t) => {
  const traffic = await startTraffic(t, trafficConfig(), (_, response) => {
    response.writeHead(200, []);
    response.write("one");
    response.end("two");
  });
  const answer = await rawRequest(
    traffic.port,
    "GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n",
  );
  assert.equal(answer.body, "onetwo");
  assert.equal(answer.headers["transfer-encoding"], undefined);
  assert.equal(answer.headers.connection, "close");
  const modern = await rawRequest(traffic.port, GET);
  assert.equal(modern.headers["transfer-encoding"], "chunked");
  assert.equal(modern.body, "onetwo");
});

test("HTTP/1.0 with keep-alive: the connection is used again when the length is known", async (t) => {
  const traffic = await startTraffic(t);
  const connection = await rawConnect(traffic.port);
  t.after(() => connection.end());
  const request = "GET / HTTP/1.0\r\nHost: a\r\nConnection: Keep-Alive\r\n\r\n";
  for (let round = 0; round < 3; round++) {
    const answer = await connection.send(request).answer();
    assert.equal(answer.status, 200);
    assert.equal(answer.headers.connection, "keep-alive");
  }
});

test("HEAD and 304 carry fields and no body", async (t) => {
  const traffic = await startTraffic(t, trafficConfig(), (request, response) => {
    response.writeHead(request.method === "HEAD" ? 200 : 304, ["Content-Length", "5"]).end("hello");
  });
  const connection = await rawConnect(traffic.port);
  t.after(() => connection.end());
  const head = await connection.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n").answer({ head: true });
  assert.equal(head.headers["content-length"], "5");
  assert.equal((await connection.send(GET).answer()).status, 304);
  assert.equal(connection.received, "");
});

test("an answer before a large body has come in reaches the client", async (t) => {
  const traffic = await startTraffic(t, trafficConfig(), (_, response) => {
    response.shouldKeepAlive = false;
    response.writeHead(413, ["Content-Length", "2"]).end("no");
  });
  const connection = await rawConnect(traffic.port);
  t.after(() => connection.end());
  connection.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\n${"x".repeat(3_000_000)}`);
  const answer = await connection.answer();
  assert.equal(answer.status, 413);
  assert.equal(answer.body, "no");
});

test("a handler that fails: 500 without the reason, and the server lives", async (t) => {
  let calls = 0;
  const traffic = await startTraffic(t, trafficConfig(), async (_, response) => {
    calls += 1;
    if (calls === 1) throw new Error("secret");
    response.writeHead(200, ["Content-Length", "0"]).end();
  });
  const answer = await rawRequest(traffic.port, GET);
  assert.equal(answer.status, 500);
  assert.equal(JSON.parse(answer.body).code, "internal_error");
  assert.doesNotMatch(answer.body, /secret/);
  assert.equal((await rawRequest(traffic.port, GET)).status, 200);
});

test("drain: idle connections close, busy ones get their answer and Connection: close, new ones are refused", async (t) => {
  const release = Promise.withResolvers<void>();
  let begun = 0;
  const traffic = await startTraffic(t, trafficConfig(), async (_, response, { path }) => {
    begun += 1;
    if (path === "/slow") await release.promise;
    response.writeHead(200, ["Content-Length", "2"]).end("ok");
  });
  const idle = await rawConnect(traffic.port);
  const busy = await rawConnect(traffic.port);
  assert.equal((await idle.send(GET).answer()).headers.connection, "keep-alive");
  busy.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
  await until(() => begun === 2);
  assert.equal(traffic.server.connections, 2);
  const drained = traffic.server.drain(5000);
  await idle.waitClosed();
  await assert.rejects(rawConnect(traffic.port), { code: "ECONNREFUSED" });
  // Pipelined behind the last answer: not taken any more.
  busy.send(GET);
  release.resolve();
  assert.equal((await busy.answer()).headers.connection, "close");
  busy.end();
  await drained;
  assert.equal(begun, 2);
  await until(() => traffic.server.connections === 0);
});

test("drain cuts what is left after its time", async (t) => {
  const traffic = await startTraffic(t, trafficConfig(), () => {});
  const stuck = await rawConnect(traffic.port);
  stuck.send(GET);
  await until(() => traffic.server.connections === 1);
  const before = performance.now();
  await traffic.server.drain(100);
  assert.ok(performance.now() - before < 3000);
  await stuck.waitClosed();
});

test("a port in use is said with its address", async (t) => {
  const traffic = await startTraffic(t);
  const second = createTrafficServer(trafficConfig("", `listen: 127.0.0.1:${traffic.port}`), () => {}, {
    mark: "balancer2",
  });
  await assert.rejects(second.listen(), new RegExp(`127\\.0\\.0\\.1:${traffic.port}: one that is in use`));
});

test("a client that leaves while its request waits in the pipeline is forgotten", async (t) => {
  const paths: string[] = [];
  const release = Promise.withResolvers<void>();
  const traffic = await startTraffic(t, trafficConfig(), async (_, response, { path }) => {
    paths.push(path);
    await release.promise;
    response.writeHead(200, ["Content-Length", "0"]).end();
  });
  const connection = await rawConnect(traffic.port);
  connection.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n");
  await until(() => paths.length === 1);
  connection.end();
  await until(() => traffic.server.connections === 0);
  release.resolve();
  assert.equal((await rawRequest(traffic.port, GET)).status, 200);
  assert.deepEqual(paths, ["/a", "/"]);
});

test("new trusted proxies apply to connections that are open", async (t) => {
  const traffic = await startTraffic(t);
  const connection = await rawConnect(traffic.port);
  t.after(() => connection.end());
  const request = "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 9.9.9.9\r\n\r\n";
  assert.doesNotMatch((await connection.send(request).answer()).body, /9\.9\.9\.9/);
  traffic.server.configure(trafficConfig("trustedProxies: [127.0.0.1]"));
  assert.match((await connection.send(request).answer()).body, /9\.9\.9\.9, 127\.0\.0\.1/);
});

test("TLS: requests come as https; a new certificate is taken without a restart, a wrong one refused", async (t) => {
  const folder = tempFolder(t);
  const first = certificateIn(folder, "first");
  const second = certificateIn(folder, "second");
  const config = trafficConfig(
    "",
    `listen: { address: "127.0.0.1:0", tls: { cert: "${first.cert}", key: "${first.key}" } }`,
  );
  const traffic = await startTraffic(t, config);
  assert.match((await tlsGet(traffic.port)).answer, /"X-Forwarded-Proto","https"/);
  assert.equal((await tlsGet(traffic.port)).subject, "first");
  assert.throws(() => readTls({ cert: second.cert, key: first.key }, "listen/tls"));
  assert.equal((await tlsGet(traffic.port)).subject, "first");
  traffic.server.renew(readTls(second, "listen/tls"));
  assert.equal((await tlsGet(traffic.port)).subject, "second");
});

async function tlsGet(port: number): Promise<{ answer: string; subject: string | undefined }> {
  const socket = connect({ port, host: "127.0.0.1", rejectUnauthorized: false });
  await once(socket, "secureConnect");
  const subject = String(socket.getPeerCertificate().subject.CN);
  socket.write("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  let answer = "";
  for await (const chunk of socket) answer += chunk;
  return { answer, subject };
}
