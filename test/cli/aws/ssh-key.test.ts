import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { ensureKey, knownKey } from "../../../cli/aws/ssh-key.ts";
import { UserError } from "../../../cli/errors.ts";
import { tempFolder } from "../../support/temp-folder.ts";

test("a key is made once; its public half comes from the private one where that alone was copied", async (t) => {
  const file = join(tempFolder(t), "ssh", "id_ed25519");
  const made = await ensureKey(file, "shop");
  assert.match(made, /^ssh-ed25519 \S+ lbctl-shop$/);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.equal(statSync(dirname(file)).mode & 0o777, 0o700);
  assert.equal(await ensureKey(file, "shop"), made);
  rmSync(`${file}.pub`);
  assert.deepEqual((await ensureKey(file, "shop")).split(" ").slice(0, 2), made.split(" ").slice(0, 2));
});

test("a public half alone is no key: nobody could use it, so that another one is made", async (t) => {
  const file = join(tempFolder(t), "ssh", "id_ed25519");
  const first = await ensureKey(file, "shop");
  rmSync(file);
  const second = await ensureKey(file, "shop");
  assert.notEqual(second, first);
  assert.ok(existsSync(file));
  rmSync(`${file}.pub`);
  assert.deepEqual((await ensureKey(file, "shop")).split(" ")[1], second.split(" ")[1]);
});

test("machines get the public half of the key that is here, whatever stands beside it", async (t) => {
  const file = join(tempFolder(t), "ssh", "id_ed25519");
  const made = await ensureKey(file, "shop");
  for (const other of ["", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOther of-another-key\n"]) {
    writeFileSync(`${file}.pub`, other);
    assert.equal(await ensureKey(file, "shop"), made);
    assert.equal(readFileSync(`${file}.pub`, "utf8"), `${made}\n`);
  }
  const [kind, key] = made.split(" ");
  writeFileSync(`${file}.pub`, `${kind} ${key} ada@laptop\n`);
  assert.equal(
    await ensureKey(file, "shop"),
    `${kind} ${key} ada@laptop`,
    "another comment would be another key",
  );
});

test("a copy of the key that others may read is closed again: ssh would not take it", async (t) => {
  const file = join(tempFolder(t), "ssh", "id_ed25519");
  const made = await ensureKey(file, "shop");
  chmodSync(file, 0o644);
  assert.equal(await ensureKey(file, "shop"), made);
  assert.equal(statSync(file).mode & 0o777, 0o600);
});

test("what is no private key is named, and left as it is", async (t) => {
  const file = join(tempFolder(t), "id_ed25519");
  writeFileSync(file, "no key\n");
  await assert.rejects(ensureKey(file, "shop"), (error) => {
    assert.ok(error instanceof UserError);
    assert.equal(error.code, "ssh_keygen_failed");
    assert.ok(error.problems.join().includes(file), error.problems.join());
    return true;
  });
  assert.equal(readFileSync(file, "utf8"), "no key\n");
});

test("a key with a passphrase is for an agent: its public half is what stands beside it", async (t) => {
  const file = join(tempFolder(t), "ssh", "id_ed25519");
  const made = await ensureKey(file, "shop");
  execFileSync("ssh-keygen", ["-q", "-p", "-P", "", "-N", "secret", "-f", file]);
  assert.equal(await ensureKey(file, "shop"), made);
  for (const wrong of [null, "no key\n", `${made}\n${made}\n`]) {
    if (wrong === null) rmSync(`${file}.pub`);
    else writeFileSync(`${file}.pub`, wrong);
    await assert.rejects(ensureKey(file, "shop"), { code: "ssh_keygen_failed" });
  }
  assert.equal(await knownKey(file), null);
});

test("a public half is its key's however its parts are set apart", async (t) => {
  const file = join(tempFolder(t), "ssh", "id_ed25519");
  const text = (await ensureKey(file, "shop")).replaceAll(" ", "\t ");
  writeFileSync(`${file}.pub`, `${text}\r\n`);
  assert.equal(await ensureKey(file, "shop"), text);
});
