import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { copyFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { tempFolder } from "./support/temp-folder.ts";

const ROOT = dirname(import.meta.dirname);

test("no import runs round in a ring", () => {
  const { status, output } = rings(ROOT);
  assert.equal(status, 0, output);
});

test("a ring of types alone is refused, and each import in it named", (t) => {
  const { status, output } = rings(
    project(t, {
      "a.ts": 'import type { B } from "./b.ts";\nexport type A = { readonly b: B };\n',
      "b.ts": 'import type { C } from "./c.ts";\nexport type B = C | null;\n',
      "c.ts": 'import type { A } from "./a.ts";\nexport type C = A | null;\n',
      "outside.ts": 'import type { A } from "./a.ts";\nexport type Outside = A | null;\n',
    }),
  );
  assert.equal(status, 1, output);
  for (const name of ["a.ts:1", "b.ts:1", "c.ts:1"]) assert.ok(output.includes(name), output);
  assert.ok(!output.includes("outside.ts"), output);
});

test("a ring through an import at run time is refused, too", (t) => {
  const { status, output } = rings(
    project(t, {
      "a.ts": 'export const a = async () => (await import("./b.ts")).b;\n',
      "b.ts": 'import { a } from "./a.ts";\nexport const b = a;\n',
    }),
  );
  assert.equal(status, 1, output);
  assert.ok(output.includes("imports a.ts") || output.includes("resolves to a.ts"), output);
});

/** What the linter says of import rings in a folder, with the repo's own settings. */
function rings(folder: string): { readonly status: number | null; readonly output: string } {
  const { status, stdout, stderr } = spawnSync(
    join(ROOT, "node_modules/.bin/biome"),
    [
      "lint",
      ".",
      "--colors=off",
      "--vcs-enabled=false",
      "--only=suspicious/noImportCycles",
      "--max-diagnostics=none",
    ],
    { cwd: folder, encoding: "utf8" },
  );
  return { status, output: stdout + stderr };
}

/** A folder with these files and the repo's biome.json; removed when the test ends. */
function project(t: TestContext, files: Readonly<Record<string, string>>): string {
  const folder = tempFolder(t);
  copyFileSync(join(ROOT, "biome.json"), join(folder, "biome.json"));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return folder;
}
