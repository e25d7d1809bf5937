/** Small files that have to survive a power cut: written beside, synced, renamed, and the folder synced. */

import {
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";

/** Puts `bytes` at `path`, mode 0600: after a crash there is the whole new file, or what was there before. */
export function writeDurably(path: string, bytes: Uint8Array | string): void {
  writeBeside(path, bytes, (beside) => renameSync(beside, path));
}

/** The same, but what is there already stays: of two processes, one makes it. */
export function createDurably(path: string, bytes: Uint8Array | string): void {
  writeBeside(path, bytes, (beside) => {
    try {
      linkSync(beside, path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
  });
}

function writeBeside(path: string, bytes: Uint8Array | string, put: (beside: string) => void): void {
  const beside = `${path}.${process.pid}.tmp`;
  try {
    const fd = openSync(beside, "w", 0o600);
    try {
      writeFileSync(fd, bytes);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    put(beside);
  } finally {
    rmSync(beside, { force: true });
  }
  syncFolder(dirname(path));
}

/** Makes names that were added to or removed from a folder durable. */
export function syncFolder(path: string): void {
  const fd = openSync(path, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Makes a private folder (0700) where there is none, and those above it that are missing. */
export function makeFolder(path: string): void {
  const topmost = mkdirSync(path, { recursive: true, mode: 0o700 });
  if (topmost === undefined) return;
  for (let made = path; made.length >= topmost.length; made = dirname(made)) syncFolder(dirname(made));
}
