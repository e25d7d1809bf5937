/** The pinned Ansible and its linters, in a Python environment of their own. */

import { createHash } from "node:crypto";
import { existsSync, readFileSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { run } from "./network.ts";

export const ANSIBLE = join(dirname(dirname(import.meta.dirname)), "ansible");

/** Its path; made when there is none yet with these versions. */
export function ansibleVenv(): string {
  const versions = ["requirements.txt", "requirements-test.txt"].map((name) =>
    readFileSync(join(ANSIBLE, name)),
  );
  const digest = createHash("sha256").update(Buffer.concat(versions)).digest("hex").slice(0, 12);
  const venv = `/var/cache/lbctl-lab/venv-${digest}`;
  const whole = join(venv, "whole");
  if (existsSync(whole)) return venv;
  rmSync(venv, { recursive: true, force: true });
  run("python3", "-m", "venv", venv);
  run(join(venv, "bin/pip"), "install", "--quiet", "-r", join(ANSIBLE, "requirements-test.txt"));
  run("touch", `${whole}.new`);
  renameSync(`${whole}.new`, whole);
  return venv;
}
