/** What zod found, as `path: expected …, got …`, one line each. */
import type { z } from "zod";

/** @param known the keys of each mapping, by its path */
export function describeProblems(error: z.ZodError, input: unknown, known: KnownKeys): string[] {
  return error.issues.flatMap((issue) => describe(issue, input, known));
}

export type KnownKeys = Readonly<Record<string, readonly string[]>>;

function describe(issue: z.core.$ZodIssue, input: unknown, known: KnownKeys): string[] {
  if (issue.code === "unrecognized_keys") {
    const only = (known[join(issue.path)] ?? []).join(", ");
    return issue.keys.map(
      (key) => `${join([...issue.path, key])}: expected only ${only}, got an unknown key`,
    );
  }
  const path = issue.path.length > 0 ? join(issue.path) : "the file";
  return [`${path}: expected ${issue.message}, got ${shown(valueAt(input, issue.path))}`];
}

function join(path: readonly PropertyKey[]): string {
  return path.map((key) => String(key) || '""').join("/");
}

function valueAt(input: unknown, path: readonly PropertyKey[]): unknown {
  let value: unknown = input;
  for (const key of path) {
    if (typeof value !== "object" || value === null) return undefined;
    value = (value as Record<PropertyKey, unknown>)[key];
  }
  return value;
}

function shown(value: unknown): string {
  if (value === undefined) return "nothing";
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}
