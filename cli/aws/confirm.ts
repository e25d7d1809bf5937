/** Machines cost money, and what is on them is gone with them: nothing of that without a yes. */
import { UserError } from "../errors.ts";
import type { Change, ChangeContext } from "../target.ts";
import { plural } from "../tools/format.ts";
import { renderChanges } from "../tools/render.ts";

/**
 * @param cost what a month costs then, for people
 * @throws UserError without a yes, or anybody to give it
 */
export async function confirmChanges(
  changes: readonly Change[],
  cost: string,
  { ui, yes }: ChangeContext,
): Promise<void> {
  if (yes || changes.length === 0) return;
  const question = `${renderChanges(changes)}\n\n${cost}\n\nApply ${plural(changes.length, "change")} at AWS?`;
  if (await ui.confirm(question)) return;
  throw new UserError("expected a yes, got none: nothing has changed at AWS", {
    code: "not_confirmed",
    problems: changes.map(({ action, what }) => `${action} ${what}`),
    next: ["lbctl plan   # shows what it would be", "the same command with --yes"],
  });
}
