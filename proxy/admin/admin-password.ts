import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { ConfigError } from "../config/config.ts";
import { writeDurably } from "../journal/durable-file.ts";

const SHORTEST = 8;
/** What Basic auth can carry, and what people can type: no control characters. */
const PASSWORD = /^[^\p{Cc}]+$/u;

/**
 * The password in `file`, whose last line break is not part of it. A missing file is made: random, 0600.
 * Throws ConfigError, which names `path` (the key in the config) and never what the file holds.
 */
export function readPassword(file: string, path: string): string {
  const text = readOrMake(file, path);
  const password = text.replace(/\r?\n$/, "");
  if (password.length < SHORTEST) {
    throw new ConfigError([
      `${path}: expected a password of at least ${SHORTEST} characters, got ${password.length}`,
    ]);
  }
  if (!PASSWORD.test(password)) {
    throw new ConfigError([`${path}: expected a password on one line, got control characters`]);
  }
  return password;
}

function readOrMake(file: string, path: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    if (codeOf(cause) !== "ENOENT") {
      throw new ConfigError([`${path}: expected a readable file at ${file}, got ${codeOf(cause)}`], {
        cause,
      });
    }
  }
  const password = randomBytes(24).toString("base64url");
  try {
    writeDurably(file, `${password}\n`);
  } catch (cause) {
    throw new ConfigError([`${path}: expected to make a file at ${file}, got ${codeOf(cause)}`], { cause });
  }
  return password;
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? "an error";
}
