/**
 * How many reads may be tried again after a timeout: a share of all reads, so that retries never multiply the
 * load on nodes that are slow already (the idea is Finagle's RetryBudget: deposits by requests, withdrawals by
 * retries, and a floor so that few requests can be retried, too).
 */
export class RetryBudget {
  readonly #share: number;
  readonly #most: number;
  #tokens: number;

  /** @param share retries per read, 0 to 1; `floor`: retries that are always in hand after a quiet time */
  constructor(share: number, floor = 10) {
    this.#share = share;
    this.#most = floor + 100 * share;
    this.#tokens = share > 0 ? floor : 0;
  }

  /** A read came in. */
  deposit(): void {
    this.#tokens = Math.min(this.#most, this.#tokens + this.#share);
  }

  /** Takes one retry out, or says that there is none. */
  withdraw(): boolean {
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }
}
