import type { IncomingHttpHeaders } from "node:http";
import { Refusal } from "./answer.ts";

/** Where a write stands in the order of all writes, from the headers that the balancer sends along. */
export interface Delivery {
  /** Id of the balancer's journal; "" where there is none: then this app counts for itself. */
  readonly journal: string;
  /** lb-seq; null without the header. */
  readonly seq: number | null;
  /** lb-cursor: no write up to it will come again, so their keys can be forgotten. 0: forget none. */
  readonly cursor: number;
  /** Idempotency-Key: two requests with the same one are the same write. */
  readonly key: string | null;
}

/** Every header is optional: with none of them the app is a plain server. */
export function readDelivery(headers: IncomingHttpHeaders): Delivery {
  const seq = readNumber(headers, "lb-seq");
  const cursor = readNumber(headers, "lb-cursor") ?? 0;
  const key = readKey(headers);
  return { journal: seq === null || key === null ? "" : journalOf(key, seq), seq, cursor, key };
}

/** The balancer's keys are <journal id>-<seq>. */
function journalOf(key: string, seq: number): string {
  const suffix = `-${seq}`;
  return key.endsWith(suffix) ? key.slice(0, -suffix.length) : "";
}

function readNumber(headers: IncomingHttpHeaders, name: string): number | null {
  const value = headers[name];
  if (value === undefined) return null;
  if (typeof value === "string" && /^\d{1,15}$/.test(value)) return Number(value);
  throw new Refusal(400, "bad_header", `${name}: expected one whole number, got ${JSON.stringify(value)}`);
}

/** The draft has it as a structured-field string, in quotes (RFC 8941 §3.3.3); many clients leave them out. */
function readKey(headers: IncomingHttpHeaders): string | null {
  const header = headers["idempotency-key"];
  if (header === undefined) return null;
  const text = String(header);
  const key = /^".*"$/.test(text) ? text.slice(1, -1).replace(/\\(["\\])/g, "$1") : text;
  if (key.length >= 1 && key.length <= 255) return key;
  throw new Refusal(400, "bad_header", "idempotency-key: expected 1 to 255 characters");
}
