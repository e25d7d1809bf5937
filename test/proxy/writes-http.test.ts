import assert from "node:assert/strict";
import { test } from "node:test";
import { arrived, gate, header, startCluster, writesAt } from "../support/bare-cluster.ts";
import { ask, register } from "../support/client.ts";
import type { TestNode } from "../support/nodes.ts";
import { rawConnect, rawRequest } from "../support/raw-http.ts";
import { until } from "../support/wait.ts";

const FORM = { "content-type": "application/x-www-form-urlencoded" };

function portOf({ url }: { url: string }): number {
  return Number(new URL(url).port);
}

test("a write reaches every node with its target, body and fields, and with the balancer's own", async (t) => {
  const { balancer, nodes } = await startCluster(t, 2);
  const headers = {
    ...FORM,
    host: "app.example",
    accept: "text/plain",
    "x-custom": "1",
    "x-request-id": "r1",
  };
  const body = "username=ada&n=%00%ff";
  await ask(balancer.url, { method: "POST", path: "/register?a=b%20c", headers, body });
  for (const node of nodes) {
    const [arrival] = writesAt(node);
    assert.deepEqual([arrival?.url, arrival?.body], ["/register?a=b%20c", body]);
    const got = (name: string) => header(arrival, name);
    assert.deepEqual(["host", "accept", "x-custom", "x-request-id", "content-length"].map(got), [
      "app.example",
      "text/plain",
      "1",
      "r1",
      "21",
    ]);
    assert.deepEqual(["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"].map(got), [
      "127.0.0.1",
      "http",
      "app.example",
    ]);
    assert.deepEqual(["lb-seq", "lb-attempt", "lb-cursor", "lb-client-key"].map(got), ["1", "1", "0", ""]);
    assert.match(got("idempotency-key"), /^"[0-9a-zA-Z-]+-1"$/);
    assert.ok(Math.abs(Number(got("lb-time")) - Date.now()) < 60_000);
    assert.equal(got("connection").toLowerCase() === "close", false);
  }
});

test("lb-* fields of a client are dropped, in any spelling, but for lb-via", async (t) => {
  const { balancer, nodes } = await startCluster(t, 1);
  const forged = {
    "lb-seq": "99",
    "LB-Cursor": "98",
    "Lb-Client-Key": "x",
    "lb-anything": "1",
    lb_seq: "97",
    Lb_Attempt: "7",
  };
  await register(balancer, "ada", forged);
  const [arrival] = writesAt(nodes[0] as TestNode);
  const ours = Object.entries(arrival?.headers ?? {}).filter(([name]) => /^lb[-_]/.test(name));
  assert.deepEqual(Object.fromEntries(ours.filter(([name]) => name !== "lb-time" && name !== "lb-via")), {
    "lb-seq": "1",
    "lb-attempt": "1",
    "lb-cursor": "0",
  });
});

test("lb-* fields of a node's answer are dropped; the balancer's own go to the client", async (t) => {
  const { balancer } = await startCluster(
    t,
    1,
    {},
    { headers: { "lb-seq": "99", "lb-acks": "forged", "x-app": "1" } },
  );
  const { headers } = await register(balancer, "ada");
  assert.deepEqual([headers["lb-seq"], headers["lb-acks"], headers["x-app"]], ["1", "app1=200", "1"]);
});

test("lb-acks can be turned off", async (t) => {
  const routes = [{ match: { methods: ["POST"] }, to: "all", orderBy: "username", acksHeader: false }];
  const { balancer } = await startCluster(t, 1, { routes });
  const { headers } = await register(balancer, "ada");
  assert.deepEqual([headers["lb-seq"], headers["lb-acks"]], ["1", undefined]);
});

test("a chunked upload reaches the nodes whole, with its length", async (t) => {
  const { balancer, nodes } = await startCluster(t, 2);
  const text =
    "POST /register HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n9\r\nusername=\r\n3;ext=1\r\nada\r\n0\r\nX-Sum: 1\r\n\r\n";
  assert.equal((await rawRequest(portOf(balancer), text)).status, 200);
  for (const node of nodes) {
    const [arrival] = writesAt(node);
    assert.deepEqual(
      [
        arrival?.body,
        header(arrival, "content-length"),
        header(arrival, "transfer-encoding"),
        header(arrival, "x-sum"),
      ],
      ["username=ada", "12", "", ""],
    );
  }
});

test("a write without a body is sent with Content-Length: 0", async (t) => {
  const { balancer, nodes } = await startCluster(t, 1);
  assert.equal((await ask(balancer.url, { method: "POST", path: "/register" })).status, 200);
  assert.equal(header(writesAt(nodes[0] as TestNode)[0], "content-length"), "0");
});

test("a body of a megabyte reaches every node unchanged", async (t) => {
  const { balancer, nodes } = await startCluster(t, 2);
  const body = Buffer.alloc(1024 * 1024, "0123456789abcdef\xff", "latin1");
  assert.equal((await ask(balancer.url, { method: "POST", path: "/register", body })).status, 200);
  for (const node of nodes) assert.ok(writesAt(node)[0]?.bytes.equals(body));
});

test("Expect: 100-continue is asked for its body only when the write can be taken", async (t) => {
  const { balancer, nodes } = await startCluster(t, 1, { limits: { body: "100B" } });
  const head = (length: number) =>
    `POST /register HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: ${length}\r\n\r\n`;
  const taken = await rawConnect(portOf(balancer));
  assert.equal((await taken.send(head(12)).answer({ head: true })).status, 100);
  assert.equal((await taken.send("username=ada").answer()).status, 200);
  assert.equal(header(writesAt(nodes[0] as TestNode)[0], "expect"), "");
  taken.end();
  const tooLarge = await rawConnect(portOf(balancer));
  assert.equal((await tooLarge.send(head(101)).answer()).status, 413);
  await tooLarge.waitClosed();
  await nodes[0]?.stop();
  await balancer.reached("app1", "down");
  const refused = await rawConnect(portOf(balancer));
  assert.equal((await refused.send(head(12)).answer()).status, 503);
  await refused.waitClosed();
});

test("a client that leaves before its body is complete leaves nothing behind", async (t) => {
  const { balancer, nodes } = await startCluster(t, 1);
  for (const text of [
    "Content-Length: 100\r\n\r\nusername=ada",
    "Transfer-Encoding: chunked\r\n\r\n5\r\nusern",
  ]) {
    const connection = await rawConnect(portOf(balancer));
    connection.send(`POST /register HTTP/1.1\r\nHost: x\r\n${text}`);
    await until(async () => (await balancer.status()).routes[0]?.inFlight === 1);
    connection.end();
    await until(async () => (await balancer.status()).routes[0]?.inFlight === 0);
  }
  assert.deepEqual([(await balancer.status()).head, nodes[0]?.begun], [0, 0]);
});

test("a client that leaves once its body is complete changes nothing: the write goes to all", async (t) => {
  const { balancer, nodes } = await startCluster(t, 2, { writes: { sendTimeout: "3s", ackTimeout: "6s" } });
  const held = gate();
  nodes[0]?.behave(held.answers());
  const connection = await rawConnect(portOf(balancer));
  connection.send("POST /register HTTP/1.1\r\nHost: x\r\nContent-Length: 12\r\n\r\nusername=ada");
  await arrived(nodes[0] as TestNode, 1);
  connection.end();
  held.open();
  await balancer.settled();
  const { acks, outcome } = await balancer.write(1);
  assert.deepEqual([acks.length, outcome], [2, 200]);
  for (const node of nodes) assert.equal(writesAt(node).length, 1);
});

test("the answer's status, fields and body come from the node; hop-by-hop fields stay behind", async (t) => {
  const headers = {
    "x-app": ["1", "2"],
    "set-cookie": ["a=1", "b=2"],
    connection: "x-hop",
    "x-hop": "1",
    location: "/users/ada",
  };
  const { balancer } = await startCluster(t, 1, {}, { status: 201, body: "made", headers });
  const connection = await rawConnect(portOf(balancer));
  connection.send("POST /register HTTP/1.1\r\nHost: x\r\nContent-Length: 12\r\n\r\nusername=ada");
  const answer = await connection.answer();
  const named = (name: string) => answer.lines.filter((line) => line.toLowerCase().startsWith(`${name}:`));
  assert.deepEqual(
    [answer.status, answer.body, answer.headers["content-length"], answer.headers.location],
    [201, "made", "4", "/users/ada"],
  );
  assert.deepEqual(named("set-cookie").length, 2);
  assert.deepEqual(named("x-hop"), []);
  connection.end();
});

test("answers without a body stay without one", async (t) => {
  const { balancer } = await startCluster(t, 1, {}, { status: 204 });
  const connection = await rawConnect(portOf(balancer));
  const text = "POST /register HTTP/1.1\r\nHost: x\r\nContent-Length: 12\r\n\r\nusername=ada";
  for (let n = 0; n < 2; n++) {
    const { status, headers } = await connection.send(text).answer({ head: true });
    assert.deepEqual(
      [status, headers["content-length"], headers["transfer-encoding"]],
      [204, undefined, undefined],
    );
  }
  connection.end();
});

test("writes pipelined on one connection are carried out one after the other, in order", async (t) => {
  const { balancer, nodes } = await startCluster(t, 1);
  const connection = await rawConnect(portOf(balancer));
  const names = ["ada", "bob", "cyd", "dan"];
  const text = (name: string) =>
    `POST /register HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: ${9 + name.length}\r\n\r\nusername=${name}`;
  connection.send(names.map(text).join(""));
  for (const [index] of names.entries())
    assert.equal((await connection.answer()).headers["lb-seq"], String(index + 1));
  assert.deepEqual(
    writesAt(nodes[0] as TestNode).map(({ body }) => body),
    names.map((name) => `username=${name}`),
  );
  connection.end();
});

test("any method that a route names is a write", async (t) => {
  const routes = [
    { match: { methods: ["PUT", "PATCH", "DELETE"], prefixes: ["/users"] }, to: "all", orderBy: null },
  ];
  const { balancer, nodes } = await startCluster(t, 2, { routes });
  for (const method of ["PUT", "PATCH", "DELETE"]) {
    const { status } = await ask(balancer.url, {
      method,
      path: "/users/ada",
      ...(method === "DELETE" ? {} : { body: "x" }),
    });
    assert.equal(status, 200, method);
  }
  for (const node of nodes)
    assert.deepEqual(
      node.log.map(({ method }) => method),
      ["PUT", "PATCH", "DELETE"],
    );
});
