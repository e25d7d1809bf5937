import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { configSections } from "../proxy/config/config-schema.ts";
import { ERROR_ROWS } from "../proxy/errors.ts";
import { generatedPages } from "../scripts/generate-docs.ts";

const ROOT = join(import.meta.dirname, "..");

for (const [file, text] of Object.entries(generatedPages())) {
  test(`${file} is what \`node scripts/generate-docs.ts\` writes`, () => {
    assert.equal(readFileSync(join(ROOT, file), "utf8"), text);
  });
}

test("docs/errors.md has every code", () => {
  const page = readFileSync(join(ROOT, "docs/errors.md"), "utf8");
  for (const code of Object.keys(ERROR_ROWS)) assert.ok(page.includes(`\`${code}\` |`), code);
});

test("docs/configuration.md has every key, with a default or as required, and what it means", () => {
  const page = readFileSync(join(ROOT, "docs/configuration.md"), "utf8");
  const keys = keysOf(configSections("/"), "");
  assert.ok(keys.length > 50, String(keys.length));
  for (const key of keys) {
    const row = page.split("\n").find((line) => line.startsWith(`| \`${key}\` |`));
    assert.ok(row, key);
    const cells = row.split(/(?<!\\) \| /);
    assert.equal(cells.length, 4, row);
    assert.match(cells[3] ?? "", /\w+/, row);
  }
});

interface Kind {
  readonly _zod: { readonly def: Readonly<Record<string, unknown>> };
}

/** The leaves of a zod schema, by walking it: on its own, so that the generator is not tested with itself. */
function keysOf(shape: Readonly<Record<string, unknown>>, prefix: string): string[] {
  return Object.entries(shape).flatMap(([key, kind]) => leaves(kind as Kind, `${prefix}${key}`));
}

function leaves(kind: Kind, path: string): string[] {
  const { def } = kind._zod;
  if (def.type === "object") return keysOf(def.shape as Record<string, unknown>, `${path}.`);
  if (def.type === "array") {
    const item = leaves(def.element as Kind, `${path}[]`);
    return item.length === 1 && item[0] === `${path}[]` ? [path] : [path, ...item];
  }
  if (def.type === "union") {
    const forms = (def.options as Kind[]).flatMap((option) => leaves(option, path));
    return [...new Set(forms)];
  }
  if (def.type === "pipe")
    return leaves((innerType(def.in as Kind) === "transform" ? def.out : def.in) as Kind, path);
  return def.innerType === undefined ? [path] : leaves(def.innerType as Kind, path);
}

function innerType(kind: Kind): unknown {
  return kind._zod.def.type;
}
