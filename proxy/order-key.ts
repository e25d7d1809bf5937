/**
 * The value that a write's order hangs on: a field of its form or JSON body. Writes with the same key reach
 * each node one after the other, so the comparison has to be as coarse as any app's: two spellings that one
 * app takes for the same user must not get two keys. Too coarse costs a little parallelism; too fine costs
 * order. Whatever can be read in two ways gives null, a barrier, which is always safe.
 */

import { fieldValues } from "./http/headers.ts";
import type { StoredRequest } from "./record.ts";

/** Characters of a value, and fields of a form: more would hold up the event loop, and no field to order by has them. */
const MAX_VALUE = 1024;
const MAX_FIELDS = 1000;

/** The folded value of `field` in the body, or null: the write is a barrier. */
export function orderKey(request: StoredRequest, field: string): string | null {
  if (queryNames(request.target, field)) return null;
  const text = bodyText(request);
  if (text === null) return null;
  const value = text.isJson ? jsonField(text.body, field) : formField(text.body, field);
  // What follows a NUL, and what is longer than a column, is there for some apps and not for others.
  if (value === null || value.includes("\0") || value.length > MAX_VALUE) return null;
  return fold(value);
}

/** Many frameworks merge query and form: the field in the query may win over the body's. */
function queryNames(target: string, field: string): boolean {
  const query = target.indexOf("?");
  return query >= 0 && formMatches(target.slice(query + 1), field).length > 0;
}

interface BodyText {
  readonly body: string;
  readonly isJson: boolean;
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function bodyText({ headers, body }: StoredRequest): BodyText | null {
  const [type, second] = fieldValues(headers, "content-type");
  if (type === undefined || second !== undefined) return null;
  const encodings = fieldValues(headers, "content-encoding");
  if (encodings.some((encoding) => encoding.toLowerCase() !== "identity")) return null;
  const kind = bodyKind(type);
  if (kind === null) return null;
  try {
    return { body: utf8.decode(body), isJson: kind === "json" };
  } catch {
    return null;
  }
}

const CONTENT_TYPE = /^([\w.+-]+\/[\w.+-]+)[ \t]*(?:;[ \t]*charset="?([\w-]+)"?[ \t]*)?;?$/i;

/** Any parameter other than a charset that says UTF-8 makes it doubtful what an app would read. */
function bodyKind(contentType: string): "json" | "form" | null {
  if (contentType === "application/x-www-form-urlencoded") return "form";
  if (contentType === "application/json") return "json";
  const [, type = "", charset = "utf-8"] = CONTENT_TYPE.exec(contentType.trim()) ?? [];
  if (!/^(?:utf-?8|us-ascii)$/i.test(charset)) return null;
  if (/^application\/x-www-form-urlencoded$/i.test(type)) return "form";
  return /^application\/(?:[\w.-]+\+)?json$/i.test(type) ? "json" : null;
}

// Form

function formField(body: string, field: string): string | null {
  // Older parsers split at ";", too.
  if (body.includes(";")) return null;
  const matches = formMatches(body, field);
  const [match] = matches;
  if (match === undefined || matches.length > 1) return null;
  return match.name === field ? match.value : null;
}

interface Match {
  readonly name: string | null;
  readonly value: string | null;
}

const UNREADABLE: Match = { name: null, value: null };

/** The pairs whose name some app may take for the field. */
function formMatches(form: string, field: string): Match[] {
  const matches: Match[] = [];
  const wanted = foldName(field);
  const pairs = form.split(/[&;]/, MAX_FIELDS + 1);
  if (pairs.length > MAX_FIELDS) return [UNREADABLE];
  for (const pair of pairs) {
    const equals = pair.indexOf("=");
    const name = decodeForm(equals < 0 ? pair : pair.slice(0, equals));
    if (name === null || isTaken(name, field, wanted)) {
      matches.push({ name, value: equals < 0 ? null : decodeForm(pair.slice(equals + 1)) });
    }
  }
  return matches;
}

/** Frameworks read user_name[], user.name, userName and (some) "USER NAME" as the same field. */
function isTaken(name: string, field: string, wanted: string): boolean {
  if (name === field) return true;
  const end = name.search(/[[\0]/);
  return end !== 0 && foldName(end > 0 ? name.slice(0, end) : name) === wanted;
}

function foldName(name: string): string {
  return fold(name).replace(/[._-]/g, "");
}

/** Null where it is not percent-encoded UTF-8. */
function decodeForm(text: string): string | null {
  const spaced = text.includes("+") ? text.replaceAll("+", " ") : text;
  if (!spaced.includes("%")) return spaced;
  try {
    return decodeURIComponent(spaced);
  } catch {
    return null;
  }
}

// JSON

function jsonField(body: string, field: string): string | null {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    return null;
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return null;
  const found = Object.hasOwn(value, field) ? Reflect.get(value, field) : undefined;
  if (typeof found !== "string") return null;
  // JSON.parse keeps the last of two members with one name; other parsers keep the first.
  return memberCount(body, field) === 1 ? found : null;
}

/** How many members of the outermost object some app may take for the field. `json` is valid JSON. */
function memberCount(json: string, field: string): number {
  const wanted = foldName(field);
  let depth = 0;
  let count = 0;
  for (let at = 0; at < json.length; at++) {
    const char = json.charCodeAt(at);
    if (char === OPEN_MAP || char === OPEN_LIST) depth += 1;
    else if (char === CLOSE_MAP || char === CLOSE_LIST) depth -= 1;
    else if (char === QUOTE) {
      const end = stringEnd(json, at);
      if (depth === 1 && isMemberName(json, end) && isTaken(unquoted(json.slice(at, end)), field, wanted))
        count += 1;
      at = end - 1;
    }
  }
  return count;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_MAP = 0x7b;
const CLOSE_MAP = 0x7d;
const OPEN_LIST = 0x5b;
const CLOSE_LIST = 0x5d;

/** The place behind the string that begins at `start`. */
function stringEnd(json: string, start: number): number {
  let at = start + 1;
  while (json.charCodeAt(at) !== QUOTE) at += json.charCodeAt(at) === BACKSLASH ? 2 : 1;
  return at + 1;
}

function isMemberName(json: string, end: number): boolean {
  let at = end;
  while (/\s/.test(json.charAt(at))) at += 1;
  return json.charAt(at) === ":";
}

function unquoted(literal: string): string {
  return literal.includes("\\") ? (JSON.parse(literal) as string) : literal.slice(1, -1);
}

// Folding

const PLAIN = /^[\x21-\x7e]*$/;

/**
 * One text for all spellings that an app may take for the same: any Unicode normalization, any case (through
 * both cases, since ß, ẞ and SS meet only in upper case and K and the Kelvin sign only in lower), accents
 * (MySQL's default collation ignores them), white space and characters that are not seen.
 */
export function fold(text: string): string {
  if (PLAIN.test(text)) return text.toLowerCase();
  let folded = text;
  // Decomposing can bring up letters that fold further, and the reverse; a few rounds settle all of Unicode.
  for (let round = 0; round < 4; round++) {
    const next = foldOnce(folded);
    if (next === folded) break;
    folded = next;
  }
  return folded;
}

function foldOnce(text: string): string {
  // Case before marks: U+0345, a mark, becomes the letter iota in upper case.
  return text
    .normalize("NFKD")
    .toLowerCase()
    .toUpperCase()
    .toLowerCase()
    .replaceAll("ς", "σ")
    .normalize("NFKD")
    .replace(/[\p{M}\p{White_Space}\p{Default_Ignorable_Code_Point}\p{Cc}]/gu, "");
}
