/** The Ansible of lbctl's own, by real pip from a real index: outside the lab, whose hosts have no way out. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { Diagnosis } from "../../cli/operations/doctor.ts";
import { runLbctl } from "../cli/lbctl.ts";
import { ANSIBLE } from "../lab/venv.ts";
import { tempFolder } from "../support/temp-folder.ts";

test("doctor --fix installs the pinned Ansible for lbctl alone, and the next doctor finds it there", async (t) => {
  const dir = tempFolder(t);
  const data = join(dir, "data");
  // Nothing listens there: what is looked at is this machine.
  const nowhere = "{ address: 127.0.0.1, port: 1 }";
  writeFileSync(
    join(dir, "lbctl.yaml"),
    `target: hosts\nnodes: 1\nhosts: { balancer: ${nowhere}, apps: [{ address: 127.0.0.2, port: 1 }] }\n`,
  );
  const ansible = async (...args: readonly string[]) => {
    const env = { XDG_DATA_HOME: data, PATH: "/usr/bin:/bin", PIP_CACHE_DIR: join(dir, "pip") };
    const { stdout, stderr } = await runLbctl(dir, ["doctor", "--json", ...args], { env, timeout: 280_000 });
    const { findings } = JSON.parse(stdout || "{}") as Diagnosis;
    const found = findings?.find(({ check }) => check === "Ansible");
    assert.ok(found, stderr);
    return found;
  };
  assert.equal((await ansible()).ok, false, "none on PATH, and none of lbctl's own");
  const made = await ansible("--fix");
  assert.equal(made.ok, true, made.found);
  const [, version = "?"] =
    /ansible-core==(\S+)/.exec(readFileSync(join(ANSIBLE, "requirements.txt"), "utf8")) ?? [];
  const program = join(data, "lbctl", `ansible-core-${version}`, "bin/ansible-playbook");
  assert.equal(made.found, `${version} (${program}), just installed`);
  assert.equal((await ansible()).found, `${version} (${program})`);
  assert.match(execFileSync(program, ["--version"], { encoding: "utf8" }), new RegExp(`core ${version}`));
});
