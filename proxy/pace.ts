/**
 * How fast a node that catches up is given what it missed. As fast as it goes would take the processors from the
 * reads for as long as it lasts: 10,000 records in 2 s made the reads' p99 five times what it was, on a machine that
 * runs all of it. Twice as fast as new records come, whatever that is, so that it ends.
 */

/** Records per second while nothing new comes. */
const RATE = 250;
/** Sent at once after a pause: a long burst is what a read would wait behind. */
const BURST = 2;
/** The first so many go at full speed: most backlogs are short, and over before it matters. */
const FIRST = 64;
/** Records per new one, and the most that are saved up of them. */
const PER_NEW = 2;
const MOST_SAVED = 64;

export class Pace {
  #head: number;
  #at: number;
  #tokens = FIRST;
  #saved = 0;

  /** @param now monotonic ms; `head`: the journal's */
  constructor(now: number, head: number) {
    this.#at = now;
    this.#head = head;
  }

  /** ms until a record may be sent; 0: now. */
  wait(now: number, head: number): number {
    const earned = ((now - this.#at) * RATE) / 1000;
    this.#tokens = Math.max(this.#tokens, Math.min(BURST, this.#tokens + earned));
    this.#saved = Math.min(MOST_SAVED, this.#saved + PER_NEW * (head - this.#head));
    this.#at = now;
    this.#head = head;
    if (this.#saved >= 1 || this.#tokens >= 1) return 0;
    return ((1 - this.#tokens) * 1000) / RATE;
  }

  /** One is sent. */
  spend(): void {
    if (this.#saved >= 1) this.#saved--;
    else this.#tokens--;
  }
}
