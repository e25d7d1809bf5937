import { LbError } from "./errors.ts";
import type { Journal } from "./journal/journal.ts";
import { type RecentRecords, sizeOf } from "./recent-records.ts";
import type { JournalRecord } from "./record.ts";
import { RecordedAt } from "./recorded-at.ts";

/** Records of one read of the journal; records, and bytes of bodies, that one node's loop keeps in memory. */
const PAGE = 128;
const LOOKAHEAD = 512;
const LOOKAHEAD_BYTES = 8 * 1024 * 1024;

export interface FeedEvents {
  /** The next record, in seq order. */
  take(record: JournalRecord): void;
  /** The place of the next one changed without a record: those in between were lost, and given up by an operator. */
  passed(): void;
  /** A read of the journal is over: there may be something to do. */
  ready(): void;
  /** What comes next is not in the journal any more. */
  purged(): void;
}

/**
 * Brings the records to one node's loop, in seq order: from memory while the node keeps up, from the journal
 * when it is behind. Keeps those that wait to be sent.
 */
export class Feed {
  /** Seq of the first record that was not taken yet. */
  next: number;
  readonly #journal: Journal;
  readonly #recent: RecentRecords;
  readonly #recordedAt: RecordedAt;
  readonly #events: FeedEvents;
  readonly #kept = new Map<number, JournalRecord>();
  #bytes = 0;
  #reading = false;
  #stopped = false;

  constructor(journal: Journal, recent: RecentRecords, next: number, events: FeedEvents) {
    this.#journal = journal;
    this.#recent = recent;
    this.#recordedAt = new RecordedAt(journal);
    this.next = next;
    this.#events = events;
  }

  /** Takes what there is up to `last()`, as long as fewer than LOOKAHEAD records are `open()`. */
  load(last: () => number, open: () => number): void {
    while (this.next <= Math.min(this.#journal.head, last())) {
      if (open() >= LOOKAHEAD || this.#bytes >= LOOKAHEAD_BYTES) return;
      const record = this.#recent.get(this.next);
      if (record === undefined) {
        this.#read(last);
        return;
      }
      this.#take(record);
    }
  }

  /** In memory now. */
  get(seq: number): JournalRecord | undefined {
    return this.#kept.get(seq) ?? this.#recent.get(seq);
  }

  /** When it was recorded (ms since the epoch); until the journal has said so: not after that; null: not known. */
  recordedAt(seq: number): number | null {
    return this.get(seq)?.at ?? this.#recordedAt.of(seq) ?? this.#recent.oldestAt;
  }

  /** Reads one record again that was let go; nothing comes of it where it is gone. */
  async reread(seq: number): Promise<JournalRecord | undefined> {
    const [record] = await this.#journal.read(seq, 1).catch((error: unknown) => this.#failed(error));
    return record?.seq === seq ? record : undefined;
  }

  keep(record: JournalRecord): void {
    this.letGo(record.seq);
    this.#kept.set(record.seq, record);
    this.#bytes += sizeOf(record);
  }

  letGo(seq: number): void {
    const record = this.#kept.get(seq);
    if (record === undefined) return;
    this.#bytes -= sizeOf(record);
    this.#kept.delete(seq);
  }

  /** Seqs that are kept. */
  get kept(): number[] {
    return [...this.#kept.keys()];
  }

  /** Goes on from another place; what was kept is let go. */
  restart(next: number): void {
    this.next = next;
    this.#kept.clear();
    this.#bytes = 0;
  }

  stop(): void {
    this.#stopped = true;
    this.restart(this.next);
  }

  /** One read of the journal at a time. */
  #read(last: () => number): void {
    if (this.#reading) return;
    this.#reading = true;
    const [from, head] = [this.next, this.#journal.head];
    this.#journal.read(from, PAGE).then(
      (records) => {
        this.#reading = false;
        if (this.#stopped) return;
        // A restart may have moved the place meanwhile.
        if (this.next === from) this.#takeIn(records, head, last());
        this.#events.ready();
      },
      (error: unknown) => {
        this.#reading = false;
        this.#failed(error);
      },
    );
  }

  /** Any other failure is the journal's own: its owner hears of it and stops the process. */
  #failed(error: unknown): JournalRecord[] {
    if (error instanceof LbError && error.code === "journal_purged") this.#events.purged();
    return [];
  }

  #takeIn(records: readonly JournalRecord[], head: number, last: number): void {
    for (const record of records) if (record.seq <= last) this.#take(record);
    if (records.length > 0) return;
    this.next = head + 1;
    this.#events.passed();
  }

  #take(record: JournalRecord): void {
    this.next = record.seq + 1;
    this.#events.take(record);
  }
}
