/** The password in a file. Nothing that a file holds is ever in a message. */

import { accessSync, constants } from "node:fs";
import { dirname } from "node:path";
import { ConfigError } from "./config-error.ts";
import { codeOf, readNamedFile } from "./named-file.ts";

const SHORTEST = 8;
/** Longer ones would not fit into the header of a request. */
const LONGEST = 1024;
/** What Basic auth can carry, and what people can type: no control characters. */
const PASSWORD = /^[^\p{Cc}]+$/u;

/**
 * The password in `file`, whose last line break is not part of it; null where there is no file yet, but one can be
 * made. Throws ConfigError, which names `path`, the key in the config.
 */
export function readPasswordFile(file: string, path: string): string | null {
  const bytes = read(file, path);
  if (bytes === null) return null;
  const expected = (what: string, got: string) =>
    new ConfigError([`${path}: expected a password ${what}, got ${got}`]);
  const password = text(bytes)?.replace(/\r?\n$/, "");
  if (password === undefined) throw expected("in UTF-8", "other bytes");
  const { length } = password;
  if (length < SHORTEST) throw expected(`of at least ${SHORTEST} characters`, String(length));
  if (length > LONGEST) throw expected(`of at most ${LONGEST} characters`, String(length));
  if (!PASSWORD.test(password)) throw expected("on one line", "control characters");
  return password;
}

/** The error for a file that can't be made. */
export function cannotMake(file: string, path: string, cause: unknown): ConfigError {
  return new ConfigError([`${path}: expected to make a file at ${file}, got ${codeOf(cause)}`], { cause });
}

function read(file: string, path: string): Buffer | null {
  try {
    return readNamedFile(file, path);
  } catch (error) {
    if (codeOf((error as Error).cause) !== "ENOENT") throw error;
    return nothingYet(file, path);
  }
}

function nothingYet(file: string, path: string): null {
  try {
    accessSync(dirname(file), constants.W_OK | constants.X_OK);
    return null;
  } catch (cause) {
    throw cannotMake(file, path, cause);
  }
}

function text(bytes: Buffer): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
