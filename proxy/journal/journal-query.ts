/** The journal's answers to questions: what was recorded, and what became of it. */

import { LbError } from "../errors.ts";
import type { NodeRow, StoredAck, WriteStory } from "../record.ts";
import type { Question, ReadReply } from "./journal-batch.ts";
import { answerContext, recordContext } from "./journal-schema.ts";
import { seenBefore } from "./journal-seen.ts";
import type { FullRow, JournalStore } from "./journal-store.ts";
import type { Sealer } from "./seal.ts";

export interface QueryParts {
  readonly id: string;
  readonly store: JournalStore;
  readonly sealer: Sealer;
  readonly idempotencyWindow: number;
}

/** One page of a longer answer; `next` is where to go on, null at the end. */
export interface Page<T> {
  readonly items: readonly T[];
  readonly next: number | null;
}

const READ_RECORDS = 256;
const READ_BYTES = 1024 * 1024;
/** Rows looked at for one page: more would hold up the commits. */
const PAGE_ROWS = 1000;

export function answerQuestion(
  parts: QueryParts,
  question: Exclude<Question, { ask: "purge" | "flush" }>,
): unknown {
  const { store } = parts;
  switch (question.ask) {
    case "read":
      return read(parts, question.from, question.limit);
    case "acked":
      return acked(store, question.node, question.after);
    case "answer":
      return answer(parts, question.seq);
    case "nodes":
      return store.nodes().map(({ id: _, ...row }): NodeRow => row);
    case "story": {
      const row = store.row(question.seq);
      return row ? storyOf(store, row, ackList(store, row.seq)) : null;
    }
    case "seen":
      return seenBefore(store, question, Date.now() - parts.idempotencyWindow);
    case "pending":
      return pending(store, question);
  }
}

/** What the seal is bound to; the same fields, in the same order, as when it was made. */
function fieldsOf(row: FullRow): (string | number | null)[] {
  return [row.seq, row.at, row.route, row.method, row.path, row.key, row.idem_key, row.idem_print];
}

function read({ id, store, sealer }: QueryParts, from: number, limit: number): ReadReply {
  if (from < store.state.first && from <= store.state.head) {
    throw new LbError(
      "journal_purged",
      `seq ${from}: the journal's requests begin at seq ${store.state.first}`,
    );
  }
  const records: ReadReply["records"][number][] = [];
  const plains: Buffer[] = [];
  let bytes = 0;
  for (const row of store.read(from)) {
    if (records.length > 0 && bytes + row.sealed.length > READ_BYTES) break;
    const plain = sealer.open(recordContext(id, fieldsOf(row)), row.sealed);
    bytes += row.sealed.length;
    plains.push(plain);
    const { seq, at, route, key, method, status, aside } = row;
    records.push([seq, at, route, key, method, plain.length, status, aside !== null]);
    if (records.length >= Math.min(limit, READ_RECORDS)) break;
  }
  return { records, bodies: join(plains) };
}

/** In a buffer of its own, to be handed to the main thread. */
function join(parts: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

/** Seqs behind `after` that the node acked, and those that the journal has lost: nothing is left to deliver. */
function acked(store: JournalStore, name: string, after: number): Page<number> {
  const id = store.node(name)?.id;
  const rows = store.acksAfter(after, PAGE_ROWS);
  const last = rows.length === PAGE_ROWS ? (rows.at(-1)?.seq ?? after) : store.state.head;
  const mine = rows.filter((row) => row.acks.some((ack) => ack.node === id)).map((row) => row.seq);
  const lost = store.gaps.flatMap((gap) => range(Math.max(gap.first, after + 1), Math.min(gap.last, last)));
  const items = [...new Set([...mine, ...lost])].sort((a, b) => a - b);
  return { items, next: rows.length === PAGE_ROWS ? last : null };
}

function answer({ id, store, sealer }: QueryParts, seq: number): Uint8Array | null {
  const sealed = store.answer(seq);
  return sealed ? join([sealer.open(answerContext(id, seq), sealed)]) : null;
}

function pending(
  store: JournalStore,
  { after, limit, only }: Extract<Question, { ask: "pending" }>,
): Page<WriteStory> {
  const members = store.nodes().filter((node) => node.member);
  const acked = members.length === 0 ? 0 : Math.min(...members.map((node) => node.cursor));
  const rows = store.rows(only === null ? Math.max(after, acked) : after, PAGE_ROWS, only);
  const stories: WriteStory[] = [];
  for (const row of rows) {
    if (stories.length === limit) return { items: stories, next: null };
    const acks = ackList(store, row.seq);
    const everywhere =
      members.length > 0 && members.every((node) => node.cursor >= row.seq || acks.has(node.name));
    if (only !== null || !everywhere) stories.push(storyOf(store, row, acks));
  }
  return { items: stories, next: rows.length === PAGE_ROWS ? (rows.at(-1)?.seq ?? null) : null };
}

/** The last ack of each node, by the node's name. */
function ackList(store: JournalStore, seq: number): Map<string, StoredAck> {
  const acks = new Map<string, StoredAck>();
  for (const { node, ...ack } of store.acksOf(seq)) {
    const name = store.nodeName(node);
    acks.set(name, { seq, node: name, ...ack });
  }
  return acks;
}

function storyOf(store: JournalStore, row: FullRow, acks: ReadonlyMap<string, StoredAck>): WriteStory {
  return {
    seq: row.seq,
    at: row.at,
    route: row.route,
    method: row.method,
    path: row.path,
    keyHash: row.key,
    outcome: row.status,
    setAside: row.aside !== null,
    purged: row.seq < store.state.first,
    acks: [...acks.values()],
  };
}

function range(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, to - from + 1) }, (_, i) => from + i);
}
