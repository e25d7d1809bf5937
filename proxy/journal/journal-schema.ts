/** The journal's tables and the checks in their rows. docs/journal.md says what each is for. */

import { crc32 } from "node:zlib";

/**
 * Format of the tables. A release reads every minor of its own major, older and newer: a minor may add tables,
 * columns (with a default, outside `crc`) and meta rows, which an older release leaves alone. Anything else is
 * a new major, which an older release refuses.
 */
export const FORMAT = { major: 1, minor: 1 } as const;

/** "lbjr", in the header of the database file. */
export const APPLICATION_ID = 0x6c626a72;
export const PAGE = 4096;

/** Made in one transaction. `crc` in each row covers all its other columns. */
export const TABLES: Readonly<Record<string, string>> = {
  meta: "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL, crc INTEGER NOT NULL) WITHOUT ROWID, STRICT",
  state:
    "CREATE TABLE state (id INTEGER PRIMARY KEY, head INTEGER NOT NULL, first INTEGER NOT NULL, commits INTEGER NOT NULL, crc INTEGER NOT NULL) STRICT",
  records:
    "CREATE TABLE records (seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, route TEXT NOT NULL, method TEXT NOT NULL, path TEXT NOT NULL, key TEXT, idem_key TEXT, idem_print TEXT, crc INTEGER NOT NULL) STRICT",
  records_idem: "CREATE INDEX records_idem ON records (idem_key, seq) WHERE idem_key IS NOT NULL",
  bodies: "CREATE TABLE bodies (seq INTEGER PRIMARY KEY, sealed BLOB NOT NULL, crc INTEGER NOT NULL) STRICT",
  acks: "CREATE TABLE acks (seq INTEGER PRIMARY KEY, packed BLOB NOT NULL, crc INTEGER NOT NULL) STRICT",
  outcomes:
    "CREATE TABLE outcomes (seq INTEGER PRIMARY KEY, status INTEGER NOT NULL, crc INTEGER NOT NULL) STRICT",
  answers:
    "CREATE TABLE answers (seq INTEGER PRIMARY KEY, sealed BLOB NOT NULL, crc INTEGER NOT NULL) STRICT",
  aside: "CREATE TABLE aside (seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, crc INTEGER NOT NULL) STRICT",
  nodes:
    "CREATE TABLE nodes (id INTEGER PRIMARY KEY, name TEXT NOT NULL, cursor INTEGER NOT NULL, member INTEGER NOT NULL, history TEXT, state_id TEXT, admin TEXT, reason TEXT, removed INTEGER NOT NULL, crc INTEGER NOT NULL, url TEXT) STRICT",
  gaps: "CREATE TABLE gaps (first INTEGER PRIMARY KEY, last INTEGER NOT NULL, at INTEGER NOT NULL, crc INTEGER NOT NULL) STRICT",
};

/** What each minor added to the one before it, from 1 on; carried out on a journal that has less. */
export const ADDED: readonly string[] = ["ALTER TABLE nodes ADD COLUMN url TEXT"];

/** The columns that `crc` covers, in the order they are checked. A blob comes last. */
export const CHECKED: Readonly<Record<string, readonly string[]>> = {
  meta: ["name", "value"],
  state: ["id", "head", "first", "commits"],
  records: ["seq", "at", "route", "method", "path", "key", "idem_key", "idem_print"],
  bodies: ["seq", "sealed"],
  acks: ["seq", "packed"],
  outcomes: ["seq", "status"],
  answers: ["seq", "sealed"],
  aside: ["seq", "at"],
  nodes: ["id", "name", "cursor", "member", "history", "state_id", "admin", "reason", "removed"],
  gaps: ["first", "last", "at"],
};

/** Those with a row for each record. */
export const GROWING: readonly string[] = ["records", "bodies", "acks", "outcomes", "answers"];

/** One row of `state`. */
export interface State {
  /** Seq of the last record. */
  head: number;
  /** First seq whose body is there. */
  first: number;
  /** Number of commits. */
  commits: number;
}

type Plain = string | number | null;

/** The check of a row: CRC-32 over its table's name and its fields. */
export function rowCheck(table: string, fields: readonly Plain[]): number {
  return crc32(table + JSON.stringify(fields));
}

/** The same for a row that ends with a blob. */
export function blobCheck(table: string, fields: readonly Plain[], blob: Uint8Array): number {
  return crc32(blob, rowCheck(table, fields));
}

/** What a record's seal is bound to: nothing of its row can be exchanged. */
export function recordContext(journal: string, fields: readonly Plain[]): string {
  return `record ${journal} ${JSON.stringify(fields)}`;
}

export function answerContext(journal: string, seq: number): string {
  return `answer ${journal} ${seq}`;
}
