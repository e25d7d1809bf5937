/** One command at a time changes a cluster. */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { hostname, userInfo } from "node:os";
import { UserError } from "./errors.ts";
import { type KernelLock, tryLock } from "./kernel-lock.ts";
import type { StatePaths } from "./state.ts";
import { duration } from "./tools/format.ts";

export interface LockOwner {
  readonly pid: number;
  /** `ada@laptop` */
  readonly user: string;
  readonly command: string;
  /** ISO 8601 */
  readonly since: string;
}

/** @throws UserError naming the owner, how long it has held the lock, and how to break it */
export function lockCluster(state: StatePaths, command: string): Disposable {
  const lock = tryLock(state.lock);
  if (!lock) throw refusal(readOwner(state));
  const owner: LockOwner = {
    pid: process.pid,
    user: whoami(),
    command,
    since: new Date().toISOString(),
  };
  writeFileSync(state.lockOwner, `${JSON.stringify(owner)}\n`, { mode: 0o600 });
  return { [Symbol.dispose]: () => release(state, lock) };
}

export function whoami(): string {
  return `${userInfo().username}@${hostname()}`;
}

function release(state: StatePaths, lock: KernelLock): void {
  rmSync(state.lockOwner, { force: true });
  lock[Symbol.dispose]();
}

function readOwner(state: StatePaths): LockOwner | null {
  try {
    return JSON.parse(readFileSync(state.lockOwner, "utf8")) as LockOwner;
  } catch {
    // Between taking the lock and writing who did.
    return null;
  }
}

function refusal(owner: LockOwner | null): UserError {
  if (!owner)
    return new UserError("another lbctl command has just started on this cluster", { next: ["try again"] });
  const age = duration(Date.now() - Date.parse(owner.since));
  return new UserError(
    `expected to be alone on this cluster, got "lbctl ${owner.command}" (pid ${owner.pid}, ${owner.user}, for ${age})`,
    {
      next: [
        "wait until it is done, or end it:",
        `kill ${owner.pid}   # the lock goes with it, and the next command goes on from there`,
      ],
    },
  );
}
