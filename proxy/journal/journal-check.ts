/**
 * The look at a journal before it is opened. It reads everything and changes nothing: a journal that is
 * refused stays exactly as it was found, its write-ahead log included.
 */

import { DatabaseSync } from "node:sqlite";
import { crc32 } from "node:zlib";
import { LbError } from "../errors.ts";
import type { Mark } from "./head-mark.ts";
import { APPLICATION_ID, CHECKED, FORMAT, GROWING, rowCheck, type State, TABLES } from "./journal-schema.ts";

/** What a sound journal says of itself. */
export interface Looked extends State {
  readonly id: string;
  readonly cluster: string;
  readonly keyId: string;
  readonly foundedEmpty: boolean;
  /** Minor of its format. */
  readonly minor: number;
  /** Last seq that is noted as lost; the next record comes behind it. */
  readonly gapEnd: number;
}

/**
 * Reads and checks the journal; null where its making was cut short, so that there is nothing in it.
 * @param whole else without its pages and what grows with the records: see closed-stamp.ts
 */
export function lookAt(file: string, whole = true): Looked | null {
  const db = new DatabaseSync(file, { readOnly: true });
  try {
    if (readAll(db, "SELECT name FROM sqlite_schema").length === 0) return null;
    const application = Number(readAll(db, "PRAGMA application_id")[0]?.[0]);
    if (application !== APPLICATION_ID) {
      throw corrupt(`${file}: expected application id ${APPLICATION_ID}, got ${application}: not a journal`);
    }
    const meta = readMeta(db);
    checkFormat(meta);
    checkSchema(db, meta);
    if (whole) checkPages(db);
    for (const table of Object.keys(CHECKED)) if (whole || !GROWING.includes(table)) checkRows(db, table);
    const state = readState(db);
    checkOrder(db, state);
    return {
      ...state,
      id: need(meta, "id"),
      cluster: need(meta, "cluster"),
      keyId: need(meta, "key"),
      foundedEmpty: need(meta, "founded_empty") === "1",
      minor: Number(need(meta, "format").split(".")[1]),
      gapEnd: Number(readAll(db, "SELECT ifnull(max(last), 0) FROM gaps")[0]?.[0]),
    };
  } finally {
    db.close();
  }
}

/** Throws unless the journal holds all that the mark says was on disk. */
export function checkMark(looked: Looked, mark: Mark | null, headFile: string): void {
  if (mark === null) {
    if (looked.commits === 0) return;
    throw new LbError(
      "journal_behind_mark",
      `head mark ${headFile}: expected one for the journal at seq ${looked.head}, got no file; without it a lost end of the journal would go unnoticed`,
    );
  }
  if (mark.journal !== looked.id) {
    throw new LbError(
      "journal_behind_mark",
      `head mark ${headFile}: expected one of journal ${looked.id}, got one of journal ${mark.journal}`,
    );
  }
  if (looked.head >= mark.head && looked.commits >= mark.commit) return;
  throw new LbError(
    "journal_behind_mark",
    `the journal ends at seq ${looked.head} (commit ${looked.commits}), but the head mark ${headFile} says that seq ${mark.head} (commit ${mark.commit}) was on disk: its end is damaged, or an older copy was put back`,
  );
}

function readMeta(db: DatabaseSync): Map<string, string> {
  checkRows(db, "meta");
  return new Map(
    readAll(db, "SELECT name, value FROM meta").map(([name, value]) => [String(name), String(value)]),
  );
}

function checkFormat(meta: Map<string, string>): void {
  const format = need(meta, "format");
  const major = Number(format.split(".")[0]);
  if (major === FORMAT.major) return;
  throw new LbError("journal_newer_format", `journal format: expected ${FORMAT.major}.x, got ${format}`);
}

function checkSchema(db: DatabaseSync, meta: Map<string, string>): void {
  // A newer minor may have added columns.
  if (need(meta, "format") !== `${FORMAT.major}.${FORMAT.minor}`) return;
  const found = new Map(readAll(db, "SELECT name, sql FROM sqlite_schema").map(([name, sql]) => [name, sql]));
  for (const [name, sql] of Object.entries(TABLES)) {
    if (found.get(name) !== sql) throw corrupt(`table ${name}: expected "${sql}", got "${found.get(name)}"`);
  }
}

/** SQLite's own check: the trees, the free list, and that the index and its table agree. */
function checkPages(db: DatabaseSync): void {
  const [result] = readAll(db, "PRAGMA integrity_check(1)")[0] ?? [];
  if (result !== "ok") throw corrupt(`integrity_check: expected ok, got ${String(result)}`);
}

function checkRows(db: DatabaseSync, table: string): void {
  const columns = CHECKED[table] ?? [];
  const rows = db.prepare(`SELECT ${columns.join(", ")}, crc FROM ${table}`);
  rows.setReturnArrays(true);
  for (const row of rows.iterate() as unknown as Iterable<Row>) checkRow(table, row);
}

type Row = (string | number | null | Uint8Array)[];

function checkRow(table: string, row: Row): void {
  const crc = row.pop();
  const blob = row.at(-1) instanceof Uint8Array ? (row.pop() as Uint8Array) : null;
  const fields = rowCheck(table, row as (string | number | null)[]);
  if ((blob ? crc32(blob, fields) : fields) === crc) return;
  throw corrupt(`table ${table}, row ${String(row[0])}: its check does not fit its fields`);
}

/**
 * A part of a growing table of a journal that is open.
 * @param after seq
 * @returns the last seq that was read; null: there are no more
 */
export function checkPart(db: DatabaseSync, table: string, after: number, limit: number): number | null {
  const columns = CHECKED[table] ?? [];
  const sql = `SELECT ${columns.join(", ")}, crc FROM ${table} WHERE seq > ? ORDER BY seq LIMIT ?`;
  const statement = db.prepare(sql);
  statement.setReturnArrays(true);
  const rows = statement.all(after, limit) as unknown as Row[];
  for (const row of rows) checkRow(table, row);
  const last = rows.at(-1)?.[0];
  return last === undefined ? null : Number(last);
}

function readState(db: DatabaseSync): State {
  const row = readAll(db, "SELECT head, first, commits FROM state WHERE id = 1")[0];
  if (!row) throw corrupt("table state: expected one row, got none");
  return { head: Number(row[0]), first: Number(row[1]), commits: Number(row[2]) };
}

/** No seq is missing: records and gaps run up to the head, bodies from `first`, and nothing is beyond the head. */
function checkOrder(db: DatabaseSync, { head, first }: State): void {
  const gaps = readAll(db, "SELECT first, last FROM gaps ORDER BY first").map(
    ([a, b]) => [Number(a), Number(b)] as const,
  );
  const lost = (from: number, to: number) =>
    gaps.reduce((sum, [a, b]) => sum + Math.max(0, Math.min(b, to) - Math.max(a, from) + 1), 0);
  const span = (table: string) => {
    const [min, max, count] = readAll(db, `SELECT min(seq), max(seq), count(*) FROM ${table}`)[0] ?? [];
    return {
      min: min === null ? head + 1 : Number(min),
      max: max === null ? 0 : Number(max),
      count: Number(count),
    };
  };
  const records = span("records");
  const bodies = span("bodies");
  expectCount("records", records.count, head - records.min + 1 - lost(records.min, head));
  expectCount("bodies", bodies.count, Math.max(0, head - first + 1) - lost(first, head));
  if (bodies.min < first || records.min > bodies.min)
    throw corrupt(`bodies: expected from seq ${first}, got ${bodies.min}`);
  for (const table of ["records", "bodies", "acks", "outcomes", "answers", "aside"]) {
    const { max } = span(table);
    if (max > head) throw corrupt(`table ${table}: expected nothing behind seq ${head}, got seq ${max}`);
  }
  const cursor = Number(readAll(db, "SELECT ifnull(max(cursor), 0) FROM nodes")[0]?.[0]);
  if (cursor > head) throw corrupt(`nodes: expected no cursor behind seq ${head}, got ${cursor}`);
}

function expectCount(table: string, got: number, expected: number): void {
  if (got !== expected) throw corrupt(`table ${table}: expected ${expected} rows, got ${got}`);
}

function need(meta: Map<string, string>, name: string): string {
  const value = meta.get(name);
  if (value === undefined) throw corrupt(`table meta: expected a row "${name}", got none`);
  return value;
}

function readAll(db: DatabaseSync, sql: string): (string | number | null)[][] {
  const statement = db.prepare(sql);
  statement.setReturnArrays(true);
  return statement.all() as unknown as (string | number | null)[][];
}

function corrupt(detail: string): LbError {
  return new LbError("journal_corrupt", detail);
}
