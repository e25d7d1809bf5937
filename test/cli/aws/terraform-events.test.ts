import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { renderProgress, TerraformEvents } from "../../../cli/aws/terraform-events.ts";

const recorded = (name: string) => readFile(join(import.meta.dirname, "recorded", name), "utf8");

test("an apply as Terraform tells it: what is at work, what is done, what failed and why", async () => {
  const events = new TerraformEvents();
  const said: string[] = [];
  for (const line of (await recorded("apply-failed.jsonl")).split("\n")) {
    if (events.take(line)) said.push(renderProgress(events.progress));
  }
  assert.deepEqual(said, [
    "0 of 3: creating terraform_data.app2",
    "0 of 3: creating terraform_data.app2, creating terraform_data.broken",
    "0 of 3: creating terraform_data.app2, creating terraform_data.broken, creating terraform_data.app1",
    "1 of 3: creating terraform_data.app2, creating terraform_data.broken",
    "1 of 3: creating terraform_data.app2, failed: terraform_data.broken",
    "1 of 3: creating terraform_data.app2 (10 s), failed: terraform_data.broken",
    "2 of 3, failed: terraform_data.broken",
  ]);
  assert.deepEqual(
    events.errors.map(({ summary, address }) => ({ summary, address })),
    [{ summary: "local-exec provisioner error", address: "terraform_data.broken" }],
  );
  assert.match(events.errors[0]?.detail ?? "", /VcpuLimitExceeded/);
});

test("lines that are not JSON, a cut line, types of later versions: passed over", () => {
  const events = new TerraformEvents();
  for (const line of [
    "│ Warning: Unable to open CLI configuration file",
    '{"type":"diag',
    '{"type":"new"}',
    "",
  ]) {
    assert.equal(events.take(line), false);
  }
  assert.deepEqual(events.errors, []);
});

test("a data source that is read while applying counts as no change", () => {
  const events = new TerraformEvents();
  const resource = { addr: "data.aws_ami.debian" };
  assert.equal(
    events.take(JSON.stringify({ type: "apply_start", hook: { resource, action: "read" } })),
    false,
  );
  assert.equal(events.progress.total, 0);
});
