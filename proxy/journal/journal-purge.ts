/** Dropping what nobody needs any more, oldest first, in steps short enough not to hold up a commit. */

import type { JournalLimits } from "./journal.ts";
import type { JournalStore } from "./journal-store.ts";

/** Rows stay at least as long as an Idempotency-Key is remembered. */
export type PurgeLimits = Pick<JournalLimits, "retention" | "idempotencyWindow">;

const STEP_ROWS = 500;
const STEP_BYTES = 4 * 1024 * 1024;

/** What the next step would drop: everything up to these seqs. */
export interface PurgeStep {
  readonly bodies: number | null;
  readonly rows: number | null;
}

/** Finds the next step; null when there is nothing to do. */
export function nextPurge(
  store: JournalStore,
  { retention, idempotencyWindow }: PurgeLimits,
  now: number,
): PurgeStep | null {
  if (retention === null) return null;
  const bodies = oldBodies(store, now - retention);
  const rows =
    bodies === null
      ? lastBefore(store.oldRows(STEP_ROWS), now - Math.max(retention, idempotencyWindow))
      : null;
  return bodies === null && rows === null ? null : { bodies, rows };
}

export function purge(store: JournalStore, step: PurgeStep): void {
  if (step.bodies !== null) store.dropBodies(step.bodies);
  if (step.rows !== null) store.dropRows(step.rows);
}

function oldBodies(store: JournalStore, before: number): number | null {
  const members = store.nodes().filter((node) => node.member);
  // Nobody has them yet.
  if (members.length === 0) return null;
  const acked = Math.min(...members.map((node) => node.cursor));
  const candidates = store.oldBodies(acked, STEP_ROWS);
  let bytes = 0;
  const some = candidates.filter(({ size }, i) => {
    bytes += size;
    return i === 0 || bytes <= STEP_BYTES;
  });
  return lastBefore(some, before);
}

/** The last of the leading rows that are older than `before`: a purge leaves no holes. */
function lastBefore(rows: readonly { seq: number; at: number }[], before: number): number | null {
  const young = rows.findIndex((row) => row.at >= before);
  return (young === -1 ? rows : rows.slice(0, young)).at(-1)?.seq ?? null;
}
