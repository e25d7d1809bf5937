import type { IncomingMessage } from "node:http";
import { Refusal } from "./answer.ts";

/** Bodies: a form or a JSON object, read whole, strictly. */

export const MAX_BODY = 64 * 1024;
/** A body that is too large is read (and dropped) up to here, so that its sender sees the answer and not a reset. */
const MAX_DRAINED = 2 * 1024 * 1024;

export type Fields = ReadonlyMap<string, unknown>;

/** The fields of the request's body; throws Refusal (400, 413, 415). */
export async function readFields(req: IncomingMessage): Promise<Fields> {
  const bytes = await readBody(req);
  const type = (req.headers["content-type"] ?? "none").split(";", 1)[0]?.trim().toLowerCase();
  if (type !== FORM && type !== JSON_TYPE) {
    throw new Refusal(415, "bad_content_type", `expected ${FORM} or ${JSON_TYPE}, got ${type}`);
  }
  const encoding = req.headers["content-encoding"] ?? "identity";
  if (encoding !== "identity")
    throw new Refusal(415, "bad_content_encoding", `expected none, got ${encoding}`);
  return type === FORM ? parseForm(utf8(bytes)) : parseJson(utf8(bytes));
}

/** A field that must be there, a string, not empty and at most `max` characters long. */
export function text(fields: Fields, name: string, max: number): string {
  const value = fields.get(name);
  if (value === undefined) throw badField(name, "is missing");
  if (typeof value !== "string") throw badField(name, "must be a string");
  if (value === "") throw badField(name, "is empty");
  if (value.length > max) throw badField(name, `has ${value.length} characters, expected at most ${max}`);
  // U+FFFD is what a decoder makes of bytes that aren't UTF-8: two different inputs would become one.
  if (!value.isWellFormed() || value.includes("\ufffd")) throw badField(name, "isn't valid Unicode");
  return value;
}

/**
 * A user name, compared exactly as it was sent. (The balancer's order key folds case and Unicode forms: it is
 * coarser, so it keeps more order than needed, never less.)
 */
export function username(fields: Fields): string {
  const value = text(fields, "username", 128);
  if (value.includes(":")) throw badField("username", "has a colon, which HTTP Basic can't carry");
  if (/\p{Cc}/u.test(value)) throw badField("username", "has a control character");
  return value;
}

/** User and password of HTTP Basic; both empty where the header holds none. */
export function basicCredentials(header = ""): { user: string; password: string } {
  const encoded = /^basic +([\w+/=-]+)$/i.exec(header)?.[1] ?? "";
  const decoded = Buffer.from(encoded, "base64").toString("utf8");
  const colon = decoded.indexOf(":");
  if (colon < 0) return { user: "", password: "" };
  return { user: decoded.slice(0, colon), password: decoded.slice(colon + 1) };
}

function badField(name: string, what: string): Refusal {
  return new Refusal(400, "bad_field", `${name} ${what}`);
}

const FORM = "application/x-www-form-urlencoded";
const JSON_TYPE = "application/json";

function parseForm(body: string): Fields {
  const fields = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(body)) {
    if (fields.has(name)) throw badField(name, "comes twice");
    fields.set(name, value);
  }
  return fields;
}

function parseJson(body: string): Fields {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch (cause) {
    // The parser's own message quotes the body, which holds a password.
    throw new Refusal(400, "bad_json", `expected JSON, got something else (${(cause as Error).name})`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new Refusal(400, "bad_json", "expected a JSON object");
  }
  return new Map(Object.entries(value));
}

function utf8(bytes: Buffer): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new Refusal(400, "bad_encoding", "expected the body in UTF-8");
  }
}

function readBody(req: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    req.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size <= MAX_BODY) chunks.push(chunk);
      else if (size > MAX_DRAINED) reject(tooLarge({ connection: "close" }));
    });
    req.on("end", () => (size > MAX_BODY ? reject(tooLarge()) : resolve(Buffer.concat(chunks))));
    req.on("error", reject);
  });
}

function tooLarge(headers?: Record<string, string>): Refusal {
  return new Refusal(413, "body_too_large", `expected at most ${MAX_BODY} bytes`, headers);
}
