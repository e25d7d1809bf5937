import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { test } from "node:test";
import { tempFolder } from "../../support/temp-folder.ts";
import { runLbctl } from "../lbctl.ts";

const SECRETS = {
  AWS_ACCESS_KEY_ID: "AKIAEXAMPLE7",
  AWS_SECRET_ACCESS_KEY: "wJalrXUt",
  AWS_SESSION_TOKEN: "FwoGZX",
};

test("credentials of the environment are neither printed nor kept, only the profile's name is", async (t) => {
  const dir = tempFolder(t);
  await writeFile(join(dir, "lbctl.yaml"), "target: aws\naws: { profile: ops }\n");
  const PATH = [join(import.meta.dirname, "stand-in"), process.env.PATH].join(delimiter);
  const texts = new Map<string, string>();
  for (const command of [
    ["plan"],
    ["plan", "--json"],
    ["deploy", "--json"],
    ["doctor"],
    ["doctor", "--json"],
  ]) {
    const { stdout, stderr } = await runLbctl(dir, command, { env: { PATH, ...SECRETS } });
    texts.set(command.join(" "), stdout + stderr);
  }
  for (const name of readdirSync(dir, { recursive: true }).map(String)) {
    if (statSync(join(dir, name)).isFile()) texts.set(name, readFileSync(join(dir, name), "utf8"));
  }
  const configuration = texts.get(".lbctl/default/terraform/main.tf.json") ?? "";
  assert.match(configuration, /"profile": "ops"/);
  for (const [where, text] of texts) {
    for (const [name, secret] of Object.entries(SECRETS)) {
      assert.ok(!text.includes(secret), `${name} in ${where}`);
    }
  }
});
