import type { ClientReply } from "./api.ts";

/** Writes whose replies are remembered, and replies to each: an Idempotency-Key may come again and again. */
const WRITES = 4096;
const REPLIES = 4;

/** What the clients of the newest writes were sent; in memory, so that it begins anew with the process. */
export class Replies {
  readonly #replies = new Map<number, readonly ClientReply[]>();

  note(seq: number, reply: ClientReply): void {
    const earlier = this.#replies.get(seq) ?? [];
    // The first is the write's own; of its repeats the latest matter.
    const kept = earlier.length < REPLIES ? earlier : earlier.toSpliced(1, 1);
    this.#replies.set(seq, [...kept, reply]);
    if (this.#replies.size <= WRITES) return;
    const [oldest] = this.#replies.keys();
    if (oldest !== undefined) this.#replies.delete(oldest);
  }

  of(seq: number): readonly ClientReply[] {
    return this.#replies.get(seq) ?? [];
  }
}
