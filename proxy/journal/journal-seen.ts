import type { Seen } from "./journal.ts";
import type { JournalStore } from "./journal-store.ts";

/** @param since ms since the epoch; what was recorded up to then is forgotten */
export function seenBefore(
  store: JournalStore,
  { key, fingerprint }: { readonly key: string; readonly fingerprint: string | null },
  since: number,
): Seen | null {
  const last = store.latest(key);
  if (!last || last.at <= since) return null;
  if (last.idem_print !== fingerprint) return { kind: "mismatch", seq: last.seq };
  // A 5xx is worth another try: it becomes a record of its own.
  return last.status !== null && last.status >= 500 ? null : { kind: "repeat", seq: last.seq };
}
