import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { findTerraform } from "../../../cli/aws/terraform.ts";
import { tempFolder } from "../../support/temp-folder.ts";

for (const [what, versions, found] of [
  ["Terraform where both are there", { terraform: "1.11.4", tofu: "1.9.0" }, "terraform 1.11.4"],
  ["OpenTofu where it is alone", { tofu: "1.6.0" }, "tofu 1.6.0"],
  ["OpenTofu where Terraform is too old", { terraform: "1.5.7", tofu: "1.10.1" }, "tofu 1.10.1"],
] as const) {
  test(`what is found: ${what}`, async (t) => {
    onPath(t, versions);
    const { program, version } = await findTerraform();
    assert.equal(`${program} ${version}`, found);
  });
}

test("neither, or one that is too old, is said", async (t) => {
  onPath(t, { tofu: "1.5.9" });
  await assert.rejects(findTerraform(), { code: "terraform_not_found", message: /got tofu 1\.5\.9$/ });
});

/** Nothing else is on PATH but the shell of these. */
function onPath(t: TestContext, versions: Readonly<Record<string, string>>): void {
  const folder = tempFolder(t);
  for (const [program, version] of Object.entries(versions)) {
    const json = JSON.stringify({ terraform_version: version });
    writeFileSync(join(folder, program), `#!/bin/sh\necho '${json}'\n`, { mode: 0o755 });
  }
  const before = process.env.PATH;
  process.env.PATH = folder;
  t.after(() => {
    process.env.PATH = before;
  });
}
