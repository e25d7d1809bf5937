import assert from "node:assert/strict";
import { rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ensureKey } from "../../../cli/aws/ssh-key.ts";
import { tempFolder } from "../../support/temp-folder.ts";

test("a key is made once; its public half comes from the private one where that alone was copied", async (t) => {
  const file = join(tempFolder(t), "ssh", "id_ed25519");
  const made = await ensureKey(file, "shop");
  assert.match(made, /^ssh-ed25519 \S+ lbctl-shop$/);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.equal(await ensureKey(file, "shop"), made);
  rmSync(`${file}.pub`);
  assert.deepEqual((await ensureKey(file, "shop")).split(" ").slice(0, 2), made.split(" ").slice(0, 2));
});
