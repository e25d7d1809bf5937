import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { synthesize } from "../../infra/synth.ts";
import { settings } from "./stack.ts";

/** To be read in reviews: what a change of infra/ does to Terraform's configuration. stack.test.ts says what must hold. */
const SNAPSHOT = join(import.meta.dirname, "three-nodes.tf.json");

test("three nodes as Terraform gets them: three-nodes.tf.json, made by scripts/generate-aws.ts", () => {
  assert.equal(readFileSync(SNAPSHOT, "utf8"), synthesize(settings()));
});
