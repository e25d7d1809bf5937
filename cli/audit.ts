/** Who changed the cluster, when, how it ended: one JSON line each in audit.log. */
import { appendFile } from "node:fs/promises";
import { errorCode } from "./errors.ts";
import { whoami } from "./lock.ts";
import type { StatePaths } from "./state.ts";

export interface AuditEntry {
  readonly command: string;
  readonly outcome: "started" | "done" | "failed";
  /** What was changed, or what went wrong; never a secret. */
  readonly detail?: string;
}

export async function audit(state: StatePaths, entry: AuditEntry): Promise<void> {
  const line = { at: new Date().toISOString(), user: whoami(), pid: process.pid, ...entry };
  try {
    await appendFile(state.auditLog, `${JSON.stringify(line)}\n`, { mode: 0o600 });
  } catch (error) {
    // After destroy the log is gone with the rest.
    if (errorCode(error) !== "ENOENT") throw error;
  }
}
