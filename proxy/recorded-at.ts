import type { Journal } from "./journal/journal.ts";

/** When one record was recorded, asked of the journal once: the record itself may be out of memory for hours. */
export class RecordedAt {
  readonly #journal: Pick<Journal, "story">;
  #seq = 0;
  #at: number | null = null;

  constructor(journal: Pick<Journal, "story">) {
    this.#journal = journal;
  }

  /** ms since the epoch; null until the journal has answered. */
  of(seq: number): number | null {
    if (seq !== this.#seq) this.#ask(seq);
    return this.#at;
  }

  #ask(seq: number): void {
    this.#seq = seq;
    this.#at = null;
    this.#journal.story(seq).then(
      (story) => {
        if (seq === this.#seq) this.#at = story?.at ?? null;
      },
      // The journal's own failure: its owner hears of it.
      () => {},
    );
  }
}
