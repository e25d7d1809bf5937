import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { API } from "../proxy/admin/admin-api.ts";
import { ERROR_ROWS } from "../proxy/errors.ts";
import { generatedPages } from "../scripts/generate-docs.ts";
import { configKeys } from "./support/config-keys.ts";

const ROOT = join(import.meta.dirname, "..");

for (const [file, text] of Object.entries(generatedPages())) {
  test(`${file} is what \`node scripts/generate-docs.ts\` writes`, () => {
    assert.equal(readFileSync(join(ROOT, file), "utf8"), text);
  });
}

test("docs/operations.md has every call of the admin API, and no other", () => {
  const page = readFileSync(join(ROOT, "docs/operations.md"), "utf8");
  const listed = [...page.matchAll(/^\| `((?:GET|POST) \/\S*)` \|/gm)].map(([, call]) => call);
  assert.deepEqual(listed.toSorted(), API.map(({ method, path }) => `${method} ${path}`).toSorted());
});

test("docs/errors.md has every code", () => {
  const page = readFileSync(join(ROOT, "docs/errors.md"), "utf8");
  for (const code of Object.keys(ERROR_ROWS)) assert.ok(page.includes(`\`${code}\` |`), code);
});

test("docs/configuration.md has every key, with a default or as required, and what it means", () => {
  const page = readFileSync(join(ROOT, "docs/configuration.md"), "utf8");
  const keys = configKeys();
  assert.ok(keys.length > 50, String(keys.length));
  for (const key of keys) {
    const row = page.split("\n").find((line) => line.startsWith(`| \`${key}\` |`));
    assert.ok(row, key);
    const cells = row.split(/(?<!\\) \| /);
    assert.equal(cells.length, 5, row);
    assert.match(cells[4] ?? "", /\w+/, row);
  }
});
