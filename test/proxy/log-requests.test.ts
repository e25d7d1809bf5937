import assert from "node:assert/strict";
import { test } from "node:test";
import type { TestBalancer } from "../support/balancer.ts";
import { header, startCluster, writesAt } from "../support/bare-cluster.ts";
import { ask, read, register } from "../support/client.ts";
import { rawRequest } from "../support/raw-http.ts";
import { until } from "../support/wait.ts";

type Line = Readonly<Record<string, unknown>>;

function lines(balancer: TestBalancer, msg: string): Line[] {
  return balancer
    .output()
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as Line)
    .filter((line) => line.msg === msg);
}

function lineOf(balancer: TestBalancer, msg: string, more: Line): Promise<Line> {
  const fits = (line: Line) => Object.entries(more).every(([name, value]) => line[name] === value);
  return until(() => lines(balancer, msg).find(fits), { what: `a line ${msg} ${JSON.stringify(more)}` });
}

test("a read that fails at one node and succeeds at the next: a line for the leg, one for the request, one id", async (t) => {
  const { balancer, nodes } = await startCluster(t, 2);
  nodes[0]?.behave({ fault: "reset" });
  for (const id of ["read-1", "read-2"])
    await ask(balancer.url, { path: "/login?q=secret", headers: { "x-request-id": id } });
  const leg = await lineOf(balancer, "leg failed", { outcome: "reset" });
  assert.equal(leg.node, "app1");
  assert.equal(leg.attempt, 1);
  assert.equal(leg.route, "one-2");
  assert.match(String(leg.reason), /ECONNRESET|other side closed/);
  assert.ok(Number(leg.ms) >= 0);
  const request = await lineOf(balancer, "request", { id: leg.id });
  assert.deepEqual([request.status, request.node, request.path], [200, "app2", "/login"]);
  const ids = lines(balancer, "leg failed").map(({ id }) => id);
  assert.equal(new Set(ids).size, ids.length, "one line a leg");
});

test("a write that one node fails: each failed leg has the write's number, its request id and the attempt", async (t) => {
  const { balancer, nodes } = await startCluster(t, 2);
  let fails = 2;
  nodes[1]?.behave(() => (fails-- > 0 ? { status: 503 } : {}));
  await register(balancer, "ada", { "x-request-id": "write-1" });
  await balancer.settled();
  const legs = await until(() => {
    const found = lines(balancer, "leg failed");
    return found.length === 2 ? found : null;
  });
  assert.deepEqual(
    legs.map(({ node, seq, id, attempt, status, outcome }) => [node, seq, id, attempt, status, outcome]),
    [
      ["app2", 1, "write-1", 1, 503, "http_5xx"],
      ["app2", 1, "write-1", 2, 503, "http_5xx"],
    ],
  );
  assert.equal((await lineOf(balancer, "request", { id: "write-1" })).seq, 1);
  for (const arrival of nodes.flatMap(writesAt)) assert.equal(header(arrival, "x-request-id"), "write-1");
});

test("a request id that the balancer makes is the same in the log and at the node", async (t) => {
  const { balancer, nodes } = await startCluster(t, 1);
  await register(balancer, "ada");
  const request = await lineOf(balancer, "request", { seq: 1 });
  assert.match(String(request.id), /^[\w-]{8,}$/);
  assert.equal(header(writesAt(nodes[0] as never)[0], "x-request-id"), request.id);
});

test("every change of a node's state is logged, with its reason", async (t) => {
  const { balancer, nodes } = await startCluster(t, 2);
  await nodes[1]?.stop();
  const down = await lineOf(balancer, "node state", { node: "app2", to: "down" });
  assert.equal(down.from, "in-sync");
  assert.equal(down.level, 40);
  assert.match(String(down.reason), /ECONNREFUSED|refused/);
  await nodes[1]?.restart();
  await balancer.settled();
  for (const { from, to, reason } of lines(balancer, "node state")) {
    assert.ok(from !== to && String(reason).length > 3, JSON.stringify([from, to, reason]));
  }
});

test("log.sample 0: no line for reads that succeed; errors and writes have theirs; SIGHUP changes it", async (t) => {
  const { balancer, nodes, listed } = await startCluster(t, 1, { log: { sample: 0 } });
  await read(balancer);
  nodes[0]?.behave({ status: 404 });
  await read(balancer, "/missing");
  nodes[0]?.behave({});
  await register(balancer, "ada");
  await lineOf(balancer, "request", { seq: 1 });
  assert.deepEqual(
    lines(balancer, "request").map(({ status }) => status),
    [404, 200],
  );
  await balancer.reload({ nodes: listed, config: { log: { sample: 1 } } });
  await read(balancer, "/after");
  await lineOf(balancer, "request", { path: "/after" });
  const { changes } = await lineOf(balancer, "reloaded", {});
  assert.ok((changes as string[]).includes("log.sample"), String(changes));
});

test("neither query, body nor credentials come into the log, whatever fails", async (t) => {
  const { balancer, nodes } = await startCluster(t, 2);
  nodes[1]?.behave({ status: 500, body: "secret-answer", headers: { "x-a": "secret-header" } });
  nodes[0]?.behave({ fault: "half", body: "secret-answer" });
  const headers = { authorization: "Basic secret-login", cookie: "secret-cookie", "x-request-id": "night" };
  const body = "username=secret-user&password=secret-body";
  const sent = [
    ask(balancer.url, { method: "POST", path: "/register?t=secret-query", headers, body }),
    ask(balancer.url, { path: "/login?t=secret-query", headers }),
    ask(balancer.url, { method: "DELETE", path: "/login?t=secret-query", headers }),
  ];
  await Promise.allSettled(sent);
  await until(() => lines(balancer, "leg failed").length >= 3 && lines(balancer, "request").length >= 3);
  assert.doesNotMatch(balancer.output(), /secret/);
});

test("what the listener refuses has a line without credentials, too: in a target, a header, text that is no HTTP", async (t) => {
  const { balancer } = await startCluster(t, 1);
  const login = `http://ada:secret-login@127.0.0.1`;
  const refused = [
    [400, `GET ${login}/login HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`],
    [400, `GET ${login}?t=secret-query HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`],
    [400, "GET /login?t=secret-query HTTP/1.1\r\nHost: ada:secret-host@x\r\n\r\n"],
    [501, "CONNECT ada:secret-login@x:443 HTTP/1.1\r\nHost: x\r\n\r\n"],
    [400, "password=secret-body\r\n\r\n"],
  ] as const;
  const port = Number(new URL(balancer.url).port);
  for (const [status, text] of refused) assert.equal((await rawRequest(port, text)).status, status, text);
  const told = await until(() => {
    const found = lines(balancer, "request");
    return found.length === refused.length ? found : null;
  });
  assert.deepEqual(
    told.map(({ method, path, status }) => [method, path, status]),
    [
      ["GET", "", 400],
      ["GET", "", 400],
      ["GET", "/login", 400],
      ["CONNECT", "", 501],
      ["", "", 400],
    ],
  );
  assert.doesNotMatch(balancer.output(), /secret/);
});

test("a wrong password of an operator is not in the log, nor is the query of what one did", async (t) => {
  const { balancer } = await startCluster(t, 1);
  const wrong = { authorization: `Basic ${Buffer.from("admin:secret-login").toString("base64")}` };
  const headers = { ...wrong, "x-a": "secret-header" };
  assert.equal((await ask(balancer.adminUrl, { path: "/api/status?t=secret-query", headers })).status, 401);
  await balancer.admin("/api/nodes/app1/ready?t=secret-query", "POST");
  await lineOf(balancer, "sign-in failed", {});
  await lineOf(balancer, "admin", { action: "/api/nodes/app1/ready" });
  assert.doesNotMatch(balancer.output(), /secret/);
  assert.ok(!balancer.output().includes(wrong.authorization.slice("Basic ".length)));
});
