import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";

/** /tmp may be in memory, where an fsync costs nothing. */
const ON_DISK = "/var/tmp";

/** A folder that goes when the process ends, also by Ctrl-C; so do the processes started meanwhile (`startChild`). */
export function temporaryDir(prefix: string): string {
  const dir = mkdtempSync(join(ON_DISK, prefix));
  process.once("exit", () => rmSync(dir, { recursive: true, force: true }));
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130));
  return dir;
}
