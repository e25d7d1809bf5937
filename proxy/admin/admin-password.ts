import { randomBytes } from "node:crypto";
import { cannotMake, readPasswordFile } from "../config/password-file.ts";
import { writeDurably } from "../journal/durable-file.ts";

/**
 * The password in `file`; a missing file is made: random, 0600. Throws ConfigError, which names `path` (the key in
 * the config) and never what the file holds.
 */
export function readPassword(file: string, path: string): string {
  return readPasswordFile(file, path) ?? makePassword(file, path);
}

function makePassword(file: string, path: string): string {
  const password = randomBytes(24).toString("base64url");
  try {
    writeDurably(file, `${password}\n`);
  } catch (cause) {
    throw cannotMake(file, path, cause);
  }
  return password;
}
