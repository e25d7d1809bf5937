import { withoutNamed } from "./http/headers.ts";
import type { JournalRecord } from "./record.ts";

/**
 * The header list that a node gets with a record: the client's own, and what an app needs to drop repeats in
 * bounded memory (promise 9). `lb-attempt` is 1 only when certainly no byte was sent before; keys of records
 * up to `lb-cursor` may be forgotten. Idempotency-Key is a structured-field string, hence the quotes
 * (draft-ietf-httpapi-idempotency-key-header §2.1, RFC 8941 §3.3.3).
 */
export function deliveryHeaders(
  record: JournalRecord,
  { journalId, attempt, cursor }: { journalId: string; attempt: number; cursor: number },
): string[] {
  const { clientKey, request } = record;
  const added = [
    "Idempotency-Key",
    `"${journalId}-${record.seq}"`,
    "lb-seq",
    String(record.seq),
    "lb-attempt",
    String(attempt),
    "lb-cursor",
    String(cursor),
    "lb-time",
    String(record.at),
  ];
  if (clientKey === null) return request.headers.concat(added);
  return withoutNamed(request.headers, CLIENT_KEY).concat(added, "lb-client-key", clientKey);
}

/** That one may come again with another record; it goes along under a name of its own. */
const CLIENT_KEY = new Set(["idempotency-key"]);
