import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { call, delivery, digest, health, login, post, register } from "./client.ts";
import { startHere } from "./server.ts";

test("a write that comes twice has its effect once, and the first answer again", async (t) => {
  const { url } = await startHere(t);
  const [first, again] = [await register(url, 1, "ann"), await register(url, 1, "ann")];
  assert.deepEqual([first.status, again.status, again.text], [201, 201, first.text]);

  const change = { username: "ann", password: "one", newPassword: "two" };
  assert.equal((await post(`${url}/changePassword`, change, delivery(2))).status, 200);
  const later = { username: "ann", password: "two", newPassword: "three" };
  assert.equal((await post(`${url}/changePassword`, later, delivery(3))).status, 200);
  assert.equal((await post(`${url}/changePassword`, change, delivery(2))).status, 200, "not 403");
  assert.equal((await login(url, "ann", "three")).status, 200);
});

test("an answer that said no is remembered, too", async (t) => {
  const { url } = await startHere(t);
  const change = { username: "ann", password: "one", newPassword: "two" };
  assert.equal((await post(`${url}/changePassword`, change, delivery(1))).status, 404);
  await register(url, 2, "ann");
  const again = await post(`${url}/changePassword`, change, delivery(1));
  assert.deepEqual([again.status, again.json?.code], [404, "user_unknown"]);
  assert.equal(again.headers.get("content-type"), "application/problem+json");
});

test("one write sent many times at once has its effect once", async (t) => {
  const { url } = await startHere(t);
  const replies = await Promise.all(Array.from({ length: 20 }, () => register(url, 1, "ann")));
  assert.deepEqual(new Set(replies.map((reply) => reply.status)), new Set([201]));
});

test("without an Idempotency-Key nothing is remembered", async (t) => {
  const { url } = await startHere(t);
  const { "idempotency-key": _, ...headers } = delivery(1);
  const fields = { username: "ann", password: "one" };
  assert.equal((await post(`${url}/register`, fields, headers)).status, 201);
  assert.equal((await post(`${url}/register`, fields, headers)).status, 409);
});

test("a client's own Idempotency-Key works without a balancer", async (t) => {
  const { url } = await startHere(t);
  const fields = { username: "ann", password: "one" };
  const headers = { "idempotency-key": "8e03978e-40d5-43dd-bc93-6894a57f9324" };
  assert.equal((await post(`${url}/register`, fields, headers)).status, 201);
  assert.equal((await post(`${url}/register`, fields, headers)).status, 201);
  assert.equal((await post(`${url}/register`, fields)).status, 409);
});

test("remembered keys survive a restart", async (t) => {
  const app = await startHere(t);
  await register(app.url, 1, "ann");
  await app.close();
  const again = await startHere(t, { data: app.data });
  assert.equal((await register(again.url, 1, "ann")).status, 201);
});

test("lb-cursor bounds the remembered keys, and a late write below it is refused with 410", async (t) => {
  const { url, data } = await startHere(t);
  for (let seq = 1; seq <= 100; seq += 1)
    await register(url, seq, `user${seq}`, { cursor: Math.max(0, seq - 5) });
  assert.equal(countKeys(data), 5);
  const late = await register(url, 95, "user95", { cursor: 94 });
  assert.deepEqual([late.status, late.json?.code], [410, "too_late"]);
  assert.equal((await register(url, 96, "user96", { cursor: 95 })).status, 201, "still remembered");
  assert.equal((await register(url, 42, "someone else")).status, 410);
  assert.equal((await digest(url)).users, 100);
});

test("without a balancer the last 10,000 keys are remembered", async (t) => {
  const { url, data } = await startHere(t);
  await post(`${url}/register`, { username: "a", password: "b" }, { "idempotency-key": "first" });
  withDatabase(data, (db) => db.exec("UPDATE journals SET lastSeq = 10000"));
  await post(`${url}/register`, { username: "c", password: "d" }, { "idempotency-key": "second" });
  assert.equal(countKeys(data), 1);
});

test("writes may come in any order: lastSeq is the highest", async (t) => {
  const { url } = await startHere(t);
  for (const seq of [3, 1, 5, 2, 4]) assert.equal((await register(url, seq, `user${seq}`)).status, 201);
  assert.equal((await health(url)).lastSeq, 5);
});

test("lastSeq counts every write that was answered, refused ones included", async (t) => {
  const { url } = await startHere(t);
  const refused = [
    () => register(url, 1, ""),
    () => post(`${url}/nowhere`, { a: "b" }, delivery(2)),
    () => post(`${url}/login`, { a: "b" }, delivery(3)),
    () => call(`${url}/register`, { method: "POST", body: "{", headers: delivery(4) }),
    () => register(url, 5, "a", { password: "x".repeat(70_000) }),
  ];
  for (const [index, request] of refused.entries()) {
    const { status } = await request();
    assert.ok(status >= 400 && status < 500);
    assert.equal((await health(url)).lastSeq, index + 1);
  }
});

test("a new journal starts its own count; late writes of the old one stay refused", async (t) => {
  const { url } = await startHere(t);
  await register(url, 50, "old", { journal: "aaa", cursor: 49 });
  assert.equal((await register(url, 1, "new", { journal: "bbb" })).status, 201);
  assert.deepEqual(await health(url).then((h) => [h.journal, h.lastSeq]), ["bbb", 1]);
  assert.equal((await register(url, 49, "late", { journal: "aaa" })).status, 410);
  assert.deepEqual(await health(url).then((h) => [h.journal, h.lastSeq]), ["bbb", 1]);
});

test("a write past the balancer leaves its lastSeq alone, and shows in the digest", async (t) => {
  const [one, two] = [await startHere(t), await startHere(t)];
  for (const { url } of [one, two]) await register(url, 1, "ann");
  assert.equal((await digest(one.url)).digest, (await digest(two.url)).digest);
  const change = { username: "ann", password: "one", newPassword: "two" };
  await post(`${two.url}/changePassword`, change);
  assert.equal((await health(two.url)).lastSeq, 1);
  assert.notEqual((await digest(one.url)).digest, (await digest(two.url)).digest);
});

test("a write that fails within leaves neither effect nor key behind", async (t) => {
  const { url, data } = await startHere(t);
  const errors = t.mock.method(console, "error", () => {});
  withDatabase(data, (db) =>
    db.exec("CREATE TRIGGER broken BEFORE INSERT ON answers BEGIN SELECT RAISE(ABORT, 'disk'); END"),
  );
  const failed = await register(url, 1, "ann");
  assert.deepEqual([failed.status, failed.json?.code], [500, "internal_error"]);
  assert.equal(errors.mock.callCount(), 1);
  assert.deepEqual(await digest(url).then((d) => [d.users, d.lastSeq]), [0, 0]);
  withDatabase(data, (db) => db.exec("DROP TRIGGER broken"));
  assert.equal((await register(url, 1, "ann")).status, 201);
});

function countKeys(data: string): number {
  return withDatabase(data, (db) => Number(db.prepare("SELECT count(*) AS n FROM answers").get()?.n));
}

function withDatabase<T>(data: string, use: (db: DatabaseSync) => T): T {
  using db = new DatabaseSync(data);
  return use(db);
}
