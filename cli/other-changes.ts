/** A change of settings or of the build may need a restart: not what someone wants who scales under load. */
import { UserError } from "./errors.ts";
import type { Change } from "./target.ts";

/** @throws UserError where deploy would change more than the number of nodes */
export function refuseOtherChanges(changes: readonly Change[]): void {
  const others = changes.filter(({ action }) => ["change", "replace", "restart"].includes(action));
  if (others.length === 0) return;
  throw new UserError(
    "expected only the number of nodes to change, got other changes that wait for a deploy",
    {
      problems: others.map(({ action, what, detail }) => `${action} ${what}: ${detail}`),
      next: ["lbctl deploy   # applies them; then scale"],
    },
  );
}
