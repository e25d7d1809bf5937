/** The config of one balancer: read, checked as a whole, frozen. docs/configuration.md lists every key. */

import { readFileSync } from "node:fs";
import { dirname, relative, resolve } from "node:path";
import { parseDocument } from "yaml";
import { z } from "zod";
import { checkTogether, type PartialConfig } from "./config-checks.ts";
import { ConfigError } from "./config-error.ts";
import { type FileSections, fileProblems } from "./config-files.ts";
import { configSections } from "./config-schema.ts";

export { ConfigError } from "./config-error.ts";
export { MAX_NODES } from "./config-schema.ts";

type Frozen<T> = T extends readonly (infer Item)[]
  ? readonly Frozen<Item>[]
  : T extends object
    ? { readonly [Key in keyof T]: Frozen<T[Key]> }
    : T;

type Sections = ReturnType<typeof configSections>;
type Parsed = { [Name in keyof Sections]: z.output<Sections[Name]> };

/** Durations are ms, sizes bytes, paths absolute; what was not given is its default or null. */
export type Config = Frozen<ReturnType<typeof complete>>;
export type NodeConfig = Config["nodes"][number];
/** Discriminated by `to`. */
export type RouteConfig = Config["routes"][number];
export type WriteRoute = Extract<RouteConfig, { to: "all" }>;

/**
 * Reads a YAML or JSON file, and looks at the files that it names (config-files.ts); paths in it are relative to its
 * folder. Throws ConfigError.
 */
export function loadConfig(file: string): Config {
  return check(parseText(readText(file)), dirname(resolve(file)), fileProblems);
}

/** As `loadConfig`, from text, and without a look at other files. */
export function parseConfig(text: string, baseDir: string): Config {
  return checkConfig(parseText(text), baseDir);
}

/** As `parseConfig`, from a value. */
export function checkConfig(given: unknown, baseDir: string): Config {
  return check(given, baseDir, () => []);
}

/** @param files looks at what is beside the config */
function check(given: unknown, baseDir: string, files: (sections: FileSections) => string[]): Config {
  if (!isMap(given)) {
    throw new ConfigError([`config: expected a map with the key nodes, got ${shown(given, "")}`]);
  }
  const schemas = configSections(baseDir);
  const problems = unknownKeys(given, Object.keys(schemas));
  const parsed: Record<string, unknown> = {};
  for (const [name, schema] of Object.entries(schemas)) {
    const result = schema.safeParse(given[name], { reportInput: true });
    if (result.success) parsed[name] = result.data;
    else problems.push(...result.error.issues.flatMap((issue) => describe(issue, name)));
  }
  const sections = parsed as PartialConfig<Parsed>;
  problems.push(...checkTogether(sections, given), ...files(sections));
  if (problems.length > 0) throw new ConfigError(problems);
  return deepFreeze(complete(parsed as Parsed)) as Config;
}

/** JSON Schema of the config file, for editors. */
export function configJsonSchema(): Record<string, unknown> {
  const schema = z.strictObject(configSections("/")).meta({ title: "lb-proxy config" });
  const json = z.toJSONSchema(schema, { io: "input" });
  const full = json.properties?.listen;
  if (typeof full !== "object") throw new TypeError("expected a schema of listen");
  const { default: fallback, description, live, ...map } = full;
  // Its short form gets lost on the way: text is made a map before the schema sees it.
  const listen = { description, live, default: fallback, anyOf: [{ type: "string" }, map] };
  return { ...json, properties: { ...json.properties, listen } };
}

/** The defaults that depend on other settings. */
function complete(parsed: Parsed) {
  const { journal } = parsed;
  const untilPurged = parsed.app.snapshot === null ? "keep" : 86_400_000;
  const retention = journal.retention ?? untilPurged;
  return {
    ...parsed,
    /** `retention` null: bodies are kept. */
    journal: { ...journal, retention: retention === "keep" ? null : retention },
  };
}

function readText(file: string): string {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? "an error";
    throw new ConfigError(
      [`config: expected a readable file at ${relative("", file) || file}, got ${code}`],
      { cause },
    );
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new ConfigError(["config: expected UTF-8 text, got other bytes"], { cause });
  }
}

/** JSON is YAML, so one parser does for both; it also sees keys that are given twice. */
function parseText(text: string): unknown {
  // prettyErrors would quote the lines around a mistake, and a secret may stand there.
  const document = parseDocument(text, { prettyErrors: false });
  const problems = [...document.errors, ...document.warnings].map(
    (error) => `config: expected YAML or JSON, got ${error.message} at ${position(text, error.pos[0])}`,
  );
  if (problems.length > 0) throw new ConfigError(problems);
  try {
    return document.toJS({ maxAliasCount: 100 });
  } catch (cause) {
    throw new ConfigError(["config: expected at most 100 uses of aliases, got more"], { cause });
  }
}

function position(text: string, offset: number): string {
  const before = text.slice(0, offset).split("\n");
  return `line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1}`;
}

function unknownKeys(given: Record<string, unknown>, known: readonly string[]): string[] {
  const unknown = Object.keys(given).filter((key) => !known.includes(key));
  return unknown.map((key) => `${key}: expected only ${known.join(", ")}, got an unknown key`);
}

function describe(issue: z.core.$ZodIssue, section: string): string[] {
  const path = [section, ...issue.path.map(String)].join("/");
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => `${path}/${key}: ${issue.message}, got an unknown key`);
  }
  const input = issue.code === "invalid_union" && issue.discriminator ? inner(issue) : issue.input;
  return [`${path}: ${issue.message}, got ${shown(input, path)}`];
}

/** What the map that the issue is about has under the key that decides its kind. */
function inner(issue: { input?: unknown; discriminator?: string | undefined }): unknown {
  return isMap(issue.input) ? issue.input[issue.discriminator ?? ""] : issue.input;
}

/** A value as it may be printed: short, and never a secret. */
function shown(value: unknown, path: string): string {
  if (value === undefined || value === null) return "nothing";
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === "object") return "a map";
  // Someone may have put the secret itself where its file's name belongs.
  if (typeof value === "string" && /pass|secret|token|key/i.test(path)) return "text that is not shown";
  if (typeof value !== "string") return String(value);
  const text = value.replace(/\/\/[^/@]*@/g, "//…@");
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 57)}…` : text);
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function deepFreeze<T>(value: T): T {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const inner of Object.values(value)) deepFreeze(inner);
  }
  return value;
}
