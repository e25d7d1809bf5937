import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { statSync, writeFileSync } from "node:fs";
import { type IncomingMessage, request } from "node:http";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { startApp } from "../support/apps.ts";
import { sinatraAvailable, startSinatra } from "../support/sinatra.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { until } from "../support/wait.ts";
import { call, digest, login, post, register } from "./client.ts";

const MAIN = fileURLToPath(new URL("../../app/main.ts", import.meta.url));

function run(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [MAIN, ...args], { encoding: "utf8", timeout: 20_000 });
}

for (const [name, args, expected] of [
  ["no data file", [], /--data: expected a file/],
  ["an unknown flag", ["--data", "x", "--nope"], /--nope/],
  ["a port that is none", ["--data", "x", "--port", "65536"], /--port: expected 0 to 65535, got 65536/],
  [
    "a cost that is no power of two",
    ["--data", "x", "--hash-cost", "3"],
    /--hash-cost: expected a power of two/,
  ],
  ["a cost that is too high", ["--data", "x", "--hash-cost", "262144"], /--hash-cost/],
  ["an unknown sync", ["--data", "x", "--sync", "off"], /--sync: expected normal or full, got off/],
] as const) {
  test(`${name} → exit 2, and what was expected`, () => {
    const { status, stderr, stdout } = run(...args);
    assert.deepEqual([status, stdout], [2, ""]);
    assert.match(stderr, expected);
  });
}

test("--help → exit 0", () => {
  const { status, stdout } = run("--help");
  assert.equal(status, 0);
  assert.match(stdout, /^Usage:/);
});

test("a file that isn't its own → exit 1, and the file stays as it is", (t) => {
  const folder = tempFolder(t);
  writeFileSync(`${folder}/text`, "not a database, but long enough to be taken for one".repeat(100));
  using other = new DatabaseSync(`${folder}/other`);
  other.exec("CREATE TABLE things (id INTEGER)");
  for (const [file, expected] of [
    ["text", /not a database/],
    ["other", /database of something else/],
    ["missing/folder", /ENOENT/],
  ] as const) {
    const { status, stderr } = run("--data", `${folder}/${file}`);
    assert.equal(status, 1, file);
    assert.match(stderr, expected);
  }
});

test("a port in use → exit 1, and says so", async (t) => {
  const app = await startApp(t);
  const { status, stderr } = run("--data", `${tempFolder(t)}/b`, "--port", `${app.port}`);
  assert.equal(status, 1);
  assert.match(stderr, /EADDRINUSE/);
});

test("its file can be read by its owner alone", async (t) => {
  const app = await startApp(t);
  await register(app.url, 1, "ann");
  for (const suffix of ["", "-wal", "-shm"]) {
    assert.equal(statSync(`${app.dataFile}${suffix}`).mode & 0o777, 0o600, suffix);
  }
});

test("kill -9 loses no write that was answered", async (t) => {
  const app = await startApp(t, { name: "app3" });
  let acked = 0;
  const writer = (async () => {
    for (let seq = 1; ; seq += 1) {
      await register(app.url, seq, `user${seq}`);
      acked = seq;
    }
  })().catch(() => {});
  await until(() => acked >= 50);
  await app.kill9();
  await writer;
  await app.restart();
  const { users, lastSeq } = await digest(app.url);
  assert.ok(lastSeq >= acked && users === lastSeq, `${users} users, ${lastSeq} last, ${acked} acked`);
  assert.deepEqual((await login(app.url, `user${acked}`, "one")).json, {
    username: `user${acked}`,
    node: "app3",
  });
  assert.equal((await register(app.url, lastSeq, `user${lastSeq}`)).status, 201, "its key is remembered");
});

test("SIGTERM: no new connection, the request in flight is finished, then exit 0", async (t) => {
  const app = await startApp(t);
  const body = "username=ann&password=one";
  const headers = {
    "content-type": "application/x-www-form-urlencoded",
    "content-length": body.length,
    expect: "100-continue",
  };
  const open = request(`${app.url}/register`, { method: "POST", headers });
  open.flushHeaders();
  await once(open, "continue"); // so the app has it
  const code = app.stop();
  await until(() =>
    call(`${app.url}/healthz`).then(
      () => false,
      () => true,
    ),
  );
  open.end(body);
  const [response] = (await once(open, "response")) as [IncomingMessage];
  assert.equal(response.statusCode, 201);
  response.resume();
  assert.equal(await code, 0);
});

test("SIGTERM with idle connections only: exit 0 at once", async (t) => {
  const app = await startApp(t);
  await call(`${app.url}/healthz`); // the client keeps its connection
  assert.equal(await app.stop(), 0);
});

test("stopped by SIGSTOP it answers nothing, and goes on after SIGCONT", async (t) => {
  const app = await startApp(t);
  app.sigstop();
  const waiting = call(`${app.url}/healthz`);
  await assert.rejects(call(`${app.url}/healthz`, { signal: AbortSignal.timeout(300) }));
  app.sigcont();
  assert.equal((await waiting).status, 200);
});

const sinatra = sinatraAvailable();

test("the Sinatra app answers as the brief has it", {
  skip: sinatra.ok ? false : sinatra.reason,
}, async (t) => {
  const { url } = await startSinatra(t);
  assert.equal((await post(`${url}/register`, { username: "ann", password: "one" })).status, 201);
  assert.equal((await post(`${url}/register`, { username: "ann", password: "one" })).status, 409);
  const change = { username: "ann", password: "one", newPassword: "two" };
  assert.equal((await post(`${url}/changePassword`, change)).status, 200);
  assert.equal((await post(`${url}/changePassword`, change)).status, 403);
  assert.equal((await login(url, "ann", "two")).status, 200);
  assert.equal((await login(url, "ann", "one")).status, 401);
  assert.equal((await call(`${url}/login?username=ann&password=two`)).status, 200);
});
