/** Opening a journal: make it where there is none, check it where there is one, then take it for this process. */

import { randomBytes } from "node:crypto";
import { accessSync, closeSync, constants, existsSync, openSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { ERROR_ROWS, LbError } from "../errors.ts";
import { isAsClosed } from "./closed-stamp.ts";
import { makeFolder, syncFolder } from "./durable-file.ts";
import { HeadMark, type Mark, readMark } from "./head-mark.ts";
import type { JournalPlace } from "./journal.ts";
import { checkMark, type Looked, lookAt } from "./journal-check.ts";
import { ADDED, APPLICATION_ID, FORMAT, rowCheck, TABLES } from "./journal-schema.ts";
import { JournalStore, lockedDatabase } from "./journal-store.ts";
import { keyId, loadKey } from "./seal.ts";

export interface OpenedStore {
  readonly id: string;
  readonly foundedEmpty: boolean;
  readonly master: Buffer;
  readonly store: JournalStore;
  readonly mark: HeadMark;
  /** It was closed, and nobody touched it since: its growing tables are still to be read through. */
  readonly asClosed: boolean;
}

/** Never uses more of the disk than this in the database file: acks, cursors and the purge go on in the reserve. */
export function hardLimit(maxBytes: number): number {
  return maxBytes + Math.max(1024 * 1024, Math.ceil(maxBytes / 16));
}

/** Throws an LbError that says what is wrong; whatever was found on disk is then unchanged. */
export function openStore(place: JournalPlace, maxBytes: number, foundedEmpty: boolean): OpenedStore {
  const file = join(place.dataDir, "journal.db");
  try {
    prepareFolder(place.dataDir);
    const asClosed = isAsClosed(file, tryMark(place.headFile));
    const found = look(file, !asClosed);
    const mark = readMark(place.headFile);
    if (found) check(found, mark, place);
    else if (mark) throw lostJournal(place, mark);
    const master = loadKey(place.keyFile, !found);
    if (found) checkKey(found, master, place);
    const journal = found ?? makeJournal(file, place.cluster, keyId(master), foundedEmpty);
    if (journal.minor < FORMAT.minor) bringUp(file, journal.minor);
    const store = new JournalStore(file, hardLimit(maxBytes));
    if (store.state.commits !== journal.commits) {
      store.close();
      throw new LbError("journal_locked", `${file}: another process wrote it while it was being opened`);
    }
    const { head, commits } = store.state;
    const headMark = new HeadMark(place.headFile, { journal: journal.id, head, commit: commits });
    return {
      id: journal.id,
      foundedEmpty: journal.foundedEmpty,
      master,
      store,
      mark: headMark,
      asClosed,
    };
  } catch (error) {
    throw openError(error, file);
  }
}

export interface Accepted {
  readonly journal: string | null;
  /** Last seq that is still there. */
  readonly kept: number;
  /** Seqs that are given up: they are never given again. Null: none. */
  readonly lost: { readonly first: number; readonly last: number } | null;
}

/**
 * Goes on with a journal that is refused as journal_behind_mark; only after the operator has said so. The journal must
 * not be open. The seqs that are lost stay lost: they are written down as a gap, and the mark is made anew; afterwards
 * the nodes have to be compared. Without a journal the mark is put aside, so that a new journal can be made.
 * @param seen the highest seq that a node is known to have got, where the mark does not tell
 */
export function acceptJournal(place: JournalPlace, seen = 0): Accepted {
  const file = join(place.dataDir, "journal.db");
  try {
    const found = look(file);
    const mark = tryMark(place.headFile);
    if (!found) {
      rmSync(place.headFile, { force: true });
      return { journal: null, kept: 0, lost: null };
    }
    if (found.cluster !== place.cluster) throw otherCluster(found, place);
    checkKey(found, loadKey(place.keyFile, false), place);
    const known = mark?.journal === found.id ? mark : { head: 0, commit: 0 };
    const last = Math.max(found.head, found.gapEnd, seen, known.head);
    const commits = Math.max(found.commits, known.commit) + 1;
    skipTo(file, found, last, commits);
    new HeadMark(place.headFile, { journal: found.id, head: found.head, commit: commits }).close();
    const lost = last > found.head ? { first: found.head + 1, last } : null;
    return { journal: found.id, kept: found.head, lost };
  } catch (error) {
    throw openError(error, file);
  }
}

function look(file: string, whole = true): Looked | null {
  return existsSync(file) && statSync(file).size > 0 ? lookAt(file, whole) : null;
}

function check(found: Looked, mark: Mark | null, place: JournalPlace): void {
  if (found.cluster !== place.cluster) throw otherCluster(found, place);
  checkMark(found, mark, place.headFile);
}

function checkKey(found: Looked, master: Buffer, place: JournalPlace): void {
  if (found.keyId === keyId(master)) return;
  throw new LbError(
    "journal_wrong_key",
    `key file ${place.keyFile}: expected the journal's key ${found.keyId}, got key ${keyId(master)}`,
  );
}

function prepareFolder(dataDir: string): void {
  try {
    makeFolder(dataDir);
    accessSync(dataDir, constants.W_OK | constants.X_OK);
  } catch (cause) {
    throw new LbError("data_dir_unwritable", `dataDir ${dataDir}: ${messageOf(cause)}`, { cause });
  }
}

/** One transaction makes all of it, so a journal is whole or not there. */
function makeJournal(file: string, cluster: string, key: string, foundedEmpty: boolean): Looked {
  // Made before SQLite does, for its mode; the log takes the mode of the database.
  if (!existsSync(file)) closeSync(openSync(file, "wx", 0o600));
  syncFolder(dirname(file));
  const id = randomBytes(8).toString("hex");
  const meta = {
    format: `${FORMAT.major}.${FORMAT.minor}`,
    id,
    cluster,
    key,
    founded_empty: foundedEmpty ? "1" : "0",
    made_at: new Date().toISOString(),
  };
  change(file, (db) => {
    db.exec(`PRAGMA application_id = ${APPLICATION_ID}; ${Object.values(TABLES).join("; ")}`);
    const insert = db.prepare("INSERT INTO meta (name, value, crc) VALUES (?,?,?)");
    for (const [name, value] of Object.entries(meta))
      insert.run(name, value, rowCheck("meta", [name, value]));
    const state = [1, 0, 1, 0];
    const insertState = db.prepare("INSERT INTO state (id, head, first, commits, crc) VALUES (?,?,?,?,?)");
    insertState.run(...state, rowCheck("state", state));
  });
  return { id, cluster, keyId: key, foundedEmpty, ...NEW };
}

const NEW = { minor: FORMAT.minor, head: 0, first: 1, commits: 0, gapEnd: 0 };

/** Adds what an older release of the same major did not have; it reads the journal as before. */
function bringUp(file: string, minor: number): void {
  const format = `${FORMAT.major}.${FORMAT.minor}`;
  change(file, (db) => {
    db.exec(ADDED.slice(minor).join("; "));
    const update = db.prepare("UPDATE meta SET value = ?, crc = ? WHERE name = 'format'");
    update.run(format, rowCheck("meta", ["format", format]));
  });
}

/**
 * Notes the seqs behind the head, up to `last`, as lost: the next record gets the one after. New nodes can then
 * no longer start from nothing.
 */
function skipTo(file: string, found: Looked, last: number, commits: number): void {
  change(file, (db) => {
    if (last > found.head) {
      const gap = [found.head + 1, last, Date.now()];
      const insert = db.prepare("INSERT OR REPLACE INTO gaps (first, last, at, crc) VALUES (?,?,?,?)");
      insert.run(...gap, rowCheck("gaps", gap));
      const founded = db.prepare("UPDATE meta SET value = '0', crc = ? WHERE name = 'founded_empty'");
      founded.run(rowCheck("meta", ["founded_empty", "0"]));
    }
    const state = [1, found.head, found.first, commits];
    const update = db.prepare("UPDATE state SET head = ?2, first = ?3, commits = ?4, crc = ?5 WHERE id = ?1");
    update.run(...state, rowCheck("state", state));
  });
}

/** One transaction of a journal that nobody has open: all of it, or nothing where `work` throws. */
function change(file: string, work: (db: DatabaseSync) => void): void {
  const db = lockedDatabase(file);
  try {
    db.exec("BEGIN IMMEDIATE");
    work(db);
    db.exec("COMMIT");
  } finally {
    db.close();
  }
}

/** A mark that cannot be read tells nothing; that is what the operator's consent is for. */
function tryMark(headFile: string): Mark | null {
  try {
    return readMark(headFile);
  } catch {
    return null;
  }
}

function otherCluster(found: Looked, place: JournalPlace): LbError {
  return new LbError(
    "journal_other_cluster",
    `dataDir ${place.dataDir}: expected a journal of cluster "${place.cluster}", got one of "${found.cluster}"`,
  );
}

function lostJournal({ dataDir, headFile }: JournalPlace, mark: Mark): LbError {
  return new LbError(
    "journal_behind_mark",
    `dataDir ${dataDir}: expected journal ${mark.journal} up to seq ${mark.head}, as the head mark ${headFile} says, got no journal (is its disk mounted?)`,
  );
}

/** Extended result codes are the low byte's primary code and a detail: https://sqlite.org/rescode.html */
const BY_RESULT: Readonly<Record<number, LbError["code"]>> = {
  3: "data_dir_unwritable",
  5: "journal_locked",
  6: "journal_locked",
  8: "data_dir_unwritable",
  11: "journal_corrupt",
  13: "data_dir_unwritable",
  14: "data_dir_unwritable",
  26: "journal_corrupt",
  // The scratch file of the look cannot be made: opened, made larger, mapped.
  4618: "data_dir_unwritable",
  4874: "data_dir_unwritable",
  5386: "data_dir_unwritable",
};
const BY_ERRNO: Readonly<Record<string, LbError["code"]>> = {
  EACCES: "data_dir_unwritable",
  EPERM: "data_dir_unwritable",
  EROFS: "data_dir_unwritable",
  ENOSPC: "data_dir_unwritable",
  ENOTDIR: "data_dir_unwritable",
};

function openError(error: unknown, file: string): LbError {
  const { errcode, code: errno } = error as { errcode?: number; code?: string };
  const known =
    errcode === undefined ? BY_ERRNO[errno ?? ""] : (BY_RESULT[errcode] ?? BY_RESULT[errcode & 0xff]);
  const [code, detail, cause] =
    error instanceof LbError
      ? [error.code, error.message, error.cause]
      : [known ?? "journal_failed", `${file}: ${messageOf(error)}`, error];
  // Whoever reads it is about to start the balancer, and has nothing else to look at.
  return new LbError(code, `${detail}. ${ERROR_ROWS[code].next}`, { cause });
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
