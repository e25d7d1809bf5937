import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { grafanaFiles } from "../../grafana/files.ts";

const ROOT = join(import.meta.dirname, "../..");

for (const [file, text] of Object.entries(grafanaFiles())) {
  test(`${file} is what \`npm run generate\` writes`, () => {
    assert.equal(readFileSync(join(ROOT, file), "utf8"), text);
  });
}

test("no generated file is left over from what is not generated any more", () => {
  const written = Object.keys(grafanaFiles()).filter((file) => file.startsWith("grafana/"));
  const there = globSync("grafana/**/*.{json,yaml,yml}", { cwd: ROOT });
  assert.deepEqual(there.toSorted(), written.toSorted());
});
