import { readFileSync } from "node:fs";
import { ConfigError } from "./config-error.ts";

/** RFC 9110 §5.6.2 and §5.5. */
const LINE = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?)$/;

/**
 * Header fields for the collector, `name: value` a line. Throws ConfigError, which names `path`, the key in the config,
 * and never says what the file holds.
 */
export function readCollectorHeaders(file: string, path: string): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [index, line] of textOf(file, path).split(/\r?\n/).entries()) {
    if (line.trim() === "") continue;
    const [, name, value] = LINE.exec(line.trim()) ?? [];
    if (name === undefined || value === undefined) {
      throw new ConfigError([`${path}: expected "name: value" in line ${index + 1}, got other text`]);
    }
    headers[name] = value;
  }
  return headers;
}

function textOf(file: string, path: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? "an error";
    throw new ConfigError([`${path}: expected a readable file at ${file}, got ${code}`], { cause });
  }
}
