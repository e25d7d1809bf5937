import assert from "node:assert/strict";
import { existsSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { ensureKey } from "../../../cli/aws/ssh-key.ts";
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
