/** Whose a state directory is: what a target has there, and what that leads to, only that target can end. */
import { existsSync } from "node:fs";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import type { ClusterConfig } from "./cluster-config.ts";
import { errorCode, UserError } from "./errors.ts";
import { readJson, statePaths, writeFileSafely } from "./state.ts";

/** What Terraform leaves once something may be at AWS, wherever its state is. */
const APPLIED = ["apply.out", "terraform.tfstate", "errored.tfstate"];

/**
 * @returns gives it back, for a command that ended before anything was begun: there would be nothing to end
 * @throws UserError where another target began something there that is not ended
 */
export async function claimStateDir({ dir, name, target }: ClusterConfig): Promise<() => Promise<void>> {
  const state = statePaths(dir, name);
  const file = join(state.dir, "target");
  const owner = (await ownerIn(file)) ?? (await ownerByWork(state));
  if (owner !== null && owner !== target) throw otherTarget(name, state.dir, owner, target);
  if (owner === null || !existsSync(file)) await writeFileSafely(file, `${target}\n`);
  return async () => {
    if (owner === null && (await ownerByWork(state)) === null) await rm(file, { force: true });
  };
}

/** What every command has to say where the directory is another target's. */
export function otherTarget(name: string, dir: string, owner: string, target: string): UserError {
  return new UserError(`expected cluster "${name}" on ${target}, got one on ${owner} (${dir})`, {
    code: "other_target",
    next: [
      `set target: ${owner} in lbctl.yaml again, and end that one: lbctl destroy`,
      "or choose another name: in lbctl.yaml for this one",
    ],
  });
}

async function ownerIn(file: string): Promise<string | null> {
  try {
    return (await readFile(file, "utf8")).trim();
  } catch (error) {
    if (errorCode(error) === "ENOENT") return null;
    throw error;
  }
}

/** By what is there: a mere plan of target aws leaves Terraform's folder, without any of these. */
async function ownerByWork({ dir, record }: ReturnType<typeof statePaths>): Promise<string | null> {
  const deployed = await readJson<{ readonly target?: string }>(record);
  const isApplied = APPLIED.some((name) => existsSync(join(dir, "terraform", name)));
  return deployed?.target ?? (isApplied ? "aws" : null);
}
