import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { promisify } from "node:util";
import { startApp } from "../support/apps.ts";

const PAGE = readFileSync(new URL("../../docs/app-contract.md", import.meta.url), "utf8");
const skip = spawnSync("curl", ["--version"]).status === 0 ? false : "curl isn't installed";

test("the examples of docs/app-contract.md, in order, print what the page says", { skip }, async (t) => {
  const { url } = await startApp(t);
  const examples = examplesOf(PAGE);
  assert.ok(examples.length >= 10);
  for (const { command, expected } of examples) {
    const env = { ...process.env, APP: url };
    const { stdout } = await promisify(execFile)("bash", ["-c", command], { env });
    assert.match(stdout.trimEnd(), pattern(expected), command);
  }
});

/** Of each `console` block: a line with "$ ", and the lines up to the next. */
function examplesOf(page: string): { command: string; expected: string }[] {
  const blocks = [...page.matchAll(/```console\n([\s\S]*?)```/g)].map(([, block]) => block ?? "");
  return blocks.flatMap((block) =>
    block.split(/^\$ /m).flatMap((example) => {
      const [command, ...output] = example.trimEnd().split("\n");
      return command ? [{ command, expected: output.join("\n") }] : [];
    }),
  );
}

/** "…" stands for anything. */
function pattern(expected: string): RegExp {
  const literal = expected.split("…").map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${literal.join(".*")}$`);
}
