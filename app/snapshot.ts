import { createHash, type Hash } from "node:crypto";
import type { DatabaseSync } from "node:sqlite";
import { Readable } from "node:stream";
import { Refusal } from "./answer.ts";
import { begin, freeze, openDatabase, renewStateId } from "./database.ts";

/**
 * All state as lines of JSON: `{"lbctl-app":1}`, then each row as `["users",[…]]`, then `{"sha256":…}` over
 * every line before it. The remembered keys are part of it: a write may come again after the copy.
 */
const TABLES = {
  users: ["username", "password", "seq"],
  journals: ["number", "id", "lastSeq", "cursor"],
  answers: ["key", "journal", "seq", "status", "body"],
} as const satisfies Record<string, readonly string[]>;

const HEADER = '{"lbctl-app":1}\n';
const CHUNK = 64 * 1024;
const MAX_LINE = 1024 * 1024;

type Table = keyof typeof TABLES;

/** The state as it is at the time of the call, whatever is written while the stream is read. */
export function exportSnapshot(file: string): Readable {
  const db = freeze(file);
  return Readable.from(chunks(db)).once("close", () => db.close());
}

function* chunks(db: DatabaseSync): Generator<string> {
  const hash = createHash("sha256");
  let chunk = HEADER;
  for (const line of rows(db)) {
    chunk += line;
    if (chunk.length < CHUNK) continue;
    hash.update(chunk);
    yield chunk;
    chunk = "";
  }
  hash.update(chunk);
  yield `${chunk}${trailer(hash)}`;
}

function* rows(db: DatabaseSync): Generator<string> {
  for (const [table, columns] of Object.entries(TABLES)) {
    for (const row of db.prepare(`SELECT ${columns.join(", ")} FROM ${table}`).iterate()) {
      yield `${JSON.stringify([table, columns.map((column) => row[column])])}\n`;
    }
  }
}

/**
 * Replaces all state by the snapshot that `stream` carries, or changes nothing (throws Refusal). One
 * transaction on a connection of its own: until it commits, logins see the old state, and writes are told to
 * come back. The state is a new one afterwards, and so is its id.
 */
export async function importSnapshot(file: string, stream: AsyncIterable<Uint8Array>): Promise<void> {
  using db = openDatabase(file, "full"); // closing it without COMMIT undoes everything
  begin(db);
  for (const table of Object.keys(TABLES)) db.exec(`DELETE FROM ${table}`);
  await insertRows(db, stream);
  renewStateId(db);
  db.exec("COMMIT");
}

async function insertRows(db: DatabaseSync, stream: AsyncIterable<Uint8Array>): Promise<void> {
  const insert = inserters(db);
  const hash = createHash("sha256");
  let position = 0;
  let complete = false;
  for await (const line of lines(stream)) {
    if (complete) throw bad(position, "nothing more");
    if (position === 0 && line !== HEADER) throw bad(position, HEADER.trim());
    if (line.startsWith('{"sha256"')) {
      if (line !== trailer(hash)) throw bad(position, "the checksum of what came before");
      complete = true;
    } else {
      hash.update(line);
      if (position > 0) insert(line, position);
    }
    position += 1;
  }
  if (!complete) throw bad(position, "more: the snapshot is cut off");
}

function inserters(db: DatabaseSync): (line: string, position: number) => void {
  const prepared = new Map(
    Object.entries(TABLES).map(([table, columns]) => [
      table,
      db.prepare(`INSERT INTO ${table} VALUES (${columns.map(() => "?").join(", ")})`),
    ]),
  );
  return (line, position) => {
    try {
      const [table, values] = JSON.parse(line) as [Table, (string | number)[]];
      prepared.get(table)?.run(...values) ?? raise(`no table ${table}`);
    } catch (cause) {
      const full = (cause as { errcode?: number }).errcode === SQLITE_FULL;
      throw full ? cause : bad(position, "a row of this app");
    }
  };
}

/** Splits into lines, each with its "\n"; a last one without it stays as it is. */
async function* lines(stream: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of stream) {
    rest += decoder.decode(chunk, { stream: true });
    let from = 0;
    for (let end = rest.indexOf("\n"); end >= 0; end = rest.indexOf("\n", from)) {
      yield rest.slice(from, end + 1);
      from = end + 1;
    }
    rest = rest.slice(from);
    if (rest.length > MAX_LINE) throw new Refusal(400, "bad_snapshot", "a line is too long");
  }
  if (rest !== "") yield rest;
}

const SQLITE_FULL = 13;

function trailer(hash: Hash): string {
  return `${JSON.stringify({ sha256: hash.copy().digest("hex") })}\n`;
}

function bad(position: number, expected: string): Refusal {
  return new Refusal(400, "bad_snapshot", `line ${position + 1}: expected ${expected}`);
}

function raise(message: string): never {
  throw new Error(message);
}
