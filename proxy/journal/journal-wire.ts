/** What comes from the journal's worker, as the main thread knows it. */

import { LbError } from "../errors.ts";
import type { JournalRecord, NewRecord } from "../record.ts";
import { type ReadReply, unpack, type WireError } from "./journal-batch.ts";

/** The record that an append became. */
export function recordOf(seq: number, at: number, { route, key, request }: NewRecord): JournalRecord {
  return {
    seq,
    at,
    route,
    key,
    clientKey: clientKeyOf(request.headers),
    request,
    state: { outcome: null, setAside: false },
  };
}

/** Records as they came from the worker; their bodies are views of one buffer. */
export function recordsOf({ records, bodies }: ReadReply): JournalRecord[] {
  let at = 0;
  return records.map(([seq, recordedAt, route, key, method, length, outcome, setAside]) => {
    const { head, body } = unpack(bodies.subarray(at, at + length));
    at += length;
    const [target, headers] = head as [string, string[]];
    const request = { method, target, headers, body };
    const clientKey = clientKeyOf(headers);
    return { seq, at: recordedAt, route, key, clientKey, request, state: { outcome, setAside } };
  });
}

function clientKeyOf(headers: readonly string[]): string | null {
  const at = headers.findIndex((name, i) => i % 2 === 0 && name.toLowerCase() === "idempotency-key");
  return at === -1 ? null : (headers[at + 1] ?? null);
}

/** An LbError that came from the worker. */
export function fromWire({ code, detail, cause }: WireError): LbError {
  return new LbError(code, detail, cause ? { cause } : {});
}

/** What a closed journal says. */
export function closedError(): LbError {
  return new LbError("journal_failed", "the journal is closed");
}

/** The worker is gone, and did not say why. */
export function crashed(cause: unknown): LbError {
  return new LbError("journal_failed", "the journal's thread ended unexpectedly", { cause });
}
