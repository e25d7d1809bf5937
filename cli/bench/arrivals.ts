export interface ArrivalOptions {
  /** Per second; 0: never. */
  readonly rate: number;
  readonly durationMs: number;
  /** Arrivals are put on slots this far apart: one wake-up of the generator sends all that are due. */
  readonly slotMs: number;
  /** Given: Poisson arrivals (exponential gaps); else a fixed gap. */
  readonly random: (() => number) | null;
}

/**
 * When requests are due, in ms from the start of the load. The schedule never waits for an answer (open loop), and
 * knows nothing of the clock: whoever is late sends late, and the latency is counted from the time given here.
 */
export class Arrivals {
  readonly #gap: number;
  readonly #options: ArrivalOptions;
  #exact: number;
  #taken = 0;

  constructor(options: ArrivalOptions) {
    this.#options = options;
    this.#gap = options.rate > 0 ? 1000 / options.rate : Number.POSITIVE_INFINITY;
    this.#exact = options.rate > 0 ? this.#firstAt() : Number.POSITIVE_INFINITY;
  }

  /** How many have been taken. */
  get taken(): number {
    return this.#taken;
  }

  /** When the next one is due; Infinity after the last. */
  get next(): number {
    if (this.#exact >= this.#options.durationMs) return Number.POSITIVE_INFINITY;
    return Math.floor(this.#exact / this.#options.slotMs) * this.#options.slotMs;
  }

  /** Takes the next one and returns when it was due. */
  take(): number {
    const due = this.next;
    this.#taken += 1;
    // A product, not a sum: thousands of rounded gaps would drift.
    this.#exact = this.#options.random === null ? this.#taken * this.#gap : this.#exact + this.#randomGap();
    return due;
  }

  #firstAt(): number {
    return this.#options.random === null ? 0 : this.#randomGap();
  }

  #randomGap(): number {
    return -Math.log(1 - (this.#options.random?.() ?? 0)) * this.#gap;
  }
}
