/** checkov and moto, pinned, in a venv of their own below the user's cache; made once for each list of versions. */
import { execFile, execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const exec = promisify(execFile);

const REQUIREMENTS = join(import.meta.dirname, "requirements.txt");

/** Why there can be none here; false: there can. */
export const NO_PYTHON = isThere("python3") ? false : "python3 is not installed";

/** @returns its bin folder */
export async function venv(): Promise<string> {
  const cache = process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache");
  const versions = createHash("sha256").update(readFileSync(REQUIREMENTS)).digest("hex").slice(0, 12);
  const dir = join(cache, "lbctl-test", `venv-${versions}`);
  if (existsSync(join(dir, "complete"))) return join(dir, "bin");
  await rm(dir, { recursive: true, force: true });
  await mkdir(join(cache, "lbctl-test"), { recursive: true });
  await exec("python3", ["-m", "venv", dir]);
  const install = [
    "install",
    "--quiet",
    "--disable-pip-version-check",
    "--no-compile",
    "--no-deps",
    "-r",
    REQUIREMENTS,
  ];
  await exec(join(dir, "bin/pip"), install, { maxBuffer: 16 * 1024 ** 2 });
  await mkdir(join(dir, "completing"));
  // Only now, so that one that was cut off is made anew.
  await rename(join(dir, "completing"), join(dir, "complete"));
  return join(dir, "bin");
}

function isThere(program: string): boolean {
  try {
    execFileSync(program, ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}
