/**
 * Bounds a log by copy and truncate: its writer keeps its file descriptor (opened for appending), so that it outlives
 * the supervisor and never meets a closed pipe. A line written between the two steps, microseconds, is lost.
 */
import { copyFileSync, renameSync, rmSync, statSync, truncateSync } from "node:fs";

export interface RotationLimits {
  readonly maxBytes: number;
  /** Older files that are kept: NAME.log.1 is the youngest. */
  readonly keep: number;
}

export const LOG_LIMITS: RotationLimits = { maxBytes: 10 * 1024 * 1024, keep: 3 };

/** @returns whether it was rotated */
export function rotateLog(file: string, { maxBytes, keep }: RotationLimits): boolean {
  const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  if (size <= maxBytes) return false;
  rmSync(`${file}.${keep}`, { force: true });
  for (let age = keep - 1; age >= 1; age--) {
    if (statSync(`${file}.${age}`, { throwIfNoEntry: false }))
      renameSync(`${file}.${age}`, `${file}.${age + 1}`);
  }
  copyFileSync(file, `${file}.1`);
  truncateSync(file);
  return true;
}
