import type { Dispatcher, Pool } from "undici";

/** A read that wants a connection to a node. */
export interface Claim {
  /** Its turn has come: what it sends now gets a connection without waiting for another read. */
  granted(connections: Dispatcher): void;
}

/**
 * The connections for reads to one node. Reads that find none free wait here, in the order in which they came, and
 * not in undici's own queue: there nobody could tell one that waits from one that the node doesn't answer, and one
 * that was given up would stay until its turn, and then cost the connection.
 */
export class ReadPool {
  readonly #pool: Pool;
  readonly #most: number;
  readonly #waiting = new Set<Claim>();
  #taken = 0;
  #granting = false;

  /** @param most connections at a time */
  constructor(pool: Pool, most: number) {
    this.#pool = pool;
    this.#most = most;
  }

  /** A claim would be granted at once. */
  get hasRoom(): boolean {
    return this.#taken < this.#most;
  }

  /** Connections that are open. */
  get connected(): number {
    return this.#pool.stats.connected;
  }

  /** Grants it now or when its turn comes; must be given back by `release`, granted or not. */
  claim(claim: Claim): void {
    if (this.hasRoom) this.#grant(claim);
    else this.#waiting.add(claim);
  }

  release(claim: Claim): void {
    if (this.#waiting.delete(claim)) return;
    this.#taken--;
    if (this.#waiting.size > 0 && !this.#granting) this.#grantWaiting();
  }

  /** What is in flight may end. */
  close(): Promise<void> {
    return this.#pool.close();
  }

  destroy(): Promise<void> {
    return this.#pool.destroy();
  }

  /** One that is released as soon as it is granted makes the loop go on, and not deeper. */
  #grantWaiting(): void {
    this.#granting = true;
    for (const claim of this.#waiting) {
      if (!this.hasRoom) break;
      this.#waiting.delete(claim);
      this.#grant(claim);
    }
    this.#granting = false;
  }

  #grant(claim: Claim): void {
    this.#taken++;
    claim.granted(this.#pool);
  }
}
