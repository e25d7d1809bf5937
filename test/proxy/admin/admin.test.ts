import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { join } from "node:path";
import { test } from "node:test";
import type { TLSSocket } from "node:tls";
import { AdminServer } from "../../../proxy/admin/admin.ts";
import { CHALLENGE } from "../../../proxy/admin/admin-auth.ts";
import type { NodeStatus, Problem, Status } from "../../../proxy/api.ts";
import { makeCertificate } from "../../support/certificate.ts";
import { tempFolder } from "../../support/temp-folder.ts";
import { until } from "../../support/wait.ts";
import { basic, FakeControl, node, PASSWORDS, startAdmin } from "./fake-control.ts";

async function problemOf(response: Response): Promise<Problem> {
  assert.equal(response.headers.get("content-type"), "application/problem+json");
  return (await response.json()) as Problem;
}

async function assertProblem(response: Response, status: number, code: string): Promise<Problem> {
  const problem = await problemOf(response);
  assert.deepEqual({ status: response.status, code: problem.code }, { status, code });
  return problem;
}

test("GET /api/status gives what the balancer says", async (t) => {
  const { call } = await startAdmin(t);
  const response = await call("/api/status");
  assert.equal(response.status, 200);
  assert.equal(response.headers.get("content-type"), "application/json");
  const status = (await response.json()) as Status;
  assert.equal(status.cluster, "default");
  assert.deepEqual(
    status.nodes.map(({ name, state }) => `${name} ${state}`),
    ["app1 in-sync", "app2 in-sync", "app3 in-sync"],
  );
});

test("HEAD is GET without the body", async (t) => {
  const { call } = await startAdmin(t);
  const response = await call("/api/status", { method: "HEAD" });
  assert.equal(response.status, 200);
  assert.ok(Number(response.headers.get("content-length")) > 100);
  assert.equal(await response.text(), "");
});

test("drain, ready and maint change the node and give its status", async (t) => {
  const { call, control } = await startAdmin(t);
  for (const [action, state] of [
    ["drain", "draining"],
    ["maint", "maint"],
    ["ready", "catching-up"],
  ]) {
    const response = await call(`/api/nodes/app2/${action}`, { method: "POST" });
    assert.equal(response.status, 200);
    assert.equal(((await response.json()) as NodeStatus).state, state);
  }
  assert.deepEqual(control.calls, [
    ["drain", "app2", false],
    ["maint", "app2", false],
    ["ready", "app2", false],
  ]);
});

test("a node that nobody knows is 404 with the code unknown_node", async (t) => {
  const { call } = await startAdmin(t);
  const response = await call("/api/nodes/app9/drain", { method: "POST" });
  const problem = await assertProblem(response, 404, "unknown_node");
  assert.match(problem.detail, /app9/);
});

test("the last in-sync node is drained by force only", async (t) => {
  const { call, control } = await startAdmin(t, { control: new FakeControl([node("app1")]) });
  await assertProblem(await call("/api/nodes/app1/drain", { method: "POST" }), 409, "last_in_sync");
  assert.equal(control.nodes[0]?.state, "in-sync");
  assert.equal((await call("/api/nodes/app1/drain?force=1", { method: "POST" })).status, 200);
  assert.equal(control.nodes[0]?.state, "draining");
});

test("resync hands on its options, and done comes after", async (t) => {
  const { call, control } = await startAdmin(t);
  const init = { method: "POST", headers: { "content-type": "application/json" } };
  const started = await call("/api/nodes/app2/resync", { ...init, body: '{"from":"app1","manual":true}' });
  assert.equal(started.status, 202);
  assert.equal((await call("/api/nodes/app2/resync", { method: "POST" })).status, 202);
  assert.equal((await call("/api/nodes/app2/resync/done", { method: "POST" })).status, 200);
  assert.deepEqual(control.calls, [
    ["resync", "app2", { from: "app1", manual: true }],
    ["resync", "app2", {}],
    ["resyncDone", "app2"],
  ]);
});

test("writes are listed, shown, retried and skipped by their number", async (t) => {
  const { call, control } = await startAdmin(t);
  assert.equal((await call("/api/writes")).status, 200);
  assert.equal((await call("/api/writes?pending=1&limit=5")).status, 200);
  assert.equal(((await (await call("/api/writes/7")).json()) as { seq: number }).seq, 7);
  assert.equal((await call("/api/writes/7/retry", { method: "POST" })).status, 200);
  assert.equal((await call("/api/writes/8/skip", { method: "POST" })).status, 200);
  await assertProblem(await call("/api/writes/101"), 404, "unknown_write");
  assert.deepEqual(control.calls, [
    ["writes", false, 100],
    ["writes", true, 5],
    ["write", 7],
    ["retryWrite", 7],
    ["skipWrite", 8],
    ["write", 101],
  ]);
});

test("verify reports the digest of every node", async (t) => {
  const { call } = await startAdmin(t);
  const response = await call("/api/verify", { method: "POST" });
  assert.equal(((await response.json()) as { equal: boolean }).equal, true);
});

test("metrics come in the format that the scraper asks for", async (t) => {
  const { call, metrics } = await startAdmin(t);
  metrics.readDone("one-2", 200, 0.001);
  const response = await call("/metrics", { as: "viewer" });
  assert.equal(response.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  assert.match(await response.text(), /^lb_requests_total\{route="one-2",class="2xx"\} 1$/m);
  const open = await call("/metrics", { headers: { accept: "application/openmetrics-text" } });
  assert.match(open.headers.get("content-type") ?? "", /^application\/openmetrics-text; version=1\.0\.0;/);
  assert.match(await open.text(), /\n# EOF\n$/);
});

test("healthz and readyz are open, and readyz says when too few nodes are in-sync", async (t) => {
  const { call, control } = await startAdmin(t);
  assert.equal((await call("/healthz", { as: null })).status, 200);
  assert.deepEqual(await (await call("/readyz", { as: null })).json(), { ok: true });
  control.ready_ = false;
  const response = await call("/readyz", { as: null });
  assert.equal(response.status, 503);
  assert.deepEqual(await response.json(), { ok: false });
  assert.equal((await call("/healthz", { as: null })).status, 200);
});

// Who may do what

const CLOSED = [
  "/",
  "/metrics",
  "/api/status",
  "/api/writes",
  "/stats.js",
  "/stats.css",
  "/api/history",
  "/api/stream",
  "/;csv",
  "/nodes/app1/drain",
  "/no/such/path",
];

test("everything but healthz and readyz needs user and password, also what doesn't exist", async (t) => {
  const { call } = await startAdmin(t);
  for (const path of CLOSED) {
    const response = await call(path, { as: null });
    assert.equal(response.headers.get("www-authenticate"), CHALLENGE, path);
    await assertProblem(response, 401, "unauthorized");
  }
});

test("without credentials nothing is changed", async (t) => {
  const { call, control } = await startAdmin(t);
  await assertProblem(await call("/api/nodes/app1/drain", { as: null, method: "POST" }), 401, "unauthorized");
  await assertProblem(await call("/nodes/app1/drain", { as: null, method: "POST" }), 401, "unauthorized");
  assert.deepEqual(control.calls, []);
});

test("a wrong password is refused and logged with the address, and the password is in neither", async (t) => {
  const { call, logged } = await startAdmin(t);
  const authorization = `Basic ${Buffer.from("admin:wrong-guess").toString("base64")}`;
  const response = await call("/api/status", { headers: { authorization } });
  assert.equal(response.headers.get("connection"), "close");
  await assertProblem(response, 401, "unauthorized");
  assert.deepEqual(
    logged.map(({ msg, client }) => ({ msg, client })),
    [{ msg: "sign-in failed", client: "127.0.0.1" }],
  );
  assert.ok(!JSON.stringify(logged).includes("wrong-guess"));
});

test("whoever guesses a lot waits, and the right password never does", async (t) => {
  const { call } = await startAdmin(t);
  const guess = () => call("/api/status", { headers: { authorization: "Basic YTpi" } });
  for (let index = 0; index < 6; index++) await guess();
  const startedAt = performance.now();
  const waiting = guess().then(() => performance.now() - startedAt);
  const right = call("/api/status").then(
    (response) => [response.status, performance.now() - startedAt] as const,
  );
  const [status, took] = await right;
  assert.equal(status, 200);
  const waited = await waiting;
  assert.ok(waited >= 750, `${waited} ms`);
  assert.ok(took < waited, `${took} ms`);
});

test("the viewer sees everything and changes nothing", async (t) => {
  const { call, control } = await startAdmin(t);
  for (const path of ["/", "/api/status", "/metrics", "/api/writes/7"]) {
    assert.equal((await call(path, { as: "viewer" })).status, 200, path);
  }
  control.calls.length = 0;
  for (const path of [
    "/api/nodes/app1/drain",
    "/nodes/app1/drain",
    "/api/writes/7/skip",
    "/api/verify",
    "/api/status",
  ]) {
    const response = await call(path, { as: "viewer", method: "POST" });
    assert.equal(response.status, 403, path);
    if (path.startsWith("/api/"))
      assert.equal(((await response.json()) as { code: string }).code, "forbidden");
  }
  assert.deepEqual(control.calls, []);
});

const FOREIGN: Record<string, Record<string, string>> = {
  "marked cross-site": { "sec-fetch-site": "cross-site" },
  "marked same-site, which another port is": { "sec-fetch-site": "same-site" },
  "with another origin": { origin: "http://evil.example" },
  "with an origin that begins like ours": { origin: "http://127.0.0.1:1" },
  "with an opaque origin": { origin: "null" },
  "with our host under a scheme that is no website's": { origin: "app://SELF" },
  "marked as none, with another origin": { "sec-fetch-site": "none", origin: "http://evil.example" },
  "marked same-origin, with another origin": {
    "sec-fetch-site": "same-origin",
    origin: "http://evil.example",
  },
};
for (const [what, headers] of Object.entries(FOREIGN)) {
  test(`a call with the right password ${what} changes nothing`, async (t) => {
    const { control, url } = await startAdmin(t);
    const sent = Object.fromEntries(
      Object.entries(headers).map(([name, value]) => [name, value.replace("SELF", new URL(url).host)]),
    );
    const { status, code } = await answerOf(url, "POST", "/api/nodes/app1/drain", {
      authorization: basic("admin"),
      ...sent,
    });
    assert.deepEqual([status, code], [403, "cross_site"]);
    assert.deepEqual(control.calls, []);
  });
}

test("our own page's calls go through, and so do those of clients that are no browsers", async (t) => {
  const { control, url } = await startAdmin(t);
  const authorization = basic("admin");
  const own = { "sec-fetch-site": "same-origin", origin: url };
  assert.equal(await raw(url, "POST", "/api/nodes/app1/drain", { authorization, ...own }), 200);
  assert.equal(await raw(url, "POST", "/api/nodes/app1/ready", { authorization }), 200);
  const throughProxy = { origin: url.replace("http:", "https:") };
  assert.equal(await raw(url, "POST", "/api/nodes/app1/drain", { authorization, ...throughProxy }), 200);
  assert.equal(control.calls.length, 3);
});

test("a foreign name that points to a loopback listener is refused (DNS rebinding)", async (t) => {
  const { url } = await startAdmin(t);
  const authorization = basic("admin");
  const refused = await answerOf(url, "GET", "/api/status", { authorization, host: "evil.example" });
  assert.deepEqual([refused.status, refused.code], [421, "wrong_host"]);
  assert.equal(
    await raw(url, "GET", "/api/status", { authorization, host: "evil.localhost.example:1936" }),
    421,
  );
  for (const host of ["localhost:1936", "lb.localhost", "127.0.0.1", "[::1]:1936"]) {
    assert.equal(await raw(url, "GET", "/api/status", { authorization, host }), 200, host);
  }
  assert.equal(await raw(url, "GET", "/healthz", { host: "evil.example" }), 200, "probes go by any name");
});

test("each change is in the log with its user and outcome, without its query", async (t) => {
  const { call, logged } = await startAdmin(t);
  await call("/api/nodes/app1/drain?force=1", { method: "POST" });
  await call("/api/nodes/app9/drain", { method: "POST" });
  await call("/api/nodes/app1/drain", { method: "POST", as: "viewer" });
  await call("/api/status");
  const told = logged.map(({ msg, user, action, status, client }) => ({ msg, user, action, status, client }));
  const line = { msg: "admin", user: "admin", client: "127.0.0.1" };
  assert.deepEqual(told, [
    { ...line, action: "/api/nodes/app1/drain", status: 200 },
    { ...line, action: "/api/nodes/app9/drain", status: 404 },
    { ...line, user: "guest", action: "/api/nodes/app1/drain", status: 403 },
  ]);
});

test("no answer lets another site frame it, run scripts in it or guess its type", async (t) => {
  const { call } = await startAdmin(t);
  for (const path of ["/", "/api/status", "/stats.js", "/healthz", "/no/such/path"]) {
    const { headers } = await call(path);
    assert.match(
      headers.get("content-security-policy") ?? "",
      /^default-src 'none'; script-src 'self'; /,
      path,
    );
    assert.match(headers.get("content-security-policy") ?? "", /frame-ancestors 'none'/);
    assert.doesNotMatch(headers.get("content-security-policy") ?? "", /unsafe/);
    assert.equal(headers.get("x-content-type-options"), "nosniff");
    assert.equal(headers.get("cache-control"), "no-store");
    assert.equal(headers.get("access-control-allow-origin"), null);
  }
});

// What can be wrong with a call

const JSON_TYPE = { "content-type": "application/json" };
const BAD: readonly (readonly [string, string, string, RequestInit, number, string])[] = [
  ["a path that isn't there", "GET", "/api/nope", {}, 404, "unknown_path"],
  ["a path with another case", "GET", "/API/status", {}, 404, "unknown_path"],
  ["a path with a slash too many", "GET", "/api/status/", {}, 404, "unknown_path"],
  ["a method that the path doesn't take", "DELETE", "/api/status", {}, 405, "method_not_allowed"],
  ["GET of a call that changes something", "GET", "/api/nodes/app1/drain", {}, 405, "method_not_allowed"],
  ["a force that is neither yes nor no", "POST", "/api/nodes/app1/drain?force=maybe", {}, 400, "bad_request"],
  ["an empty force", "POST", "/api/nodes/app1/drain?force=", {}, 400, "bad_request"],
  ["a node name that can't be decoded", "POST", "/api/nodes/%ff/drain", {}, 404, "unknown_node"],
  [
    "a node name out of a browser's console",
    "POST",
    "/api/nodes/%3Cscript%3E/drain",
    {},
    404,
    "unknown_node",
  ],
  ["a seq that is no number", "GET", "/api/writes/abc", {}, 400, "bad_request"],
  ["seq 0", "GET", "/api/writes/0", {}, 400, "bad_request"],
  ["a negative seq", "GET", "/api/writes/-1", {}, 400, "bad_request"],
  ["a seq beyond all numbers", "GET", "/api/writes/99999999999999999999", {}, 400, "bad_request"],
  ["a limit of 0", "GET", "/api/writes?limit=0", {}, 400, "bad_request"],
  ["a limit that is too large", "GET", "/api/writes?limit=1001", {}, 400, "bad_request"],
  ["a limit that is no number", "GET", "/api/writes?limit=ten", {}, 400, "bad_request"],
  [
    "a body that is no JSON",
    "POST",
    "/api/nodes/app1/resync",
    { body: "{from: app1}", headers: JSON_TYPE },
    400,
    "bad_request",
  ],
  ["a body of another type", "POST", "/api/nodes/app1/resync", { body: "from=app1" }, 400, "bad_request"],
  [
    "a list as body",
    "POST",
    "/api/nodes/app1/resync",
    { body: "[]", headers: JSON_TYPE },
    400,
    "bad_request",
  ],
  [
    "null as body",
    "POST",
    "/api/nodes/app1/resync",
    { body: "null", headers: JSON_TYPE },
    400,
    "bad_request",
  ],
  [
    "an unknown key",
    "POST",
    "/api/nodes/app1/resync",
    { body: '{"form":"app1"}', headers: JSON_TYPE },
    400,
    "bad_request",
  ],
  [
    "a key of another type",
    "POST",
    "/api/nodes/app1/resync",
    { body: '{"manual":"yes"}', headers: JSON_TYPE },
    400,
    "bad_request",
  ],
  [
    "a body that is too large",
    "POST",
    "/api/nodes/app1/resync",
    { body: `"${"x".repeat(17_000)}"`, headers: JSON_TYPE },
    413,
    "body_too_large",
  ],
];
for (const [what, method, path, init, status, code] of BAD) {
  test(`${what} is refused with ${status} ${code}, and changes nothing`, async (t) => {
    const { call, control } = await startAdmin(t);
    const before = JSON.stringify(control.nodes);
    const problem = await assertProblem(await call(path, { method, ...init }), status, code);
    assert.match(problem.detail, /^expected /);
    assert.equal(JSON.stringify(control.nodes), before);
  });
}

test("405 says what is allowed", async (t) => {
  const { call } = await startAdmin(t);
  const response = await call("/api/writes", { method: "PUT" });
  assert.equal(response.status, 405);
  assert.equal(response.headers.get("allow"), "GET, HEAD");
});

test("a fault of ours is 500 without its message, and in the log", async (t) => {
  const { call, control, logged } = await startAdmin(t);
  control.failWith = new TypeError("secret internals");
  const response = await call("/api/status");
  const problem = await assertProblem(response, 500, "internal_error");
  assert.ok(!JSON.stringify(problem).includes("secret internals"));
  assert.equal(logged[0]?.msg, "bug");
  control.failWith = null;
  assert.equal((await call("/api/status")).status, 200, "and the listener is still there");
});

// The listener

test("a port that is taken is said so", async (t) => {
  const { config, control, metrics, history, url } = await startAdmin(t);
  const taken = { ...config, listen: { ...config.listen, port: Number(new URL(url).port) } };
  const second = new AdminServer({ config: taken, control, metrics, history, log: logOf() });
  await assert.rejects(
    second.listen(),
    /admin\/listen: expected an address that is free, got 127\.0\.0\.1:\d+: one that is in use/,
  );
});

test("reload takes over a new password; a bad file changes nothing", async (t) => {
  const { admin, call, config } = await startAdmin(t);
  writeFileSync(config.passwordFile, "short");
  assert.throws(() => admin.reload(config), /admin\/passwordFile: expected a password of at least 8/);
  assert.equal((await call("/api/status")).status, 200);
  writeFileSync(config.passwordFile, "a new password\n");
  admin.reload(config);
  assert.equal((await call("/api/status")).status, 401);
  const authorization = `Basic ${Buffer.from("admin:a new password").toString("base64")}`;
  assert.equal((await call("/api/status", { headers: { authorization } })).status, 200);
});

test("a client that leaves before its body is there changes nothing, and is no fault", async (t) => {
  const { call, control, logged, url } = await startAdmin(t);
  const headers = {
    authorization: basic("admin"),
    "content-type": "application/json",
    "content-length": "100",
  };
  const request = httpRequest(`${url}/api/nodes/app1/resync`, { method: "POST", headers, agent: false });
  request.on("error", () => {});
  request.write("{");
  await once(request, "socket").then(([socket]) => once(socket, "connect"));
  request.destroy();
  await until(() => logged.some(({ msg }) => msg === "admin"));
  assert.deepEqual(control.calls, []);
  assert.ok(!logged.some(({ msg }) => msg === "bug"));
  assert.equal((await call("/api/status")).status, 200);
});

test("close does not wait for idle connections", async (t) => {
  const { admin, call } = await startAdmin(t);
  await (await call("/api/status")).text();
  const startedAt = performance.now();
  await admin.close();
  assert.ok(performance.now() - startedAt < 900);
});

test("a header that is too large is refused, and the listener lives on", async (t) => {
  const { call, url } = await startAdmin(t);
  assert.equal(
    await raw(url, "GET", "/api/status", { authorization: basic("admin"), "x-long": "x".repeat(17_000) }),
    431,
  );
  assert.equal((await call("/api/status")).status, 200);
});

test("with TLS the listener speaks https, and takes a renewed certificate without a restart", async (t) => {
  const folder = tempFolder(t);
  const tls = { cert: join(folder, "cert.pem"), key: join(folder, "key.pem") };
  makeCertificate(tls, "first", 2);
  const { admin, config, url } = await startAdmin(t, { tls });
  assert.equal(await subjectOf(url), "first");
  const firstExpires = admin.certificateExpiresAt ?? 0;
  makeCertificate(tls, "second", 30);
  admin.reload(config);
  assert.equal(await subjectOf(url), "second");
  assert.ok((admin.certificateExpiresAt ?? 0) > firstExpires);
});

test("no password is ever printed or logged", async (t) => {
  const { call, logged } = await startAdmin(t);
  const texts = await Promise.all(
    ["/", "/api/status", "/metrics"].map(async (path) => (await call(path)).text()),
  );
  for (const password of Object.values(PASSWORDS)) {
    assert.ok(!texts.join().includes(password));
    assert.ok(!JSON.stringify(logged).includes(password));
  }
});

function logOf(): ConstructorParameters<typeof AdminServer>[0]["log"] {
  return { bug() {}, audit() {}, signInFailed() {} } as unknown as ConstructorParameters<
    typeof AdminServer
  >[0]["log"];
}

/** With headers that `fetch` does not let through; gives the status. */
async function raw(
  url: string,
  method: string,
  path: string,
  headers: Record<string, string>,
): Promise<number> {
  return (await answerOf(url, method, path, headers)).status;
}

/** Headers as they are given, which fetch would not do; `code`: of a problem. */
function answerOf(
  url: string,
  method: string,
  path: string,
  headers: Record<string, string>,
): Promise<{ status: number; code: string | undefined }> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(url + path, { method, headers, agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (part: string) => {
        text += part;
      });
      response.on("end", () => {
        const [, code] = /"code":"(\w+)"/.exec(text) ?? [];
        resolve({ status: response.statusCode ?? 0, code });
      });
    });
    request.on("error", reject).end();
  });
}

/** Common name of the certificate that a new connection is shown. */
function subjectOf(url: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = httpsRequest(
      `${url}/healthz`,
      { rejectUnauthorized: false, agent: false },
      (response) => {
        const { subject } = (response.socket as TLSSocket).getPeerCertificate();
        response.resume().on("end", () => resolve(String(subject.CN)));
      },
    );
    request.on("error", reject).end();
  });
}
