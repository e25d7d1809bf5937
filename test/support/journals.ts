/** Journals in folders of their own, for tests; all of it is gone when the test ends. */

import { cpSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { Journal, JournalOptions } from "../../proxy/journal/journal.ts";
import { openJournal } from "../../proxy/journal/journal-start.ts";
import type { JournalRecord, NewRecord, NodeRow, StoredAck } from "../../proxy/record.ts";

export function journalOptions(folder: string, more: Partial<JournalOptions> = {}): JournalOptions {
  return {
    dataDir: join(folder, "data"),
    keyFile: join(folder, "journal.key"),
    headFile: join(folder, "journal.head"),
    cluster: "test",
    maxBytes: 64 * 1024 * 1024,
    idempotencyWindow: 3_600_000,
    retention: null,
    ...more,
  };
}

/** An open journal; closed when the test ends. */
export async function openTestJournal(
  t: TestContext,
  options: JournalOptions,
  {
    committed = () => {},
    failed = () => {},
    empty = true,
  }: {
    committed?: (records: readonly JournalRecord[]) => void;
    failed?: (error: Error) => void;
    empty?: boolean;
  } = {},
): Promise<Journal> {
  const journal = await openJournal(options, [{ name: "app1", empty }], committed, failed);
  t.after(() => journal.close());
  return journal;
}

/** A write; `id` is in its body. */
export function newRecord(id: number | string, more: Partial<NewRecord> = {}): NewRecord {
  return {
    route: "all-1",
    key: `key-${id}`,
    idempotency: null,
    request: {
      method: "POST",
      target: "/register",
      headers: ["content-type", "application/json"],
      body: Buffer.from(JSON.stringify({ username: `user${id}`, password: `secret${id}` })),
    },
    ...more,
  };
}

export function ackOf(seq: number, node: string, more: Partial<StoredAck> = {}): StoredAck {
  return { seq, node, status: 201, attempts: 1, ambiguous: false, firstAt: 1000, at: 1001, ...more };
}

export function nodeRow(name: string, more: Partial<NodeRow> = {}): NodeRow {
  return { name, cursor: 0, member: true, admin: null, reason: null, ...more };
}

/** Every record of the journal, as far as it still has them. */
export async function readAll(journal: Journal): Promise<JournalRecord[]> {
  const records: JournalRecord[] = [];
  for (let from = journal.first; from <= journal.head; ) {
    const some = await journal.read(from, 1000);
    if (some.length === 0) break;
    records.push(...some);
    from = (records.at(-1)?.seq ?? 0) + 1;
  }
  return records;
}

/** A copy of a journal's folder as it is now: what a crash at this moment would leave. */
export function copyFolder(from: string, to: string): string {
  rmSync(to, { recursive: true, force: true });
  cpSync(from, to, { recursive: true });
  return to;
}

/** Contents of all files below a folder, by path. */
export function filesBelow(folder: string): Map<string, Buffer> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  return new Map(
    files.map((entry) => {
      const path = join(entry.parentPath, entry.name);
      return [path, readFileSync(path)];
    }),
  );
}
