/** The main thread's side of the journal: collects calls, sends them a batch at a time, tells what became of them. */

import { once } from "node:events";
import type { Worker } from "node:worker_threads";
import { LbError } from "../errors.ts";
import type { JournalRecord, NewRecord, NodeRow, StoredAck, StoredAnswer, WriteStory } from "../record.ts";
import type { Appended, Journal, JournalLimits, JournalMeter, JournalStats, Only, Seen } from "./journal.ts";
import {
  type Answered,
  Batch,
  type BatchReply,
  DISK_FULL,
  type DiskRoom,
  type FromWorker,
  FULL,
  MISMATCH,
  type Op,
  type Question,
  RECORDED,
  type ReadReply,
  type ToWorker,
  unpack,
} from "./journal-batch.ts";
import type { Page } from "./journal-query.ts";
import { closedError, crashed, fromWire, recordOf, recordsOf } from "./journal-wire.ts";
import { type MacKeys, type MacPurpose, macOf } from "./seal.ts";

/** ms between the commits of a busy journal: a little waiting makes one fsync carry several writes. */
const GATHER = 4;
/** ms after which acks that nothing else carried are stored. */
const LINGER = 50;

/** What the worker says when it has the journal open. */
export type Opened = FromWorker & { readonly news: "opened" };

/** Whom the journal tells. */
export interface JournalListeners {
  readonly committed: (records: readonly JournalRecord[]) => void;
  readonly failed: (error: LbError) => void;
  readonly meter: JournalMeter | null;
}

/** The journal as the rest of the balancer knows it, over its worker. */
export class WorkerJournal implements Journal {
  readonly id: string;
  readonly foundedEmpty: boolean;
  head: number;
  first: number;
  readonly stats: { -readonly [K in keyof JournalStats]: JournalStats[K] };
  readonly #worker: Worker;
  readonly #macKeys: MacKeys;
  readonly #committed: (records: readonly JournalRecord[]) => void;
  readonly #failed: (error: LbError) => void;
  readonly #meter: JournalMeter | null;
  readonly #waiting: Batch[] = [new Batch()];
  readonly #cursors = new Map<string, number>();
  #inFlight: Batch | null = null;
  #postedAt = 0;
  #cancelSoon: (() => void) | null = null;
  #later: NodeJS.Timeout | null = null;
  /** Why nothing is accepted any more. */
  #over: LbError | null = null;
  #closing: Promise<void> | null = null;

  constructor(worker: Worker, opened: Opened, maxBytes: number, listeners: JournalListeners) {
    this.#worker = worker;
    this.id = opened.id;
    this.foundedEmpty = opened.foundedEmpty;
    this.head = opened.head;
    this.first = opened.first;
    const { usedBytes, disk } = opened;
    this.stats = {
      commits: 0,
      commitTime: 0,
      appended: 0,
      usedBytes,
      maxBytes,
      diskFree: disk.free,
      diskSize: disk.size,
    };
    this.#macKeys = opened.macKeys;
    this.#committed = listeners.committed;
    this.#failed = listeners.failed;
    this.#meter = listeners.meter;
    worker.on("message", (message: FromWorker) => void this.#receive(message));
    worker.on("error", (cause) => void this.#fail(crashed(cause)));
    worker.on("exit", (code) => void this.#fail(crashed(new Error(`exit code ${code}`))));
  }

  get activeTime(): number {
    return this.#worker.performance.eventLoopUtilization().active;
  }

  mac(purpose: MacPurpose, ...parts: (string | Uint8Array)[]): string {
    return macOf(this.#macKeys[purpose], parts);
  }

  append(record: NewRecord): Promise<Appended> {
    return new Promise((resolve, reject) => {
      this.#add((batch) => void batch.append({ record, resolve, reject }), reject);
    });
  }

  seen({ key, fingerprint }: NonNullable<NewRecord["idempotency"]>): Promise<Seen | null> {
    return this.#ask({ ask: "seen", key, fingerprint });
  }

  ack(ack: StoredAck): void {
    this.#add((batch) => void batch.ack(ack));
  }

  settle(seq: number, status: number, answer: StoredAnswer | null): void {
    this.#add((batch) => void batch.settle(seq, status, answer));
  }

  moveCursor(node: string, cursor: number): void {
    this.#add((batch) => void batch.cursor(node, cursor));
  }

  storedCursor(node: string): number {
    return this.#cursors.get(node) ?? 0;
  }

  async read(from: number, limit: number): Promise<JournalRecord[]> {
    return recordsOf(await this.#ask<ReadReply>({ ask: "read", from, limit }));
  }

  ackedBeyond(node: string, cursor: number): Promise<number[]> {
    return this.#pages((after) => ({ ask: "acked", node, after }), cursor);
  }

  async answer(seq: number): Promise<StoredAnswer | null> {
    const bytes = await this.#ask<Uint8Array | null>({ ask: "answer", seq });
    if (bytes === null) return null;
    const { head, body } = unpack(bytes);
    const [status, headers, tooLarge = false] = head as [number, string[], boolean?];
    return tooLarge ? { status, headers, body, tooLarge } : { status, headers, body };
  }

  nodes(): Promise<NodeRow[]> {
    return this.#ask({ ask: "nodes" });
  }

  saveNode(row: NodeRow): Promise<void> {
    return this.#change({ op: "saveNode", row, reset: false });
  }

  resetNode(row: NodeRow): Promise<void> {
    return this.#change({ op: "saveNode", row, reset: true });
  }

  removeNode(name: string): Promise<void> {
    return this.#change({ op: "removeNode", name });
  }

  setAside(seq: number, aside: boolean): Promise<void> {
    return this.#change({ op: "setAside", seq, aside });
  }

  story(seq: number): Promise<WriteStory | null> {
    return this.#ask({ ask: "story", seq });
  }

  pending(limit: number, only: Only | null = null): Promise<WriteStory[]> {
    return this.#pages((after, found) => ({ ask: "pending", after, limit: limit - found, only }), 0);
  }

  purge(early = false): Promise<number> {
    return this.#ask({ ask: "purge", early });
  }

  configure(limits: JournalLimits): void {
    if (this.#over) return;
    this.stats.maxBytes = limits.maxBytes;
    this.#worker.postMessage({ limits } satisfies ToWorker);
  }

  flush(): Promise<void> {
    return this.#ask({ ask: "flush" });
  }

  close(): Promise<void> {
    this.#closing ??= this.#close(this.flush());
    return this.#closing;
  }

  async #close(flushed: Promise<void>): Promise<void> {
    await flushed.catch(() => {});
    // It failed before or meanwhile, and has nothing to say any more.
    if (this.#over) return;
    this.#over = closedError();
    this.#worker.postMessage("close" satisfies ToWorker);
    await once(this.#worker, "exit");
  }

  /** Page after page, so that a long answer never holds up a commit. */
  async #pages<T>(question: (after: number, found: number) => Question, start: number): Promise<T[]> {
    const items: T[] = [];
    for (let after: number | null = start; after !== null; ) {
      const page: Page<T> = await this.#ask<Page<T>>(question(after, items.length));
      items.push(...page.items);
      after = page.next;
    }
    return items;
  }

  #ask<T>(question: Question): Promise<T> {
    return new Promise((resolve, reject) => {
      const waiting = { resolve: resolve as (value: unknown) => void, reject };
      this.#add((batch) => void batch.ask(question, waiting), reject);
    });
  }

  #change(op: Op): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#add((batch) => void batch.change(op, { resolve: () => resolve(), reject }), reject);
    });
  }

  /** What nobody waits for is dropped when the journal is over: it would be done again after the next start. */
  #add(put: (batch: Batch) => void, reject?: (error: unknown) => void): void {
    if (this.#over || this.#closing) {
      reject?.(this.#over ?? closedError());
      return;
    }
    let batch = this.#waiting.at(-1);
    if (!batch || batch.full) {
      batch = new Batch();
      this.#waiting.push(batch);
    }
    put(batch);
    if (!this.#inFlight) this.#schedule(batch);
  }

  #schedule(batch: Batch): void {
    if (!batch.urgent) {
      this.#later ??= setTimeout(() => void this.#post(), LINGER);
      return;
    }
    if (this.#cancelSoon) return;
    const wait = this.#postedAt + GATHER - performance.now();
    if (wait > 0) {
      const timer = setTimeout(() => void this.#post(), wait);
      this.#cancelSoon = () => void clearTimeout(timer);
    } else {
      // An immediate, so that all requests that were read in this turn of the event loop share the commit.
      const immediate = setImmediate(() => void this.#post());
      this.#cancelSoon = () => void clearImmediate(immediate);
    }
  }

  /** One batch at a time: what comes while the worker commits is the next one. */
  #post(): void {
    this.#unschedule();
    const batch = this.#waiting[0];
    if (this.#inFlight || this.#over || !batch || batch.empty) return;
    this.#waiting.shift();
    this.#inFlight = batch;
    this.#postedAt = performance.now();
    const message = batch.message();
    this.#worker.postMessage(message satisfies ToWorker, [message.bodies.buffer]);
  }

  #unschedule(): void {
    if (this.#later) clearTimeout(this.#later);
    this.#cancelSoon?.();
    this.#later = null;
    this.#cancelSoon = null;
  }

  #receive(message: FromWorker): void {
    if (message.news === "batch") this.#done(message.reply);
    else if (message.news === "purged") this.#update(message);
    else if (message.news === "disk") this.#room(message.disk);
    else if (message.news === "failed") this.#fail(fromWire(message.error));
  }

  #update(news: { readonly first: number; readonly usedBytes: number }): void {
    if (news.first > this.first) this.#meter?.purged(news.first - this.first);
    this.first = news.first;
    this.stats.usedBytes = news.usedBytes;
  }

  #room({ free, size }: DiskRoom): void {
    this.stats.diskFree = free;
    this.stats.diskSize = size;
  }

  #done(reply: BatchReply): void {
    const batch = this.#inFlight;
    this.#inFlight = null;
    if (!batch) return;
    this.#update(reply);
    this.head = reply.head;
    this.stats.commits += reply.commitTime > 0 ? 1 : 0;
    this.stats.commitTime += reply.commitTime;
    if (reply.stored) for (const op of batch.ops) this.#stored(op);
    try {
      this.#tell(batch, reply.appended);
    } finally {
      settleAppends(batch, reply.appended);
      settleChanges(batch, reply.stored);
      batch.asked.forEach((waiting, i) => void settleQuestion(waiting, reply.answers[i]));
      if (reply.syncTime > 0) this.#measure(batch, reply);
      const next = this.#waiting[0];
      if (next && !next.empty) this.#schedule(next);
    }
  }

  #stored(op: Op): void {
    if (op.op === "cursors") op.nodes.forEach((node, i) => void this.#cursors.set(node, op.cursors[i] ?? 0));
    else if (op.op === "saveNode") this.#cursors.set(op.row.name, op.row.cursor);
    else if (op.op === "removeNode") this.#cursors.delete(op.name);
  }

  #measure(batch: Batch, { appended, head, commitTime, syncTime, markTime }: BatchReply): void {
    const meter = this.#meter;
    if (meter === null) return;
    let records = 0;
    let bytes = 0;
    batch.appends.forEach(({ since, length }, i) => {
      const [kind, seq = 0] = appended.slice(i * 3, i * 3 + 2);
      if (kind !== RECORDED) return;
      records++;
      bytes += length;
      meter.appended(performance.now() - since, seq);
    });
    meter.committed({ records, bytes, ms: commitTime, syncMs: syncTime, markMs: markTime, head });
  }

  #tell(batch: Batch, appended: readonly number[]): void {
    const records: JournalRecord[] = [];
    batch.appends.forEach(({ record }, i) => {
      const [kind, seq = 0, at = 0] = appended.slice(i * 3, i * 3 + 3);
      if (kind === RECORDED) records.push(recordOf(seq, at, record));
    });
    this.stats.appended += records.length;
    if (records.length > 0) this.#committed(records);
  }

  #fail(error: LbError): void {
    this.#unschedule();
    if (this.#over) return;
    this.#over = error;
    this.#inFlight?.reject(error);
    for (const batch of this.#waiting) batch.reject(error);
    this.#waiting.length = 0;
    this.#inFlight = null;
    void this.#worker.terminate();
    this.#failed(error);
  }
}

function settleAppends(batch: Batch, appended: readonly number[]): void {
  batch.appends.forEach(({ resolve, reject }, i) => {
    const [kind, seq = 0] = appended.slice(i * 3, i * 3 + 2);
    if (kind === FULL)
      reject(new LbError("journal_full", "there is no room for another record; nothing was recorded"));
    else if (kind === DISK_FULL)
      reject(new LbError("disk_full", "the disk has no room for another record; nothing was recorded"));
    else resolve({ kind: kind === RECORDED ? "recorded" : kind === MISMATCH ? "mismatch" : "repeat", seq });
  });
}

function settleChanges(batch: Batch, stored: boolean): void {
  for (const { resolve, reject } of batch.changes) {
    if (stored) resolve(undefined);
    else reject(new LbError("journal_full", "there is no room for the change; nothing was stored"));
  }
}

function settleQuestion(waiting: Batch["asked"][number], answered: Answered | undefined): void {
  if (answered && "value" in answered) waiting.resolve(answered.value);
  else
    waiting.reject(answered ? fromWire(answered.error) : new Error("journal: a question without an answer"));
}
