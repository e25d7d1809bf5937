import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

const ROOT = join(import.meta.dirname, "../..");

test("cdktf and its bindings are imported by infra/cdktf.ts alone: moving to a fork is a change of that file", () => {
  const importing = ["infra", "cli", "proxy", "app", "scripts", "test"].flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true })
      .map((name) => join(folder, String(name)))
      .filter((name) => /\.[mc]?[jt]s$/.test(name))
      .filter((name) =>
        /(?:from|import|import\(|require\()\s*["'](?:cdktf|@cdktf|constructs|cdktn|@cdktn)[/"']/.test(
          readFileSync(join(ROOT, name), "utf8"),
        ),
      ),
  );
  assert.deepEqual(importing, ["infra/cdktf.ts"]);
});
