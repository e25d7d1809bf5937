/**
 * The head mark: a small file outside the data folder that says how far the journal had got at its last fsync.
 *
 * SQLite treats whatever follows a damaged frame of its write-ahead log as never written, and an older copy of
 * the journal is a perfectly sound database. Neither can be told from the journal alone; the mark tells.
 *
 * Two slots, a page apart, written in turn: a torn write spoils one of them and leaves the one before it.
 *
 * A journal that was closed leaves its stamp there, too: see closed-stamp.ts.
 */

import { closeSync, constants, existsSync, openSync, readFileSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { crc32 } from "node:zlib";
import { LbError } from "../errors.ts";
import { makeFolder, writeDurably } from "./durable-file.ts";

/** What the journal had on disk when the mark was written. */
export interface Mark {
  /** The journal's random id. */
  readonly journal: string;
  /** Last seq. */
  readonly head: number;
  /** Number of its last commit: counts also commits that add no record. */
  readonly commit: number;
  /** Of the file as it was closed; absent while it is open, and after a crash. */
  readonly closed?: string;
}

const SLOT = 4096;

/** The newer of the two slots; null if there is no file; throws journal_behind_mark if neither can be read. */
export function readMark(file: string): Mark | null {
  if (!existsSync(file)) return null;
  const text = readFileSync(file, "latin1");
  const marks = [parseSlot(text.slice(0, SLOT)), parseSlot(text.slice(SLOT))].filter((mark) => mark !== null);
  // That of the close is of the commit before it.
  const newest = marks.sort(
    (a, b) => b.commit - a.commit || Number("closed" in b) - Number("closed" in a),
  )[0];
  if (newest) return newest;
  throw new LbError(
    "journal_behind_mark",
    `head mark ${file}: expected a line "lb-mark 1 …" with a valid checksum, got neither of its two copies readable`,
  );
}

/** Writes marks, each durable when `write` returns. Used by one thread, the journal's. */
export class HeadMark {
  readonly #fd: number;
  #slot = 0;

  /** Makes the file anew, holding `mark` in both slots. */
  constructor(file: string, mark: Mark) {
    makeFolder(dirname(file));
    writeDurably(file, Buffer.concat([formatSlot(mark), formatSlot(mark)]));
    // O_DSYNC: write and fdatasync in one call.
    this.#fd = openSync(file, constants.O_RDWR | constants.O_DSYNC);
  }

  write(mark: Mark): void {
    const slot = formatSlot(mark);
    const written = writeSync(this.#fd, slot, 0, slot.length, this.#slot * SLOT);
    if (written !== slot.length) throw new Error(`head mark: wrote ${written} of ${slot.length} bytes`);
    this.#slot = 1 - this.#slot;
  }

  close(): void {
    closeSync(this.#fd);
  }
}

/** One line, readable with `cat`, padded to a page. */
function formatSlot(mark: Mark): Buffer {
  const lines = [`lb-mark 1 ${mark.journal} ${mark.head} ${mark.commit}`];
  // A line of its own, which older releases don't look at.
  if (mark.closed !== undefined) lines.push(`closed ${mark.commit} ${mark.closed}`);
  const text = lines.map((line) => `${line} ${crc32(line)}\n`).join("");
  return Buffer.from(text.padEnd(SLOT - 1).concat("\n"), "latin1");
}

function parseSlot(text: string): Mark | null {
  const match = /^(lb-mark 1 (\S+) (\d+) (\d+)) (\d+)\n(?:(closed \4 (\S+)) (\d+)\n)?/.exec(text);
  if (!match) return null;
  const [, line = "", journal = "", head, commit, crc, closedLine, closed, closedCrc] = match;
  if (crc32(line) !== Number(crc)) return null;
  const mark = { journal, head: Number(head), commit: Number(commit) };
  return closedLine && closed && crc32(closedLine) === Number(closedCrc) ? { ...mark, closed } : mark;
}
