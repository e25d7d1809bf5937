import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";

/** A folder with a space in its name; removed when the test ends, whatever still writes into it. */
export function tempFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "lbctl test "));
  t.after(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  return folder;
}
