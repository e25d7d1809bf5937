/** All the SQL of the journal that is open: one connection, used by the worker thread alone. */

import { rmSync } from "node:fs";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import type { AdminState, NodeRow } from "../record.ts";
import type { Only } from "./journal.ts";
import { type PackedAck, packAcks, unpackAcks } from "./journal-acks.ts";
import { checkPart } from "./journal-check.ts";
import { blobCheck, PAGE, rowCheck, type State } from "./journal-schema.ts";

export interface StoredRow {
  readonly seq: number;
  readonly at: number;
  readonly route: string;
  readonly method: string;
  readonly path: string;
  readonly key: string | null;
  readonly idem_key: string | null;
  readonly idem_print: string | null;
}

/** A record with what became of it since. */
export interface FullRow extends StoredRow {
  readonly status: number | null;
  readonly aside: number | null;
}

export interface NodeEntry extends NodeRow {
  readonly id: number;
}

const RECORD = "r.seq, r.at, r.route, r.method, r.path, r.key, r.idem_key, r.idem_print";
const FULL_ROW = `${RECORD}, o.status, s.at AS aside FROM records r LEFT JOIN outcomes o USING (seq) LEFT JOIN aside s USING (seq)`;

const SQL = {
  begin: "BEGIN IMMEDIATE",
  commit: "COMMIT",
  rollback: "ROLLBACK",
  checkpoint: "PRAGMA wal_checkpoint(PASSIVE)",
  pages: "PRAGMA page_count",
  free: "PRAGMA freelist_count",
  state: "SELECT head, first, commits FROM state WHERE id = 1",
  saveState: "UPDATE state SET head = ?, first = ?, commits = ?, crc = ? WHERE id = 1",
  record:
    "INSERT INTO records (seq, at, route, method, path, key, idem_key, idem_print, crc) VALUES (?,?,?,?,?,?,?,?,?)",
  body: "INSERT INTO bodies (seq, sealed, crc) VALUES (?,?,?)",
  latest:
    "SELECT r.seq, r.at, r.idem_print, o.status FROM records r LEFT JOIN outcomes o USING (seq) WHERE r.idem_key = ? ORDER BY r.seq DESC LIMIT 1",
  acks: "INSERT OR REPLACE INTO acks (seq, packed, crc) VALUES (?,?,?)",
  outcome: "INSERT OR REPLACE INTO outcomes (seq, status, crc) VALUES (?,?,?)",
  answer: "INSERT OR REPLACE INTO answers (seq, sealed, crc) VALUES (?,?,?)",
  aside: "INSERT OR REPLACE INTO aside (seq, at, crc) VALUES (?,?,?)",
  unaside: "DELETE FROM aside WHERE seq = ?",
  nodes:
    "SELECT id, name, cursor, member, history, state_id, admin, reason, removed, url FROM nodes ORDER BY id",
  node: "INSERT OR REPLACE INTO nodes (id, name, cursor, member, history, state_id, admin, reason, removed, crc, url) VALUES (?,?,?,?,?,?,?,?,?,?,?)",
  gaps: "SELECT first, last FROM gaps ORDER BY first",
  read: `SELECT b.sealed, ${FULL_ROW} JOIN bodies b USING (seq) WHERE seq >= ? ORDER BY seq`,
  row: `SELECT ${FULL_ROW} WHERE seq = ?`,
  rows: `SELECT ${FULL_ROW} WHERE seq > ? ORDER BY seq LIMIT ?`,
  asides: `SELECT ${FULL_ROW} WHERE seq > ? AND s.seq IS NOT NULL ORDER BY seq LIMIT ?`,
  unsettled: `SELECT ${FULL_ROW} WHERE seq > ? AND o.seq IS NULL ORDER BY seq LIMIT ?`,
  kept: "SELECT sealed FROM answers WHERE seq = ?",
  acksOf: "SELECT packed FROM acks WHERE seq = ?",
  acksAfter: "SELECT seq, packed FROM acks WHERE seq > ? ORDER BY seq LIMIT ?",
  oldBodies:
    "SELECT seq, r.at, length(b.sealed) AS size FROM bodies b JOIN records r USING (seq) WHERE seq >= ? AND seq <= ? ORDER BY seq LIMIT ?",
  oldRows: "SELECT seq, at FROM records WHERE seq < ? ORDER BY seq LIMIT ?",
  dropBodies: "DELETE FROM bodies WHERE seq <= ?",
  dropRecords: "DELETE FROM records WHERE seq <= ?",
  dropAcks: "DELETE FROM acks WHERE seq <= ?",
  dropOutcomes: "DELETE FROM outcomes WHERE seq <= ?",
  dropAnswers: "DELETE FROM answers WHERE seq <= ?",
  dropAside: "DELETE FROM aside WHERE seq <= ?",
} as const;

export class JournalStore {
  readonly #db: DatabaseSync;
  readonly #sql: Record<keyof typeof SQL, StatementSync>;
  #nodes = new Map<string, NodeEntry>();
  #names = new Map<number, string>();
  #highestNode = 0;
  state: State;
  readonly gaps: readonly { readonly first: number; readonly last: number }[];

  /** @param maxBytes see `limit` */
  constructor(file: string, maxBytes: number) {
    this.#db = lockedDatabase(file);
    // Left by the look at the file before it was locked; nobody can be using it now.
    rmSync(`${file}-shm`, { force: true });
    this.limit(maxBytes);
    this.#sql = prepareAll(this.#db);
    this.gaps = this.#sql.gaps.all() as unknown as { first: number; last: number }[];
    this.state = this.#load();
  }

  /** The file never grows beyond so many bytes; what it holds already stays. */
  limit(maxBytes: number): void {
    this.#db.exec(`PRAGMA max_page_count = ${Math.ceil(maxBytes / PAGE)}`);
  }

  begin(): void {
    this.#sql.begin.run();
  }

  /** Counts the commit, and returns when it is fsynced. */
  commit(): void {
    const { head, first } = this.state;
    const commits = this.state.commits + 1;
    this.state.commits = commits;
    this.#sql.saveState.run(head, first, commits, rowCheck("state", [1, head, first, commits]));
    this.#sql.commit.run();
  }

  /** Everything in memory is as it was at `begin`, too. */
  rollback(): void {
    if (this.#db.isTransaction) this.#sql.rollback.run();
    this.state = this.#load();
  }

  /** Moves what the write-ahead log holds into the database, so that the log can start again from its beginning. */
  checkpoint(): void {
    this.#sql.checkpoint.get();
  }

  /** As `checkPart`; throws journal_corrupt. */
  checkPart(table: string, after: number, limit: number): number | null {
    return checkPart(this.#db, table, after, limit);
  }

  close(): void {
    this.#db.close();
  }

  /** Bytes in use: pages that are free for the next record do not count. */
  get usedBytes(): number {
    const pages = Number(this.#sql.pages.get()?.page_count) - Number(this.#sql.free.get()?.freelist_count);
    return pages * PAGE;
  }

  /** Gives the next seq to a record; `seal` gets the row's fields, for its context. */
  append(
    row: Omit<StoredRow, "seq">,
    seal: (fields: readonly (string | number | null)[]) => Uint8Array,
  ): number {
    const seq = Math.max(this.state.head, this.gaps.at(-1)?.last ?? 0) + 1;
    const fields = [seq, row.at, row.route, row.method, row.path, row.key, row.idem_key, row.idem_print];
    const sealed = seal(fields);
    this.#sql.record.run(...fields, rowCheck("records", fields));
    this.#sql.body.run(seq, sealed, blobCheck("bodies", [seq], sealed));
    this.state.head = seq;
    return seq;
  }

  /** The last record with this Idempotency-Key's MAC. */
  latest(
    idempotencyKey: string,
  ): { seq: number; at: number; idem_print: string | null; status: number | null } | undefined {
    return this.#sql.latest.get(idempotencyKey) as ReturnType<JournalStore["latest"]>;
  }

  /** Adds to what is stored of the record; a node's later ack replaces its earlier one. */
  addAcks(seq: number, acks: readonly PackedAck[]): void {
    const nodes = new Set(acks.map((ack) => ack.node));
    const packed = packAcks([...this.acksOf(seq).filter((ack) => !nodes.has(ack.node)), ...acks]);
    this.#sql.acks.run(seq, packed, blobCheck("acks", [seq], packed));
  }

  saveOutcome(seq: number, status: number): void {
    this.#sql.outcome.run(seq, status, rowCheck("outcomes", [seq, status]));
  }

  saveAnswer(seq: number, sealed: Uint8Array): void {
    this.#sql.answer.run(seq, sealed, blobCheck("answers", [seq], sealed));
  }

  setAside(seq: number, at: number | null): void {
    if (at === null) this.#sql.unaside.run(seq);
    else this.#sql.aside.run(seq, at, rowCheck("aside", [seq, at]));
  }

  nodes(): NodeEntry[] {
    return [...this.#nodes.values()];
  }

  node(name: string): NodeEntry | undefined {
    return this.#nodes.get(name);
  }

  /** Name of a node, also of one that was removed since. */
  nodeName(id: number): string {
    return this.#names.get(id) ?? `#${id}`;
  }

  /** A node that is not known, or was removed, gets a new number: acks of an earlier one do not count for it. */
  saveNode(row: NodeRow): void {
    const id = this.#nodes.get(row.name)?.id ?? this.#highestNode + 1;
    this.#writeNode({ ...row, id }, false);
    this.#nodes.set(row.name, { ...row, id });
  }

  removeNode(name: string): void {
    const entry = this.#nodes.get(name);
    if (!entry) return;
    this.#writeNode(entry, true);
    this.#nodes.delete(name);
  }

  #writeNode(entry: NodeEntry, removed: boolean): void {
    const { id, name, cursor, member, history = null, stateId = null, admin, reason, url = null } = entry;
    const fields = [id, name, cursor, member ? 1 : 0, history, stateId, admin, reason, removed ? 1 : 0];
    this.#sql.node.run(...fields, rowCheck("nodes", fields), url);
    this.#names.set(id, name);
    this.#highestNode = Math.max(this.#highestNode, id);
  }

  read(from: number): IterableIterator<FullRow & { sealed: Uint8Array }> {
    return this.#sql.read.iterate(from) as unknown as IterableIterator<FullRow & { sealed: Uint8Array }>;
  }

  row(seq: number): FullRow | undefined {
    return this.#sql.row.get(seq) as FullRow | undefined;
  }

  rows(after: number, limit: number, only: Only | null): FullRow[] {
    const { asides, unsettled, rows } = this.#sql;
    const statement = only === null ? rows : only === "set-aside" ? asides : unsettled;
    return statement.all(after, limit) as unknown as FullRow[];
  }

  answer(seq: number): Uint8Array | null {
    return (this.#sql.kept.get(seq)?.sealed as Uint8Array | undefined) ?? null;
  }

  acksOf(seq: number): PackedAck[] {
    const packed = this.#sql.acksOf.get(seq)?.packed as Uint8Array | undefined;
    return packed ? unpackAcks(packed) : [];
  }

  /** At most `limit` rows of acks for records behind `after`, ascending. */
  acksAfter(after: number, limit: number): { seq: number; acks: PackedAck[] }[] {
    const rows = this.#sql.acksAfter.all(after, limit) as unknown as { seq: number; packed: Uint8Array }[];
    return rows.map(({ seq, packed }) => ({ seq, acks: unpackAcks(packed) }));
  }

  /** Bodies from `first` to `last`, oldest first. */
  oldBodies(last: number, limit: number): { seq: number; at: number; size: number }[] {
    return this.#sql.oldBodies.all(this.state.first, last, limit) as unknown as {
      seq: number;
      at: number;
      size: number;
    }[];
  }

  /** Rows whose bodies are gone, oldest first. */
  oldRows(limit: number): { seq: number; at: number }[] {
    return this.#sql.oldRows.all(this.state.first, limit) as unknown as { seq: number; at: number }[];
  }

  dropBodies(upTo: number): void {
    this.#sql.dropBodies.run(upTo);
    this.state.first = upTo + 1;
  }

  dropRows(upTo: number): void {
    const { dropRecords, dropAcks, dropOutcomes, dropAnswers, dropAside } = this.#sql;
    for (const drop of [dropRecords, dropAcks, dropOutcomes, dropAnswers, dropAside]) drop.run(upTo);
  }

  #load(): State {
    this.#nodes = new Map();
    this.#names = new Map();
    this.#highestNode = 0;
    for (const row of this.#sql.nodes.all() as unknown as StoredNode[]) {
      const { id, name } = row;
      const entry = entryOf(row);
      if (row.removed === 0) this.#nodes.set(name, entry);
      this.#names.set(id, name);
      this.#highestNode = Math.max(this.#highestNode, id);
    }
    return { ...(this.#sql.state.get() as unknown as State) };
  }
}

interface StoredNode {
  readonly id: number;
  readonly name: string;
  readonly cursor: number;
  readonly member: number;
  readonly history: "catching-up" | "lost" | null;
  readonly state_id: string | null;
  readonly admin: AdminState | null;
  readonly reason: string | null;
  readonly removed: number;
  readonly url: string | null;
}

function entryOf({ id, name, cursor, member, history, state_id, admin, reason, url }: StoredNode): NodeEntry {
  const entry = { id, name, cursor, member: member === 1, admin, reason };
  const more = { ...(history && { history }), ...(state_id !== null && { stateId: state_id }) };
  return { ...entry, ...more, ...(url !== null && { url }) };
}

/** A connection that keeps the lock until it is closed; throws SQLITE_BUSY while another has it. */
export function lockedDatabase(file: string): DatabaseSync {
  const db = new DatabaseSync(file);
  try {
    db.exec(
      // Exclusive first: the log's index then lives in memory, and a second process cannot get in at all.
      `PRAGMA locking_mode = EXCLUSIVE; PRAGMA page_size = ${PAGE}; PRAGMA journal_mode = WAL;
       PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0; PRAGMA cache_size = -8192;
       BEGIN IMMEDIATE; COMMIT;`,
    );
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

function prepareAll(db: DatabaseSync): Record<keyof typeof SQL, StatementSync> {
  const entries = Object.entries(SQL).map(([name, text]) => [name, db.prepare(text)]);
  return Object.fromEntries(entries) as Record<keyof typeof SQL, StatementSync>;
}
