import type { JournalRecord } from "./record.ts";

/**
 * The newest records, in memory, so that nodes that keep up never read the journal. Bounded by count and by
 * bytes of bodies; what falls out is read from the journal again.
 */
export class RecentRecords {
  readonly #records = new Map<number, JournalRecord>();
  #bytes = 0;
  readonly #maxRecords: number;
  readonly #maxBytes: number;

  constructor({ maxRecords = 512, maxBytes = 8 * 1024 * 1024 } = {}) {
    this.#maxRecords = maxRecords;
    this.#maxBytes = maxBytes;
  }

  /** Takes records in, in seq order. */
  push(records: readonly JournalRecord[]): void {
    for (const record of records) {
      this.#records.set(record.seq, record);
      this.#bytes += sizeOf(record);
    }
    for (const record of this.#records.values()) {
      if (this.#records.size <= this.#maxRecords && this.#bytes <= this.#maxBytes) return;
      this.#records.delete(record.seq);
      this.#bytes -= sizeOf(record);
    }
  }

  /** When the first of them was recorded: all that fell out are older. */
  get oldestAt(): number | null {
    const [oldest] = this.#records.values();
    return oldest?.at ?? null;
  }

  get(seq: number): JournalRecord | undefined {
    return this.#records.get(seq);
  }
}

/** About what a record takes in memory: clients choose its fields as well as its body. */
export function sizeOf({ request }: JournalRecord): number {
  let size = 512 + request.body.byteLength + request.target.length;
  for (const text of request.headers) size += text.length;
  return size;
}
