/**
 * The pauses that someone asked of a node's deliveries: for a digest, or for a snapshot, at one seq. Nothing
 * beyond the lowest of them is loaded.
 */

interface Hold {
  readonly seq: number;
  readonly reached: () => void;
  readonly lost: () => void;
}

export class Holds {
  readonly #holds = new Set<Hold>();
  /** What a pause changes: look again at what may be loaded. */
  readonly #changed: () => void;

  constructor(changed: () => void) {
    this.#changed = changed;
  }

  get size(): number {
    return this.#holds.size;
  }

  /** No record behind it may be sent now; infinity without a hold. */
  get lowest(): number {
    let lowest = Number.POSITIVE_INFINITY;
    for (const { seq } of this.#holds) lowest = Math.min(lowest, seq);
    return lowest;
  }

  /**
   * Pauses at `seq`: resolves once the node is at rest there, with what lets deliveries go on; the caller must
   * call that. Rejects when `signal` aborts first, or when `loseAll` is called.
   */
  add(seq: number, signal: AbortSignal): Promise<() => void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      const release = () => {
        if (this.#holds.delete(hold)) this.#changed();
      };
      const abandon = () => {
        release();
        reject(signal.reason);
      };
      const settle = (act: () => void) => {
        signal.removeEventListener("abort", abandon);
        act();
      };
      const hold = {
        seq,
        reached: () => settle(() => resolve(release)),
        lost: () => settle(() => reject(new Error("deliveries began anew"))),
      };
      signal.addEventListener("abort", abandon, { once: true });
      this.#holds.add(hold);
      this.#changed();
    });
  }

  /** All records below `next` are acked, and none from it on was sent. */
  atRest(next: number): void {
    for (const hold of this.#holds) if (next > hold.seq) hold.reached();
  }

  /** The node is given another state, or removed. */
  loseAll(): void {
    for (const hold of this.#holds) hold.lost();
    this.#holds.clear();
  }
}
