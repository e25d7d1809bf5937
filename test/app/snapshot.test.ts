import assert from "node:assert/strict";
import { request } from "node:http";
import { test } from "node:test";
import { until } from "../support/wait.ts";
import { call, digest, health, login, post, type Reply, register } from "./client.ts";
import { startHere } from "./server.ts";

function put(base: string, snapshot: string): Promise<Reply> {
  return call(`${base}/lb/snapshot`, { method: "PUT", body: snapshot });
}

async function get(base: string): Promise<string> {
  return (await call(`${base}/lb/snapshot`)).text;
}

test("a snapshot carries users, passwords, lastSeq and remembered keys, and replaces what was there", async (t) => {
  const [donor, node] = [await startHere(t), await startHere(t)];
  for (const seq of [1, 2, 3])
    await register(donor.url, seq, `user${seq}`, { password: `p${seq}`, cursor: 1 });
  await post(`${node.url}/register`, { username: "stray", password: "x" });

  const taken = await put(node.url, await get(donor.url));
  assert.deepEqual([taken.status, taken.json?.lastSeq], [200, 3]);
  assert.deepEqual(await digest(node.url), await digest(donor.url));
  assert.equal((await login(node.url, "user2", "p2")).status, 200);
  assert.equal((await login(node.url, "stray", "x")).status, 401);
  assert.equal((await register(node.url, 3, "user3")).status, 201, "remembered");
  assert.equal((await register(node.url, 1, "user1")).status, 410, "forgotten by the donor");
});

test("a state that was taken in is a new state: its id is new, and the donor's isn't", async (t) => {
  const [donor, node] = [await startHere(t), await startHere(t)];
  const before = await health(node.url);
  const taken = await put(node.url, await get(donor.url));
  const { stateId } = await health(node.url);
  assert.equal(taken.json?.stateId, stateId);
  assert.ok(![before.stateId, (await health(donor.url)).stateId].includes(stateId));
});

test("the state id stays over a restart, and a new file has a new one", async (t) => {
  const app = await startHere(t);
  const { stateId } = await health(app.url);
  await app.close();
  const again = await startHere(t, { data: app.data });
  assert.equal((await health(again.url)).stateId, stateId);
  const other = await startHere(t);
  assert.notEqual((await health(other.url)).stateId, stateId);
});

test("once its headers are out a snapshot holds what was there then, whatever is written while it streams", async (t) => {
  const [donor, node] = [await startHere(t), await startHere(t)];
  const pad = "p".repeat(100);
  for (let seq = 1; seq <= 3_000; seq += 50) {
    const batch = Array.from({ length: 50 }, (_, i) => register(donor.url, seq + i, `user${seq + i}-${pad}`));
    await Promise.all(batch);
  }
  const expected = await digest(donor.url);

  const response = await fetch(`${donor.url}/lb/snapshot`); // resolves with the headers; the body waits
  for (let seq = 3_001; seq <= 3_050; seq += 1) {
    assert.equal((await register(donor.url, seq, `late${seq}`)).status, 201);
  }
  assert.equal((await put(node.url, await response.text())).status, 200);
  assert.deepEqual(await digest(node.url), expected);
  assert.equal((await digest(donor.url)).users, 3_050);
});

test("a client that leaves in the middle of a snapshot stops nothing", async (t) => {
  const donor = await startHere(t);
  for (let seq = 1; seq <= 200; seq += 1) await register(donor.url, seq, `user${seq}`);
  const response = await fetch(`${donor.url}/lb/snapshot`);
  await response.body?.cancel();
  assert.equal((await register(donor.url, 201, "after")).status, 201);
  assert.equal((await get(donor.url)).match(/^\["users"/gm)?.length, 201);
});

test("a snapshot that is cut off anywhere changes nothing", async (t) => {
  const [donor, node] = [await startHere(t), await startHere(t)];
  for (const seq of [1, 2]) await register(donor.url, seq, `user${seq}`);
  await register(node.url, 7, "mine");
  const before = [await digest(node.url), await health(node.url)];
  const snapshot = await get(donor.url);
  for (let length = 0; length < snapshot.length; length += 7) {
    const reply = await put(node.url, snapshot.slice(0, length));
    assert.deepEqual([reply.status, reply.json?.code], [400, "bad_snapshot"], `cut at ${length}`);
  }
  assert.deepEqual([await digest(node.url), await health(node.url)], before);
});

const SPOILED: readonly [name: string, spoil: (snapshot: string) => string][] = [
  ["a changed name", (s) => s.replace("user2", "user3")],
  ["a changed seq", (s) => s.replace(",2]", ",9]")],
  ["a missing row", (s) => s.replace(/^\["users",\["user1.*\n/m, "")],
  ["rows after the end", (s) => `${s}["users",["x","y",1]]\n`],
  ["another kind of header", (s) => s.replace('{"lbctl-app":1}', '{"lbctl-app":2}')],
  ["no JSON", () => "hello\n"],
  ["an unknown table", (s) => s.replace('["users"', '["admins"')],
  ["a null", (s) => s.replace(/\["user1",/, "[null,")],
  ["a line that never ends", () => "x".repeat(3 * 1024 * 1024)],
  ["nothing", () => ""],
];

for (const [name, spoil] of SPOILED) {
  test(`a snapshot with ${name} is refused and changes nothing`, async (t) => {
    const node = await startHere(t);
    for (const seq of [1, 2]) await register(node.url, seq, `user${seq}`);
    const before = [await digest(node.url), await health(node.url)];
    const reply = await put(node.url, spoil(await get(node.url)));
    assert.deepEqual([reply.status, reply.json?.code], [400, "bad_snapshot"], reply.text);
    assert.deepEqual([await digest(node.url), await health(node.url)], before);
    assert.equal((await register(node.url, 3, "user3")).status, 201);
  });
}

test("while a snapshot comes in: logins see the old state, writes get 503, and leaving undoes all", async (t) => {
  const node = await startHere(t);
  await register(node.url, 1, "ann");
  const sender = request(`${node.url}/lb/snapshot`, { method: "PUT" });
  sender.on("error", () => {}); // it is broken off below
  sender.write('{"lbctl-app":1}\n');
  const refused = await until(async () => {
    const reply = await post(`${node.url}/register`, { username: `x${Math.random()}`, password: "p" });
    return reply.status === 503 ? reply : null;
  });
  assert.deepEqual([refused.json?.code, refused.headers.get("retry-after")], ["importing", "1"]);
  assert.equal((await login(node.url, "ann", "one")).status, 200);
  assert.equal((await put(node.url, "x")).status, 503);

  sender.destroy();
  await until(async () => (await register(node.url, 2, "ben")).status === 201);
  assert.equal((await login(node.url, "ann", "one")).status, 200);
});
