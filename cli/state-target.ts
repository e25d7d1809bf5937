/** Whose a state directory is: what a target has there, and what that leads to, only that target can end. */
import { existsSync, statSync } from "node:fs";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import type { ClusterConfig } from "./cluster-config.ts";
import { errorCode, UserError } from "./errors.ts";
import { readJson, type StatePaths, statePaths, writeFileSafely } from "./state.ts";

type Whose = Pick<ClusterConfig, "dir" | "name" | "target">;

/** What Terraform leaves once something may be at AWS, wherever its state is. */
const APPLIED = ["apply.out", "terraform.tfstate", "errored.tfstate"];

/**
 * @returns gives it back, for a command that ended before anything was begun: there would be nothing to end
 * @throws UserError where another target began something there that is not ended
 */
export async function claimStateDir({ dir, name, target }: Whose): Promise<() => Promise<void>> {
  const state = statePaths(dir, name);
  const file = claimFile(state);
  const owner = await refuseOtherTarget({ dir, name, target });
  if (owner === null || !existsSync(file)) await writeFileSafely(file, `${target}\n`);
  return async () => {
    if (owner === null && (await ownerByWork(state)) === null) await rm(file, { force: true });
  };
}

/**
 * For a command that begins nothing.
 * @returns whose the directory is; null: nobody's
 * @throws UserError where it is another target's
 */
export async function refuseOtherTarget({ dir, name, target }: Whose): Promise<string | null> {
  const state = statePaths(dir, name);
  const owner = (await ownerIn(claimFile(state))) ?? (await ownerByWork(state));
  if (owner !== null && owner !== target) throw otherTarget(name, state.dir, owner, target);
  return owner;
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

/** By what is there: a mere plan of target aws leaves Terraform's folder, without any of these, or empty. */
async function ownerByWork({ dir, record }: ReturnType<typeof statePaths>): Promise<string | null> {
  const deployed = await readJson<{ readonly target?: string }>(record);
  const isApplied = APPLIED.some((name) => sizeOf(join(dir, "terraform", name)) > 0);
  return deployed?.target ?? (isApplied ? "aws" : null);
}

function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}

function claimFile({ dir }: Pick<StatePaths, "dir">): string {
  return join(dir, "target");
}
