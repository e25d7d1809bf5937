/**
 * Whether anybody touched a journal since it was closed. A start reads a journal through before it uses it, which takes
 * as long as there are records: after a crash, a restored copy, an edit that is what it costs to be sure. A balancer that
 * is replaced closed its journal a moment ago; its successor takes it as it is and reads it through while it is at work.
 */
import { existsSync, statSync } from "node:fs";
import type { Mark } from "./head-mark.ts";

/**
 * What changes with any write, copy or move of the file; null where the close left a log behind, so that it is not whole.
 * Nobody but the kernel sets the ctime.
 */
export function stampOf(file: string): string | null {
  if (existsSync(`${file}-wal`)) return null;
  const { ino, size, mtimeNs, ctimeNs } = statSync(file, { bigint: true });
  return [ino, size, mtimeNs, ctimeNs].join("-");
}

/** Closed, and as it was then. */
export function isAsClosed(file: string, mark: Mark | null): boolean {
  return mark?.closed !== undefined && existsSync(file) && mark.closed === stampOf(file);
}
