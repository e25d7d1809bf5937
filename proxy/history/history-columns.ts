/** How many samples are kept: 15 minutes of one a second. */
export const SPAN = 900;
/** Somewhat more, so that what is being read is not overwritten by the next samples. */
export const SLOTS = SPAN + 20;

/**
 * Numbers of each sample, a column for each key, in memory whose size never changes: 4 bytes a number. Slots come
 * round; what was never set is NaN, and null when it is read.
 */
export class Columns<K extends string> {
  readonly #keys: readonly K[];
  readonly #numbers: Float32Array;

  constructor(keys: readonly K[]) {
    this.#keys = keys;
    this.#numbers = new Float32Array(keys.length * SLOTS).fill(Number.NaN);
  }

  get bytes(): number {
    return this.#numbers.byteLength;
  }

  set(slot: number, values: Readonly<Record<K, number>>): void {
    for (const [index, key] of this.#keys.entries()) this.#numbers[index * SLOTS + slot] = values[key];
  }

  at(slot: number): Record<K, number | null> {
    return this.#each((column) => shown(column[slot]));
  }

  /** One column in the order of `slots`. */
  line(key: K, slots: readonly number[]): (number | null)[] {
    const start = this.#keys.indexOf(key) * SLOTS;
    return slots.map((slot) => shown(this.#numbers[start + slot]));
  }

  /** All columns in the order of `slots`. */
  lines(slots: readonly number[]): Record<K, (number | null)[]> {
    return this.#each((_column, key) => this.line(key, slots));
  }

  #each<V>(read: (column: Float32Array, key: K) => V): Record<K, V> {
    const columns = this.#keys.map((key, index) => {
      return [key, read(this.#numbers.subarray(index * SLOTS, (index + 1) * SLOTS), key)];
    });
    return Object.fromEntries(columns) as Record<K, V>;
  }
}

/** Columns as they stood at a moment: those samples, and no later ones. */
export class Lines<K extends string> {
  readonly #columns: Columns<K>;
  readonly #slots: readonly number[];

  constructor(columns: Columns<K>, slots: readonly number[]) {
    this.#columns = columns;
    this.#slots = slots;
  }

  /** Oldest first. */
  line(key: K): (number | null)[] {
    return this.#columns.line(key, this.#slots);
  }

  all(): Record<K, (number | null)[]> {
    return this.#columns.lines(this.#slots);
  }

  /** Of the last sample. */
  last(key: K): number | null {
    return this.#columns.line(key, this.#slots.slice(-1))[0] ?? null;
  }
}

/** To four decimals: a tenth of a millisecond, and short as JSON. */
function shown(value = Number.NaN): number | null {
  return Number.isNaN(value) ? null : Math.round(value * 1e4) / 1e4;
}
