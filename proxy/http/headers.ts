/**
 * Header fields on their way through the balancer, as flat lists: name, value, name, value, …
 * Runs for every request, so that fields are told apart by length first and copied once.
 */

import { LbError } from "../errors.ts";

/** What is done with a field of a request. */
export const KEEP = 0;
/** Hop-by-hop (RFC 9110 §7.6.1), or the client's own `lb-*`. */
export const DROP = 1;
export const HOST = 2;
export const CONNECTION = 3;
export const CONTENT_LENGTH = 4;
export const TRANSFER_ENCODING = 5;
export const EXPECT = 6;
export const UPGRADE = 7;
export const REQUEST_ID = 8;
/** Says where a request came from: believed from trusted proxies alone. */
export const FORWARDED_FOR = 9;
export const FORWARDED_PROTO = 10;
export const FORWARDED_HOST = 11;
export const FORWARDED = 12;
export const FORWARDED_OTHER = 13;
/** The balancers that a request came through. */
export const VIA = 14;

/** Which of the kinds above a request's field is of. */
export function fieldKind(name: string): number {
  if (name.includes("_")) return underscored(name);
  switch (name.length) {
    case 2:
      return is(name, "te") ? DROP : KEEP;
    case 4:
      return is(name, "host") ? HOST : KEEP;
    case 6:
      if (is(name, "expect")) return EXPECT;
      if (is(name, "lb-via")) return VIA;
      break;
    case 7:
      if (is(name, "trailer")) return DROP;
      if (is(name, "upgrade")) return UPGRADE;
      break;
    case 9:
      if (is(name, "x-real-ip")) return FORWARDED_OTHER;
      if (is(name, "forwarded")) return FORWARDED;
      break;
    case 10:
      if (is(name, "connection")) return CONNECTION;
      if (is(name, "keep-alive")) return DROP;
      break;
    case 12:
      if (is(name, "x-request-id")) return REQUEST_ID;
      break;
    case 14:
      if (is(name, "content-length")) return CONTENT_LENGTH;
      if (is(name, "http2-settings")) return DROP;
      break;
    case 15:
      if (is(name, "x-forwarded-for")) return FORWARDED_FOR;
      break;
    case 16:
      if (is(name, "proxy-connection")) return DROP;
      if (is(name, "x-forwarded-host")) return FORWARDED_HOST;
      break;
    case 17:
      if (is(name, "transfer-encoding")) return TRANSFER_ENCODING;
      if (is(name, "x-forwarded-proto")) return FORWARDED_PROTO;
      break;
    case 18:
      if (is(name, "proxy-authenticate")) return DROP;
      break;
    case 19:
      if (is(name, "proxy-authorization")) return DROP;
      break;
  }
  return byPrefix(name);
}

/** The first letter tells most names apart without making a lower-case copy. `lower` may not begin with "-". */
function is(name: string, lower: string): boolean {
  return (name.charCodeAt(0) | 0x20) === lower.charCodeAt(0) && name.toLowerCase() === lower;
}

function byPrefix(name: string): number {
  const first = name.charCodeAt(0) | 0x20;
  if (first === 0x6c && /^lb-/i.test(name)) return DROP;
  if (first === 0x78 && /^x-forwarded-/i.test(name)) return FORWARDED_OTHER;
  return KEEP;
}

/**
 * CGI's naming, which Rack and WSGI use, makes X_Forwarded_For and X-Forwarded-For the same variable: a
 * field that only looks different from one that the balancer owns is dropped.
 */
function underscored(name: string): number {
  const twin = name.replaceAll("_", "-");
  const owned = fieldKind(twin) !== KEEP || /^(?:idempotency-key|content-type)$/i.test(twin);
  return owned ? DROP : KEEP;
}

/** Adds the names in a Connection field to `named`, lower-case; the connection's own options left out. */
export function connectionNames(value: string, named: Set<string>): void {
  for (const part of value.split(",")) {
    const name = part.trim().toLowerCase();
    if (name !== "" && name !== "close" && name !== "keep-alive") named.add(name);
  }
}

/** The list without the fields that Connection named. */
export function withoutNamed(headers: readonly string[], named: ReadonlySet<string>): string[] {
  const kept: string[] = [];
  for (let at = 0; at < headers.length; at += 2) {
    const name = headers[at] as string;
    if (!named.has(name.toLowerCase())) kept.push(name, headers[at + 1] as string);
  }
  return kept;
}

/** All values of a field in a flat list. `lower`: its name in lower case. */
export function fieldValues(headers: readonly string[], lower: string): string[] {
  const values: string[] = [];
  for (let at = 0; at < headers.length; at += 2) {
    const name = headers[at] as string;
    if (name.length === lower.length && name.toLowerCase() === lower) values.push(headers[at + 1] as string);
  }
  return values;
}

/** The trace that a list of fields belongs to (W3C traceparent). */
export function traceIdOf(headers: readonly string[]): string | undefined {
  return /^[\da-f]{2}-([\da-f]{32})-/.exec(fieldValues(headers, "traceparent")[0] ?? "")?.[1];
}

/** The client's Idempotency-Key, null without one. Throws idempotency_key_invalid. */
export function idempotencyKey(headers: readonly string[]): string | null {
  const [key, second] = fieldValues(headers, "idempotency-key");
  if (key === undefined) return null;
  if (second !== undefined)
    throw new LbError("idempotency_key_invalid", "expected one Idempotency-Key, got several");
  if (/^[\x21-\x7e]{1,255}$/.test(key)) return key;
  const what = key.length > 255 ? `${key.length} characters` : "an empty one or other characters";
  throw new LbError("idempotency_key_invalid", `expected 1 to 255 visible ASCII characters, got ${what}`);
}

/** Builds a client's list out of what nodes answer. Keeps the names it has seen; one per process is enough. */
export class AnswerHeaders {
  readonly #names = new Names();

  /** @param raw undici's list: name, value, name, value, … as bytes (latin1) */
  forClient(status: number, raw: readonly Buffer[]): string[] {
    const headers: string[] = [];
    // RFC 9110 §8.6: they may not tell a length.
    let named = status === 204 || status < 200 ? new Set(["content-length"]) : null;
    for (let at = 0; at + 1 < raw.length; at += 2) {
      const name = this.#names.of(raw[at] as Buffer);
      const value = raw[at + 1] as Buffer;
      if (name.kind === KEEP) headers.push(name.text, value.toString("latin1"));
      else if (name.kind === CONNECTION) {
        const options = value.toString("latin1");
        if (options === "keep-alive" || options === "close") continue;
        named ??= new Set();
        connectionNames(options, named);
      }
    }
    return named === null || named.size === 0 ? headers : withoutNamed(headers, named);
  }
}

interface Name {
  readonly bytes: Buffer;
  readonly text: string;
  readonly kind: number;
}

/** Nodes send the same few names again and again: comparing bytes costs a third of decoding them. */
class Names {
  readonly #slots: (Name | undefined)[] = new Array(256).fill(undefined);

  of(bytes: Buffer): Name {
    const length = bytes.length;
    const slot = (length * 31 + (bytes[0] ?? 0) * 7 + (bytes[length - 1] ?? 0)) & 255;
    const known = this.#slots[slot];
    if (known !== undefined && isSame(known.bytes, bytes)) return known;
    const text = bytes.toString("latin1");
    // A copy: `bytes` is a window on a socket's buffer.
    const name = { bytes: Buffer.from(bytes), text, kind: answerFieldKind(text) };
    this.#slots[slot] = name;
    return name;
  }
}

function isSame(a: Buffer, b: Buffer): boolean {
  if (a.length !== b.length) return false;
  for (let at = 0; at < a.length; at++) if (a[at] !== b[at]) return false;
  return true;
}

const ANSWER_DROPS = new Set([
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "proxy-authenticate",
  "proxy-authentication-info",
]);

/** KEEP, DROP or CONNECTION. `lb-*` is ours: an app's own would be taken for the balancer's. */
function answerFieldKind(name: string): number {
  const lower = name.toLowerCase();
  if (lower === "connection") return CONNECTION;
  return ANSWER_DROPS.has(lower) || lower.startsWith("lb-") ? DROP : KEEP;
}
