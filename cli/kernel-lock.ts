/**
 * A lock that the kernel lets go of when its holder ends, however it ends: SQLite's file lock on an empty database
 * (Node.js has no flock). So a stale lock cannot be, and nobody has to guess whether a pid was recycled.
 */
import { closeSync, openSync, statSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";

/** Disposing of it releases the lock; keep a reference as long as it is to be held. */
export interface KernelLock extends Disposable {
  readonly file: string;
}

/** @returns null when another process holds it */
export function tryLock(file: string): KernelLock | null {
  for (;;) {
    closeSync(openSync(file, "a", 0o600));
    const before = statSync(file).ino;
    const database = lockDatabase(file);
    if (!database) return null;
    // Removed and made again while it was being opened (destroy, then deploy): the lock is on a file that is gone.
    if (statSync(file, { throwIfNoEntry: false })?.ino === before) {
      return { file, [Symbol.dispose]: () => database.close() };
    }
    database.close();
  }
}

function lockDatabase(file: string): DatabaseSync | null {
  const database = new DatabaseSync(file, { timeout: 0 });
  try {
    // Nothing is written, so no journal beside the file either.
    database.exec("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
    return database;
  } catch (error) {
    database.close();
    if (error instanceof Error && /locked|busy/.test(error.message)) return null;
    throw error;
  }
}
