import assert from "node:assert/strict";
import { test } from "node:test";
import { DEFAULT_COST, hashPassword, verifyPassword } from "../../app/password.ts";

test("a password is accepted and another one is not", () => {
  const stored = hashPassword("sécret", DEFAULT_COST);
  assert.equal(verifyPassword("sécret", stored), true);
  assert.equal(verifyPassword("secret", stored), false);
  assert.equal(verifyPassword("", stored), false);
});

test("the same password is stored differently each time, and never as it is", () => {
  const [one, two] = [hashPassword("hunter2", DEFAULT_COST), hashPassword("hunter2", DEFAULT_COST)];
  assert.notEqual(one, two);
  assert.doesNotMatch(one, /hunter2/);
});

test("a hash made at another cost still verifies", () => {
  assert.equal(verifyPassword("x", hashPassword("x", 1024)), true);
});

test("what is no hash accepts nothing", () => {
  for (const stored of ["", "x", "scrypt$2$$", "$$$"]) {
    assert.equal(verifyPassword("", stored === "$$$" ? "" : stored), false, JSON.stringify(stored));
  }
});

test("the default cost takes at most 0.1 ms of CPU", () => {
  const rounds = 1_000;
  for (let i = 0; i < 200; i += 1) hashPassword("warm up", DEFAULT_COST);
  const before = process.cpuUsage();
  for (let i = 0; i < rounds; i += 1) hashPassword(`password ${i}`, DEFAULT_COST);
  const { user, system } = process.cpuUsage(before);
  assert.ok((user + system) / rounds <= 100, `${(user + system) / rounds} µs each`);
});
