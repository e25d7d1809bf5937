import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { keyId, loadKey, macKeys, macOf, SEAL_OVERHEAD, Sealer } from "../../../proxy/journal/seal.ts";
import { tempFolder } from "../../support/temp-folder.ts";

const plain = Buffer.from("the password is alohomora");

test("what was sealed opens again, with this sealer and with a later one of the same key", () => {
  const key = randomBytes(32);
  const sealed = new Sealer(key).seal("row 1", plain);
  assert.equal(sealed.length, plain.length + SEAL_OVERHEAD);
  assert.equal(sealed.includes("alohomora"), false);
  assert.deepEqual(new Sealer(key).open("row 1", sealed), plain);
});

test("nothing opens as another row's", () => {
  const sealer = new Sealer(randomBytes(32));
  assert.throws(() => sealer.open("row 2", sealer.seal("row 1", plain)), { code: "journal_corrupt" });
});

test("a seal with any bit flipped does not open", () => {
  const sealer = new Sealer(randomBytes(32));
  const sealed = sealer.seal("row 1", plain);
  for (let bit = 0; bit < sealed.length * 8; bit++) {
    const flipped = Buffer.from(sealed);
    flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    assert.throws(() => sealer.open("row 1", flipped), { name: "LbError" });
  }
});

test("a seal cut short does not open", () => {
  const sealer = new Sealer(randomBytes(32));
  const sealed = sealer.seal("row 1", plain);
  for (let length = 0; length < sealed.length; length++) {
    assert.throws(() => sealer.open("row 1", sealed.subarray(0, length)), { code: "journal_corrupt" });
  }
});

test("another key is told from damage", () => {
  const sealed = new Sealer(randomBytes(32)).seal("row 1", plain);
  assert.throws(() => new Sealer(randomBytes(32)).open("row 1", sealed), { code: "journal_wrong_key" });
});

test("the same text never gives the same seal, and no nonce comes twice under one key", () => {
  const key = randomBytes(32);
  const sealers = [new Sealer(key), new Sealer(key)];
  const seals = sealers.flatMap((sealer) => Array.from({ length: 1000 }, () => sealer.seal("row 1", plain)));
  const nonces = new Set(seals.map((sealed) => sealed.toString("hex", 9, 37)));
  assert.equal(nonces.size, seals.length);
});

test("seals of more openings than are kept at hand all open", () => {
  const key = randomBytes(32);
  const seals = Array.from({ length: 150 }, () => new Sealer(key).seal("row 1", plain));
  const sealer = new Sealer(key);
  for (const sealed of [...seals, ...seals]) assert.deepEqual(sealer.open("row 1", sealed), plain);
});

test("the key file is made once, for its owner alone, and read again", (t) => {
  const file = join(tempFolder(t), "keys", "journal.key");
  assert.throws(() => loadKey(file, false), { code: "journal_wrong_key" });
  const key = loadKey(file, true);
  assert.equal(key.length, 32);
  assert.deepEqual(loadKey(file, true), key);
  assert.deepEqual(loadKey(file, false), key);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.equal(readFileSync(file, "utf8").includes(keyId(key)), false);
});

for (const text of [
  "",
  "lb-key 1 abc\n",
  `lb-key 2 ${"ab".repeat(32)}\n`,
  `lb-key 1 ${"zz".repeat(32)}\n`,
  `lb-key 1 ${"ab".repeat(33)}\n`,
]) {
  test(`a key file with ${JSON.stringify(text.slice(0, 24))} in it is refused`, (t) => {
    const file = join(tempFolder(t), "journal.key");
    writeFileSync(file, text);
    assert.throws(() => loadKey(file, true), { code: "journal_wrong_key" });
  });
}

test("each purpose has a MAC key of its own, and none of them is the master key", () => {
  const master = randomBytes(32);
  const keys = Object.values(macKeys(master)).map((key) => Buffer.from(key).toString("hex"));
  assert.equal(new Set([...keys, master.toString("hex")]).size, 4);
});

test("a MAC depends on where its parts end", () => {
  const { order } = macKeys(randomBytes(32));
  assert.equal(
    new Set([["ab", "c"], ["a", "bc"], ["abc"], ["abc", ""]].map((parts) => macOf(order, parts))).size,
    4,
  );
});
