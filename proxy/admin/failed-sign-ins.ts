/** Addresses that are remembered; the one not seen for longest is forgotten first. */
const MOST_ADDRESSES = 1024;
/** Answers held back at a time; more would keep connections from those with the right password. */
const MOST_HELD = 32;
/** Typing errors are free. */
const FREE = 3;
const FIRST_DELAY = 100;
const LONGEST_DELAY = 2000;
const FORGET = 60_000;

interface Failures {
  count: number;
  /** ms, monotonic. */
  at: number;
}

/**
 * Slows down guessing. Credentials are always looked at, so that the right ones never wait and nobody can lock
 * them out; only the answer "wrong" comes later and later to an address that keeps being wrong.
 */
export class FailedSignIns {
  readonly #addresses = new Map<string, Failures>();
  readonly #now: () => number;
  #held = 0;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Counts a failure; how long to hold back the answer (ms). */
  failed(address: string): number {
    const before = this.#addresses.get(address);
    const now = this.#now();
    const count = before === undefined || now - before.at > FORGET ? 1 : before.count + 1;
    this.#addresses.delete(address);
    this.#addresses.set(address, { count, at: now });
    this.#forgetOldest();
    if (count <= FREE) return 0;
    return Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** (count - FREE - 1));
  }

  /** Waits `ms`, or not at all while too many wait already. */
  async hold(ms: number): Promise<void> {
    if (ms === 0 || this.#held >= MOST_HELD) return;
    this.#held++;
    try {
      await new Promise((resolve) => setTimeout(resolve, ms).unref());
    } finally {
      this.#held--;
    }
  }

  /** For tests and metrics. */
  get size(): number {
    return this.#addresses.size;
  }

  #forgetOldest(): void {
    if (this.#addresses.size <= MOST_ADDRESSES) return;
    const [oldest] = this.#addresses.keys();
    if (oldest !== undefined) this.#addresses.delete(oldest);
  }
}
