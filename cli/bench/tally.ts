import { Latency, type LatencySummary } from "./latency.ts";

/** What became of the reads, or of the writes, of a run. */
export interface KindReport {
  /** Per second, as asked for. */
  readonly requested: number;
  /** How many the schedule held. */
  readonly scheduled: number;
  readonly ok: number;
  /** Good answers per second of the load, of those that came in time (see `#late`). */
  readonly achieved: number;
  /** At least 99 % of what was scheduled was answered well, and in time. */
  readonly reached: boolean;
  readonly errors: number;
  /** What went wrong → how often. */
  readonly errorKinds: Readonly<Record<string, number>>;
  /** From the intended time to the end of the answer (or to the time-out), in ms. */
  readonly latencyMs: LatencySummary;
}

/** How the kinds of error begin that are about requests that did not leave. */
export const NOT_SENT = "not sent";
const TOLERANCE = 0.99;
const MAX_KINDS = 50;

/** Counts the ends of one kind of request. */
export class Tally {
  readonly latency = new Latency();
  readonly #kinds = new Map<string, number>();
  readonly #endsAfterLoad: number[] = [];
  readonly #loadEndsAt: number;
  scheduled = 0;
  ok = 0;
  errors = 0;

  /** @param loadEndsAt on the clock of `performance.now()` */
  constructor(loadEndsAt: number) {
    this.#loadEndsAt = loadEndsAt;
  }

  /** A good answer. */
  succeeded(intendedAt: number, endedAt: number): void {
    this.ok += 1;
    this.latency.record(endedAt - intendedAt);
    if (endedAt > this.#loadEndsAt) this.#endsAfterLoad.push(endedAt - this.#loadEndsAt);
  }

  failed(kind: string): void {
    this.errors += 1;
    // Foreign error codes must not grow the table without end.
    const key = this.#kinds.has(kind) || this.#kinds.size < MAX_KINDS ? kind : "other";
    this.#kinds.set(key, (this.#kinds.get(key) ?? 0) + 1);
  }

  /** A request that was given up on took at least this long; leaving it out would flatter the percentiles. */
  timedOut(intendedAt: number, endedAt: number): void {
    this.latency.record(endedAt - intendedAt);
  }

  /** Those that have ended and had left; what is not sent is an error, too. */
  get sent(): number {
    const kept = [...this.#kinds].filter(([kind]) => kind.startsWith(NOT_SENT));
    return this.ok + this.errors - kept.reduce((sum, [, times]) => sum + times, 0);
  }

  report(requested: number, durationMs: number): KindReport {
    const inTime = this.ok - this.#late(durationMs);
    return {
      requested,
      scheduled: this.scheduled,
      ok: this.ok,
      achieved: (inTime * 1000) / durationMs,
      // One is more than 1 % of a short run, and no queue.
      reached: inTime >= Math.min(this.scheduled * TOLERANCE, this.scheduled - 1),
      errors: this.errors,
      errorKinds: Object.fromEntries([...this.#kinds].sort((a, b) => b[1] - a[1])),
      latencyMs: this.latency.summary(),
    };
  }

  /**
   * Answers that came after the load had ended were asked for, but not served at the rate: a target that can do 800
   * of 1,000 a second works off its queue afterwards. What is in flight at the end is no queue, so as much is allowed
   * as the quickest tenth took: a queue doesn't move that, a steady but slow target does.
   */
  #late(durationMs: number): number {
    const allowance = Math.max(hiccup(durationMs), this.latency.percentile(10));
    return this.#endsAfterLoad.filter((after) => after > allowance).length;
  }
}

/** A pause of a busy machine at the very end, in ms: 250 up to 5 s, 50 from 25 s on, where that is 0.2 %. */
function hiccup(durationMs: number): number {
  return Math.max(50, Math.min(250, 1_250_000 / durationMs));
}
