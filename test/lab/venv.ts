/** The pinned Ansible and its linters, in a Python environment of their own. */

import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { run } from "./network.ts";

export const ANSIBLE = join(dirname(dirname(import.meta.dirname)), "ansible");

const MAKE = `
test ! -e "$1/whole" || exit 0
rm -rf "$1"
python3 -m venv "$1"
"$1/bin/pip" install --quiet -r "$2"
touch "$1/whole"`;

/** Its path; made when there is none yet with these versions. */
export function ansibleVenv(): string {
  const versions = ["requirements.txt", "requirements-test.txt"].map((name) =>
    readFileSync(join(ANSIBLE, name)),
  );
  const digest = createHash("sha256").update(Buffer.concat(versions)).digest("hex").slice(0, 12);
  const venv = `/var/cache/lbctl-lab/venv-${digest}`;
  const whole = join(venv, "whole");
  if (existsSync(whole)) return venv;
  mkdirSync(dirname(venv), { recursive: true, mode: 0o755 });
  // Under a lock: it cannot be made elsewhere and moved, since its programs know its path, and two may want it at once.
  run("flock", `${venv}.lock`, "sh", "-e", "-c", MAKE, "sh", venv, join(ANSIBLE, "requirements-test.txt"));
  return venv;
}
