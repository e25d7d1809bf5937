import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { ANSIBLE, ansibleVenv } from "../lab/venv.ts";

function lint(
  program: string,
  ...args: readonly string[]
): { readonly status: number | null; readonly output: string } {
  const bin = join(ansibleVenv(), "bin");
  const { status, stdout, stderr } = spawnSync(join(bin, program), [...args], {
    cwd: ANSIBLE,
    encoding: "utf8",
    env: { ...process.env, PATH: `${bin}:${process.env.PATH}`, NO_COLOR: "1" },
  });
  return { status, output: stdout + stderr };
}

test("ansible-lint has nothing to say, by its strictest profile", () => {
  const { status, output } = lint("ansible-lint", "--offline", "--profile=production");
  assert.equal(status, 0, output);
  assert.match(output, /Passed: 0 failure\(s\)/);
});

test("yamllint has nothing to say", () => {
  const { status, output } = lint("yamllint", "--strict", ".");
  assert.deepEqual([status, output], [0, ""]);
});
