import { randomBytes } from "node:crypto";
import { closeSync, openSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { Refusal } from "./answer.ts";

/** The one file that holds all state of this app. */

/** `normal`: survives kill -9; a power cut can take the last writes. `full`: survives that too (an fsync each). */
export type Sync = "normal" | "full";

/** Marks the file as this app's ("lbap"), with the version of its format. */
const APPLICATION_ID = 0x6c626170;
const FORMAT = 1;

const SCHEMA = `
  -- seq: of the user's last change. Negative: made without a balancer, counted by this app.
  CREATE TABLE users (
    username TEXT PRIMARY KEY, password TEXT NOT NULL, seq INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  -- Idempotency keys with the answer that was given.
  CREATE TABLE answers (
    key TEXT PRIMARY KEY, journal TEXT NOT NULL, seq INTEGER NOT NULL,
    status INTEGER NOT NULL, body TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX answers_by_seq ON answers (journal, seq);
  -- How far each balancer's journal has come here; the newest has the highest number.
  CREATE TABLE journals (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, lastSeq INTEGER NOT NULL, cursor INTEGER NOT NULL
  ) STRICT;
  -- A new file, or a copy taken in, is a new state: it gets a new random id.
  CREATE TABLE state (id TEXT NOT NULL) STRICT;
  PRAGMA application_id = ${APPLICATION_ID};
  PRAGMA user_version = ${FORMAT};
`;

/** Opens the file, or makes it (0600: it holds hashes of passwords). Throws when it is something else's. */
export function openDatabase(file: string, sync: Sync = "normal"): DatabaseSync {
  closeSync(openSync(file, "a", 0o600));
  const db = new DatabaseSync(file);
  try {
    db.exec(`PRAGMA journal_mode = wal; PRAGMA synchronous = ${sync}; PRAGMA journal_size_limit = 16777216;`);
    if (isEmpty(db)) create(db);
    checkFormat(db, file);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/** All of `work` or, when it throws, nothing. */
export function transaction<T>(db: DatabaseSync, work: () => T): T {
  begin(db);
  try {
    const result = work();
    db.exec("COMMIT");
    return result;
  } catch (error) {
    if (db.isTransaction) db.exec("ROLLBACK"); // a full disk has undone it already
    throw error;
  }
}

/** Takes the one right to write; throws Refusal 503 while a snapshot that is being taken in has it. */
export function begin(db: DatabaseSync): void {
  try {
    db.exec("BEGIN IMMEDIATE");
  } catch (cause) {
    if ((cause as { errcode?: number }).errcode !== SQLITE_BUSY) throw cause;
    throw new Refusal(503, "importing", "a snapshot is being taken in; try again", { "retry-after": "1" });
  }
}

/** A second connection that keeps seeing the state as it is now, whatever is written meanwhile. */
export function freeze(file: string): DatabaseSync {
  const db = new DatabaseSync(file, { readOnly: true });
  // In SQLite it is the first read after BEGIN that fixes what the transaction sees.
  db.exec("BEGIN; SELECT id FROM state;");
  return db;
}

export interface Health {
  readonly stateId: string;
  /** Last write answered, of the newest journal (0: none); `journal` is that journal's id. */
  readonly lastSeq: number;
  readonly journal: string | null;
}

export function readHealth(db: DatabaseSync): Health {
  // The app's own count ("") only where no balancer has ever been.
  const row = db
    .prepare(
      `SELECT state.id AS stateId, journals.id AS journal, lastSeq FROM state LEFT JOIN journals
       ORDER BY journals.id = '', number DESC LIMIT 1`,
    )
    .get() as { stateId: string; journal: string | null; lastSeq: number | null };
  return { stateId: row.stateId, lastSeq: row.lastSeq ?? 0, journal: row.journal || null };
}

/** Says that what the file holds from now on is not what it held before. */
export function renewStateId(db: DatabaseSync): void {
  db.exec("DELETE FROM state");
  db.prepare("INSERT INTO state VALUES (?)").run(randomBytes(12).toString("hex"));
}

const SQLITE_BUSY = 5;

function isEmpty(db: DatabaseSync): boolean {
  return db.prepare("SELECT 1 FROM sqlite_schema").get() === undefined;
}

function create(db: DatabaseSync): void {
  transaction(db, () => {
    db.exec(SCHEMA);
    renewStateId(db);
  });
}

function checkFormat(db: DatabaseSync, file: string): void {
  const id = db.prepare("PRAGMA application_id").get()?.application_id;
  const format = db.prepare("PRAGMA user_version").get()?.user_version;
  if (id !== APPLICATION_ID) throw new Error(`${file} is the database of something else`);
  if (format !== FORMAT) throw new Error(`${file}: expected format ${FORMAT}, got ${format}`);
}
