/** What comes from the journal's worker, as the main thread knows it. */

import { LbError } from "../errors.ts";
import { fieldValues } from "../http/headers.ts";
import type { JournalRecord, NewRecord } from "../record.ts";
import { type ReadReply, unpack, type WireError } from "./journal-batch.ts";

/** The record that an append became. */
export function recordOf(seq: number, at: number, { route, key, request }: NewRecord): JournalRecord {
  return {
    seq,
    at,
    route,
    key,
    ...namesIn(request.headers),
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
    return { seq, at: recordedAt, route, key, ...namesIn(headers), request, state: { outcome, setAside } };
  });
}

function namesIn(headers: readonly string[]): Pick<JournalRecord, "clientKey" | "requestId"> {
  return {
    clientKey: fieldValues(headers, "idempotency-key")[0] ?? null,
    requestId: fieldValues(headers, "x-request-id")[0] ?? null,
  };
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
