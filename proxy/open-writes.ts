import type { Write } from "./write.ts";

/**
 * The writes that are not decided yet. Those that an operator has to decide on, and those behind them, may stay
 * for days: they are held, and take no room under `limits.writesOpen`. None keeps its request in memory.
 */
export class OpenWrites {
  readonly #writes = new Map<number, Write>();
  readonly #held = new Set<number>();

  /** Without those that are held. */
  get size(): number {
    return this.#writes.size - this.#held.size;
  }

  get(seq: number): Write | undefined {
    return this.#writes.get(seq);
  }

  has(seq: number): boolean {
    return this.#writes.has(seq);
  }

  set(write: Write): void {
    this.#writes.set(write.seq, write);
  }

  delete(seq: number): void {
    this.#writes.delete(seq);
    this.#held.delete(seq);
  }

  /** A write, and all of its key behind it, wait for an operator. */
  hold(seq: number, key: string | null): void {
    for (const write of this.#behind(seq, key)) this.#held.add(write.seq);
  }

  /** An operator decided on `seq`. */
  release(seq: number, key: string | null): void {
    for (const write of this.#behind(seq, key)) this.#held.delete(write.seq);
  }

  /** A copy: what is told of one write may close it. */
  all(): readonly Write[] {
    return [...this.#writes.values()];
  }

  #behind(seq: number, key: string | null): Write[] {
    return this.all().filter(
      (write) => write.seq === seq || (key !== null && write.record.key === key && write.seq > seq),
    );
  }
}
