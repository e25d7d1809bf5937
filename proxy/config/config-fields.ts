/**
 * The kinds of values that the config is made of. Each says what it expected in words that follow
 * "nodes/3/url: ", and carries its description and default into the JSON Schema and docs/configuration.md.
 */

import { isIP } from "node:net";
import { resolve } from "node:path";
import { z } from "zod";
import { formatDuration, formatSize, parseDuration, parseSize } from "./units.ts";

/** Timers of Node.js hold 31 bits of ms; longer times are only for things that are not one timer. */
const LONGEST_TIMER = 24 * 86_400_000;

/** A map with these keys and no others. */
export function section<Shape extends z.ZodRawShape>(
  shape: Shape,
  expected?: string,
): z.ZodObject<Shape, z.core.$strict> {
  const keys = Object.keys(shape).join(", ");
  return z.strictObject(shape, {
    error: (issue) =>
      issue.code === "unrecognized_keys"
        ? `expected only ${keys}`
        : (expected ?? `expected a map with the keys ${keys}`),
  });
}

interface Field<T> {
  /** One sentence for docs/configuration.md. */
  readonly about: string;
  readonly default: T;
  /** SIGHUP applies a change of it; else only a new start does. */
  readonly live: boolean;
}

interface Range {
  readonly min: number;
  readonly max?: number;
}

/** ms out of "500ms", "2s", "5m", "24h" or a number. */
export function duration(range: Range, field: Field<string>) {
  const max = range.max ?? LONGEST_TIMER;
  return givenDuration(range, field.default)
    .prefault(field.default)
    .meta({
      description: field.about,
      live: field.live,
      unit: "duration",
      range: `${formatDuration(range.min)}–${formatDuration(max)}`,
    });
}

/** As `duration`, without a default. */
export function givenDuration(range: Range, example: string) {
  const max = range.max ?? LONGEST_TIMER;
  const expected = `expected a duration of ${formatDuration(range.min)} to ${formatDuration(max)}, such as ${example}`;
  return quantity(expected, parseDuration, { min: range.min, max });
}

/** Bytes out of "64KiB", "1MiB" or a number. */
export function size(range: { min: number; max: number }, field: Field<string>) {
  const expected = `expected a size of ${formatSize(range.min)} to ${formatSize(range.max)}, such as ${field.default}`;
  return quantity(expected, parseSize, range)
    .prefault(field.default)
    .meta({
      description: field.about,
      live: field.live,
      unit: "size",
      range: `${formatSize(range.min)}–${formatSize(range.max)}`,
    });
}

function quantity(
  expected: string,
  read: (value: string | number) => number | null,
  range: { min: number; max: number },
) {
  return z.union([z.string(), z.number()], { error: expected }).transform((given, context) => {
    const value = read(given);
    if (value !== null && value >= range.min && value <= range.max) return value;
    context.issues.push({ code: "custom", message: expected, input: given });
    return z.NEVER;
  });
}

/** A whole number (or, with `step`, a fraction) in a range. */
export function count(range: { min: number; max: number; fraction?: true }, field: Field<number>) {
  const kind = range.fraction ? "a number" : "a whole number";
  const expected = `expected ${kind} from ${range.min} to ${range.max}`;
  const number = range.fraction ? z.number({ error: expected }) : z.int({ error: expected });
  return number
    .min(range.min, { error: expected })
    .max(range.max, { error: expected })
    .default(field.default)
    .meta({
      description: field.about,
      live: field.live,
      unit: range.fraction ? "share" : "number",
      range: `${range.min}–${range.max}`,
    });
}

export function flag(field: Field<boolean>) {
  return z
    .boolean({ error: "expected true or false" })
    .default(field.default)
    .meta({ description: field.about, live: field.live });
}

export function choice<const T extends string>(options: readonly [T, ...T[]], field: Field<NoInfer<T>>) {
  const expected = `expected one of ${options.join(", ")}`;
  // prefault, not default: zod's type of a default is awkward for a generic enum.
  return z
    .enum(options, { error: expected })
    .prefault(field.default as T)
    .meta({ description: field.about, live: field.live });
}

/** Text that a pattern describes in full. */
export function text(pattern: RegExp, expected: string) {
  return z.string({ error: expected }).regex(pattern, { error: expected });
}

/** A file or folder, relative to `baseDir`; absolute afterwards. */
export function path(baseDir: string) {
  const expected = "expected a path";
  return z
    .string({ error: expected })
    .min(1, { error: expected })
    .refine((value) => !value.includes("\0"), { error: expected })
    .transform((value) => resolve(baseDir, value));
}

/** The path of a URL: no query, no fragment, nothing that needs encoding. */
export function urlPath() {
  return text(
    /^\/[\x21\x22\x24-\x3e\x40-\x7e]*$/,
    "expected a path that begins with / and has no query, fragment or spaces",
  );
}

/** An address to listen on. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** "127.0.0.1:8080", "[::1]:8080", "localhost:0". */
export function address() {
  const expected = "expected host:port, such as 127.0.0.1:8080 or [::]:8080 (port 0: any free one)";
  return z.string({ error: expected }).transform((given, context) => {
    const found = parseAddress(given);
    if (found) return found;
    context.issues.push({ code: "custom", message: expected, input: given });
    return z.NEVER;
  });
}

function parseAddress(given: string): Address | null {
  const [, v6, name, digits] = /^(?:\[([0-9a-fA-F:.]+)\]|([a-zA-Z0-9.-]+)):(\d{1,5})$/.exec(given) ?? [];
  const host = v6 ?? name;
  const port = Number(digits);
  if (host === undefined || port > 65_535) return null;
  if (v6 !== undefined && isIP(v6) !== 6) return null;
  // Digits and dots alone are meant as an address: 127.0.0.300 must not be looked up as a name.
  if (name !== undefined && /^[\d.]+$/.test(name) && isIP(name) !== 4) return null;
  return { host, port };
}

/** A node's URL, as its origin ("http://127.0.0.1:4567"). */
export function nodeUrl() {
  const expected = "expected http://host:port and nothing behind it (nodes are spoken to in plain HTTP/1.1)";
  return z.string({ error: expected }).transform((given, context) => {
    const url = URL.canParse(given) ? new URL(given) : null;
    const plain = /^http:\/\/[^/?#@\s\\]+\/?$/i.test(given);
    if (url && plain && url.port !== "0") return url.origin;
    context.issues.push({ code: "custom", message: expected, input: given });
    return z.NEVER;
  });
}

/** The whole URL that spans are posted to. */
export function collectorUrl() {
  const expected =
    "expected http(s)://host:port or with a path, and no user, query or fragment, such as http://127.0.0.1:4318";
  return z.string({ error: expected }).transform((given, context) => {
    const url =
      /^https?:\/\/[^/?#@\s\\]+(\/[^?#\s\\]*)?$/i.test(given) && URL.canParse(given) ? new URL(given) : null;
    if (url && url.port !== "0") return url.pathname === "/" ? `${url.origin}/v1/traces` : url.href;
    context.issues.push({ code: "custom", message: expected, input: given });
    return z.NEVER;
  });
}

/** An address or a CIDR block. */
export function addressBlock() {
  const expected = "expected an address or a block, such as 10.0.0.7 or 10.0.0.0/8";
  return z.string({ error: expected }).refine(isAddressBlock, { error: expected });
}

function isAddressBlock(given: string): boolean {
  const [host = "", bits, more] = given.split("/");
  const version = isIP(host);
  if (version === 0 || host.includes("%") || more !== undefined) return false;
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128));
}
