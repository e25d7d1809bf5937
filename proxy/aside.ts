/** Writes that are set aside (promise 8), each with its order key: they hold back what has the same key. */
export class Aside {
  readonly #keys = new Map<number, string | null>();
  /** Key → the write of it that is set aside: there is at most one, for nothing behind it is tried. */
  readonly #held = new Map<string, number>();

  get size(): number {
    return this.#keys.size;
  }

  /** @param key null for a barrier, which holds back nothing */
  add(seq: number, key: string | null): void {
    this.#keys.set(seq, key);
    if (key !== null) this.#held.set(key, seq);
  }

  delete(seq: number): void {
    const key = this.#keys.get(seq);
    this.#keys.delete(seq);
    if (key !== undefined && key !== null) this.#held.delete(key);
  }

  has(seq: number): boolean {
    return this.#keys.has(seq);
  }

  /** The write that holds back this key, or null. */
  holding(key: string | null): number | null {
    return key === null ? null : (this.#held.get(key) ?? null);
  }

  [Symbol.iterator](): Iterator<number> {
    return this.#keys.keys();
  }
}
