import type { LastFailure } from "./api.ts";
import { type Attempt, failureOf } from "./leg.ts";

export type AnsweredAttempt = Extract<Attempt, { kind: "answer" }>;

/** How one record has fared at one node so far. */
export class Tries {
  /** Attempts that may have reached the node; 1 from the start where an earlier process may have sent it. */
  attempts: number;
  /** One of them may have been carried out without an answer. */
  ambiguous: boolean;
  /** Failures of attempts that may have reached it: at `maxAttempts` something must be done. */
  failures = 0;
  /** Waits before the next attempt so far, for the backoff. */
  waits = 0;
  /** ms since the epoch. */
  readonly firstAt = Date.now();
  /** Monotonic ms, and how many other records the node had acked: what came since then shows that it runs. */
  readonly begunAt = performance.now();
  readonly acksThen: number;
  /** The last answer that was not final. */
  answer: AnsweredAttempt | null = null;
  inFlight = false;
  /** ms since the epoch: when the last attempt began, and when the next one is due after a failure. */
  sentAt: number | null = null;
  nextAt: number | null = null;
  lastFailure: LastFailure | null = null;
  /** Put back while an attempt was under way. */
  putBackAfter = false;
  readonly whenOver: (() => void)[] = [];
  /** A status that is final if it comes back. */
  accepted: number | null = null;

  constructor({ sentBefore, acks }: { sentBefore: boolean; acks: number }) {
    this.attempts = sentBefore ? 1 : 0;
    this.ambiguous = sentBefore;
    this.acksThen = acks;
  }

  /** An attempt goes out. */
  begin(): void {
    this.attempts++;
    this.inFlight = true;
    this.sentAt = Date.now();
    this.nextAt = null;
  }

  over(): void {
    this.inFlight = false;
    for (const resolve of this.whenOver.splice(0)) resolve();
  }

  /** The attempt under way has failed, or its answer is not the last word. */
  failed(attempt: Attempt): void {
    if (attempt.kind === "answer") this.answer = attempt;
    else if (attempt.kind === "lost") this.ambiguous = true;
    else this.attempts--;
    if (attempt.kind !== "unsent") this.failures++;
    this.lastFailure = { at: Date.now(), ...failureOf(attempt) };
  }
}
