import { LbError } from "./errors.ts";
import type { Answer } from "./write.ts";

/** What a client that waits for a write is told. */
export interface Outcome {
  readonly seq: number;
  readonly answer: Answer;
  /** `app1=201, app2=201, app3=down` */
  readonly acks: string;
}

interface Waiter {
  readonly resolve: (outcome: Outcome) => void;
  readonly reject: (error: LbError) => void;
  readonly timer: NodeJS.Timeout;
}

/** The clients that wait for the outcome of a write, each with its own deadline. */
export class Waiters {
  readonly #waiters = new Map<number, readonly Waiter[]>();
  readonly #expired: (seq: number) => void;

  /** @param expired a client of write `seq` waited in vain */
  constructor(expired: (seq: number) => void) {
    this.#expired = expired;
  }

  /** What comes out of write `seq`; rejects with ack_timeout after `timeout` ms. */
  wait(seq: number, timeout: number): Promise<Outcome> {
    return new Promise((resolve, reject) => {
      const waiter: Waiter = { resolve, reject, timer: setTimeout(() => expire(), timeout) };
      this.#waiters.set(seq, [...(this.#waiters.get(seq) ?? []), waiter]);
      const expire = () => {
        const others = (this.#waiters.get(seq) ?? []).filter((other) => other !== waiter);
        if (others.length > 0) this.#waiters.set(seq, others);
        else this.#waiters.delete(seq);
        this.#expired(seq);
        const detail = `write ${seq} is recorded and will be delivered; its ack policy did not hold within ${timeout} ms`;
        reject(new LbError("ack_timeout", detail, { extra: { seq } }));
      };
    });
  }

  has(seq: number): boolean {
    return this.#waiters.has(seq);
  }

  tell(outcome: Outcome): void {
    for (const { resolve } of this.#take(outcome.seq)) resolve(outcome);
  }

  refuse(seq: number, error: LbError): void {
    for (const { reject } of this.#take(seq)) reject(error);
  }

  stop(): void {
    for (const seq of [...this.#waiters.keys()]) this.#take(seq);
  }

  #take(seq: number): readonly Waiter[] {
    const waiters = this.#waiters.get(seq) ?? [];
    this.#waiters.delete(seq);
    for (const { timer } of waiters) clearTimeout(timer);
    return waiters;
  }
}
