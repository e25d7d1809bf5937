import assert from "node:assert/strict";
import { connect } from "node:net";
import { test } from "node:test";
import { until } from "../support/wait.ts";
import { call, delivery, digest, health, login, post } from "./client.ts";
import { startHere } from "./server.ts";

test("as a plain server: register, log in, change the password, log in with the new one only", async (t) => {
  const { url } = await startHere(t, { name: "app7" });
  const registered = await post(`${url}/register`, { username: "ann", password: "one" });
  assert.deepEqual([registered.status, registered.json], [201, { username: "ann" }]);
  const changed = await post(`${url}/changePassword`, {
    username: "ann",
    password: "one",
    newPassword: "two",
  });
  assert.deepEqual([changed.status, changed.json], [200, { username: "ann" }]);
  assert.deepEqual((await login(url, "ann", "two")).json, { username: "ann", node: "app7" });
  assert.equal((await login(url, "ann", "one")).status, 401);
});

test("JSON does what a form does", async (t) => {
  const { url } = await startHere(t);
  const init = { method: "POST", headers: { "content-type": "application/json; charset=utf-8" } };
  const body = JSON.stringify({ username: "ben", password: "ü: & =" });
  assert.equal((await call(`${url}/register`, { ...init, body })).status, 201);
  assert.equal((await login(url, "ben", "ü: & =")).status, 200);
});

test("user names are compared exactly: case and Unicode forms are other users", async (t) => {
  const { url } = await startHere(t);
  for (const username of ["Zoé", "zoé", "Zoe\u0301"]) {
    assert.equal((await post(`${url}/register`, { username, password: "p" })).status, 201, username);
  }
  assert.equal((await post(`${url}/register`, { username: "Zoé", password: "p" })).status, 409);
  assert.equal((await digest(url)).users, 3);
});

test("answers that say no", async (t) => {
  const { url } = await startHere(t);
  await post(`${url}/register`, { username: "ann", password: "one" });
  const change = { username: "ann", password: "wrong", newPassword: "x" };
  const cases = [
    [await post(`${url}/register`, { username: "ann", password: "x" }), 409, "user_taken"],
    [await post(`${url}/changePassword`, change), 403, "wrong_password"],
    [await post(`${url}/changePassword`, { ...change, username: "nobody" }), 404, "user_unknown"],
    [await login(url, "ann", "wrong"), 401, "login_failed"],
    [await login(url, "nobody", "one"), 401, "login_failed"],
    [await call(`${url}/login`), 401, "login_failed"],
    [await call(`${url}/login`, { headers: { authorization: "Bearer abc" } }), 401, "login_failed"],
    [await call(`${url}/register`), 405, "bad_method"],
    [await call(`${url}/login`, { method: "POST" }), 405, "bad_method"],
    [await call(`${url}/Login`), 404, "no_such_path"],
    [await call(`${url}/constructor`), 404, "no_such_path"],
  ] as const;
  for (const [reply, status, code] of cases) {
    assert.equal(reply.status, status, reply.text);
    assert.equal(reply.json?.code, code);
    assert.equal(reply.headers.get("content-type"), "application/problem+json");
  }
  assert.match(cases[3][0].headers.get("www-authenticate") ?? "", /^Basic /);
  assert.equal(cases[7][0].headers.get("allow"), "POST");
});

const FORM = "application/x-www-form-urlencoded";
const JSON_TYPE = "application/json";
const BAD_BODIES: readonly [
  name: string,
  type: string | null,
  body: string | Buffer,
  status: number,
  code: string,
][] = [
  ["no content type", null, Buffer.from("username=a&password=b"), 415, "bad_content_type"],
  ["text/plain", "text/plain", "username=a&password=b", 415, "bad_content_type"],
  ["multipart", "multipart/form-data; boundary=x", "--x--", 415, "bad_content_type"],
  ["nothing at all", FORM, "", 400, "bad_field"],
  ["no password", FORM, "username=a", 400, "bad_field"],
  ["empty password", FORM, "username=a&password=", 400, "bad_field"],
  ["empty user", FORM, "username=&password=b", 400, "bad_field"],
  ["user twice", FORM, "username=a&username=b&password=c", 400, "bad_field"],
  ["user too long", FORM, `username=${"a".repeat(129)}&password=b`, 400, "bad_field"],
  ["password too long", FORM, `username=a&password=${"b".repeat(1025)}`, 400, "bad_field"],
  ["colon in user", FORM, "username=a%3Ab&password=c", 400, "bad_field"],
  ["newline in user", FORM, "username=a%0Ab&password=c", 400, "bad_field"],
  ["NUL in user", FORM, "username=a%00&password=c", 400, "bad_field"],
  ["form that isn't UTF-8 once decoded", FORM, "username=a%E9&password=c", 400, "bad_field"],
  ["form that isn't UTF-8", FORM, Buffer.from("username=\xe9&password=c", "latin1"), 400, "bad_encoding"],
  ["JSON that isn't UTF-8", JSON_TYPE, Buffer.from('{"username":"\xe9"}', "latin1"), 400, "bad_encoding"],
  ["half a surrogate pair", JSON_TYPE, '{"username":"\\ud800","password":"b"}', 400, "bad_field"],
  ["JSON cut off", JSON_TYPE, '{"username":"a","passw', 400, "bad_json"],
  ["empty JSON", JSON_TYPE, "", 400, "bad_json"],
  ["JSON array", JSON_TYPE, '["a","b"]', 400, "bad_json"],
  ["JSON null", JSON_TYPE, "null", 400, "bad_json"],
  ["user is a number", JSON_TYPE, '{"username":1,"password":"b"}', 400, "bad_field"],
  ["user is an object", JSON_TYPE, '{"username":{"a":1},"password":"b"}', 400, "bad_field"],
  ["fields from the prototype", JSON_TYPE, '{"__proto__":{"username":"a","password":"b"}}', 400, "bad_field"],
  [
    "too large by one byte",
    FORM,
    `username=a&password=b&x=${"y".repeat(65_536 - 23)}`,
    413,
    "body_too_large",
  ],
];

for (const [name, type, body, status, code] of BAD_BODIES) {
  test(`bad body: ${name} → ${status}, and nothing is written`, async (t) => {
    const { url } = await startHere(t);
    const headers: Record<string, string> = type === null ? {} : { "content-type": type };
    const reply = await call(`${url}/register`, {
      method: "POST",
      headers,
      body: typeof body === "string" ? body : new Uint8Array(body),
    });
    assert.deepEqual([reply.status, reply.json?.code], [status, code], reply.text);
    assert.equal((await digest(url)).users, 0);
  });
}

test("an encoded body → 415", async (t) => {
  const { url } = await startHere(t);
  const reply = await post(
    `${url}/register`,
    { username: "a", password: "b" },
    { "content-encoding": "gzip" },
  );
  assert.deepEqual([reply.status, reply.json?.code], [415, "bad_content_encoding"]);
});

test("a body of exactly the limit is read", async (t) => {
  const { url } = await startHere(t);
  const body = `username=a&password=b&x=${"y".repeat(65_536 - 24)}`;
  const reply = await call(`${url}/register`, { method: "POST", headers: { "content-type": FORM }, body });
  assert.equal(reply.status, 201, reply.text);
});

test("an error about a body never quotes it", async (t) => {
  const { url } = await startHere(t);
  const init = { method: "POST", headers: { "content-type": JSON_TYPE }, body: '{"password": hunter2' };
  assert.doesNotMatch((await call(`${url}/register`, init)).text, /hunter2/);
});

for (const [name, value] of [
  ["lb-seq", "-1"],
  ["lb-seq", "x"],
  ["lb-cursor", "1.5"],
  ["idempotency-key", "k".repeat(256)],
] as const) {
  test(`bad header ${name}: ${value.slice(0, 5)} → 400, and nothing is written`, async (t) => {
    const { url } = await startHere(t);
    const headers = { ...delivery(1), [name]: value };
    const reply = await post(`${url}/register`, { username: "a", password: "b" }, headers);
    assert.deepEqual([reply.status, reply.json?.code], [400, "bad_header"]);
    assert.equal((await health(url)).lastSeq, 0);
  });
}

test("a client that leaves in the middle of its body leaves nothing behind, and the app goes on", async (t) => {
  const { url } = await startHere(t);
  const socket = connect(Number(new URL(url).port), "127.0.0.1");
  socket.write(
    `POST /register HTTP/1.1\r\nHost: a\r\nContent-Type: ${FORM}\r\nContent-Length: 21\r\n\r\nusername=a`,
  );
  await until(() => socket.bytesWritten > 0);
  socket.destroy();
  assert.equal((await post(`${url}/register`, { username: "a", password: "b" })).status, 201);
});

test("HEAD gets the headers alone", async (t) => {
  const { url } = await startHere(t);
  for (const path of ["/healthz", "/lb/digest", "/lb/snapshot"]) {
    const reply = await call(`${url}${path}`, { method: "HEAD" });
    assert.deepEqual([reply.status, reply.text], [200, ""], path);
  }
});

test("what is under /lb/ isn't there for requests that a balancer passed on", async (t) => {
  const { url } = await startHere(t);
  const headers = { "x-forwarded-for": "192.0.2.1" };
  assert.equal((await call(`${url}/lb/snapshot`, { headers })).status, 404);
  assert.equal((await call(`${url}/lb/snapshot`, { method: "PUT", headers, body: "x" })).status, 404);
  assert.equal((await call(`${url}/lb/digest`, { headers })).status, 404);
  assert.equal((await call(`${url}/healthz`, { headers })).status, 200);
});
