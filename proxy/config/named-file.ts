/** The small files that a config names. */

import { closeSync, constants, fstatSync, openSync, readFileSync } from "node:fs";
import { ConfigError } from "./config-error.ts";
import { formatSize } from "./units.ts";

/** Bytes; no certificate, key or password is anywhere near. */
const LARGEST = 1024 * 1024;

/**
 * What is in `file`. Throws ConfigError, which names `path`, the key in the config; its cause is the system's error,
 * where there was one.
 */
export function readNamedFile(file: string, path: string): Buffer {
  const wrong = (got: string, cause?: unknown) =>
    new ConfigError([`${path}: expected a readable file at ${file}, got ${got}`], { cause });
  try {
    // Opening a pipe would otherwise wait until somebody writes to it.
    const descriptor = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const stats = fstatSync(descriptor);
      // Reading a folder gives the error that people know.
      if (!stats.isFile() && !stats.isDirectory()) throw wrong("a pipe or device");
      if (stats.size > LARGEST) throw wrong(`one of more than ${formatSize(LARGEST)}`);
      return readFileSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
  } catch (cause) {
    throw cause instanceof ConfigError ? cause : wrong(codeOf(cause), cause);
  }
}

/** The system's or OpenSSL's name for what went wrong: it holds nothing of the file, as a message could. */
export function codeOf(error: unknown): string {
  return (error as { code?: string } | undefined)?.code ?? "an error";
}
