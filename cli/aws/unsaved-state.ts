/** A state that Terraform could not put in its place: in a file beside the configuration, and known to nobody else. */
import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { UserError } from "../errors.ts";
import { shellWord } from "../tools/format.ts";
import { runTerraform, type Terraform } from "./terraform.ts";
import { pushStateArgs, UNSAVED_STATE } from "./terraform-argv.ts";
import { terraformError, type Where } from "./terraform-errors.ts";

interface Place {
  readonly terraform: Terraform;
  readonly where: Where;
  readonly signal: AbortSignal;
}

export function isUnsaved({ dir }: Pick<Where, "dir">): boolean {
  return existsSync(join(dir, UNSAVED_STATE));
}

/** Puts it in its place, where there is one. @throws UserError where that still can't be done; it stays then */
export async function saveState({ terraform, where, signal }: Place): Promise<void> {
  if (!isUnsaved(where)) return;
  const ran = await runTerraform(terraform, where.dir, pushStateArgs(), signal);
  if (ran.code !== 0) throw stateNotSaved(where, terraformError("save the state", [], ran.stderr, where));
  await rm(join(where.dir, UNSAVED_STATE));
}

/** @param cause why it could not be saved */
export function stateNotSaved({ dir }: Pick<Where, "dir">, cause: UserError): UserError {
  const file = join(dir, UNSAVED_STATE);
  return new UserError(`expected Terraform to save its state, got none saved: it is in ${file} alone`, {
    code: "state_not_saved",
    problems: [cause.message, ...cause.problems],
    next: [
      ...cause.next.filter((step) => !step.startsWith("lbctl ")),
      `keep ${shellWord(file)}: nothing else knows what was made`,
      "the same command again, once the cause is gone: it saves that file first, and goes on",
    ],
    cause,
  });
}
