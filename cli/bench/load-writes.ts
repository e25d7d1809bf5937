import { PasswordChange } from "./changes.ts";
import {
  failureName,
  outcomeOf,
  passwordChange,
  registration,
  type Write,
  WriteAttempt,
} from "./exchanges.ts";
import { IN_FLIGHT_CAP, type LoadShared } from "./load-shared.ts";
import type { Tally } from "./tally.ts";
import type { BenchUser, Outcome } from "./users.ts";

const RETRY_AFTER_MS = 200;

/** Registers users and changes passwords of registered ones, and keeps account of what was acknowledged. */
export class WriteLoad {
  readonly tally: Tally;
  retries = 0;
  rivalPairs = 0;
  /** Changes refused since a rival was first: no error. */
  lostToRivals = 0;
  /** Counted as refused though no byte of them left: no connection could be had, or the run was stopped before. */
  neverLeft = 0;
  /** What is known of the other writes; warm-up not included. */
  readonly outcomes: Record<Outcome, number> = { acknowledged: 0, refused: 0, unknown: 0 };
  readonly #shared: LoadShared;
  /** Writes between two attempts. */
  #waitingRetries = 0;
  /** Arrivals already served: rivals leave together and take two. */
  #prepaid = 0;

  constructor(shared: LoadShared, tally: Tally) {
    this.#shared = shared;
    this.tally = tally;
  }

  /** Retries that wait included. */
  get inFlight(): number {
    return this.#shared.senders.writes.inFlight + this.#waitingRetries;
  }

  /** @param last no further write is scheduled */
  due(intendedAt: number, last: boolean): void {
    const { users, random, settings } = this.#shared;
    this.tally.scheduled += 1;
    if (this.#prepaid > 0) {
      this.#prepaid -= 1;
      return;
    }
    const registers = random() < settings.registerShare;
    const rivals = random() < settings.rivalShare && !last;
    const user = registers ? undefined : users.choose(random, false);
    if (this.inFlight >= settings.maxInFlight) this.tally.failed(IN_FLIGHT_CAP);
    else if (user === undefined) this.#register(intendedAt);
    else this.#change(user, rivals ? 2 : 1, intendedAt);
  }

  #register(intendedAt: number): void {
    const { users } = this.#shared;
    const user = users.create();
    const settled = (outcome: Outcome) => users.registered(user, outcome);
    const options = registration(user, this.#key(user.name));
    this.#attempt({ options, intendedAt, settled, mayBeRefused: false, attempts: 0 });
  }

  #change(user: BenchUser, count: number, intendedAt: number): void {
    const change = new PasswordChange(this.#shared.users, user, count);
    this.#prepaid += count - 1;
    if (change.hasRivals) this.rivalPairs += 1;
    for (const next of change.newPasswords) {
      const settled = (outcome: Outcome) => {
        const wrong = change.ended(next, outcome);
        if (wrong !== null) this.tally.failed(wrong);
      };
      const options = passwordChange(user, change.oldPassword, next, this.#key(next));
      this.#attempt({ options, intendedAt, settled, mayBeRefused: change.hasRivals, attempts: 0 });
    }
  }

  #key(unique: string): string | null {
    return this.#shared.settings.idempotencyKeys ? unique : null;
  }

  #attempt(write: Write): void {
    const { writes } = this.#shared.senders;
    write.attempts += 1;
    const attempt = new WriteAttempt(write, this.#ended);
    if (write.attempts === 1) this.#shared.send(writes, attempt, write.intendedAt);
    else writes.send(attempt);
  }

  readonly #ended = (attempt: WriteAttempt): void => {
    const { write } = attempt;
    const outcome = outcomeOf(attempt);
    const expected = outcome === "acknowledged" || (attempt.status === 403 && write.mayBeRefused);
    if (!expected && this.#mayRetry(attempt, outcome)) this.#retryLater(write);
    else this.#settle(attempt, outcome, expected);
    this.#shared.ended();
  };

  #settle(attempt: WriteAttempt, outcome: Outcome, expected: boolean): void {
    const { write } = attempt;
    this.#count(attempt, expected);
    // Refused only when it was repeated: the first may have taken effect, and its key was not honoured.
    const certain = outcome === "refused" && write.attempts > 1 && !expected ? "unknown" : outcome;
    if (expected && outcome === "refused") this.lostToRivals += 1;
    else this.outcomes[certain] += 1;
    if (certain === "refused" && attempt.status === 0) this.neverLeft += 1;
    write.settled(certain);
  }

  #count(attempt: WriteAttempt, ok: boolean): void {
    const { intendedAt, attempts } = attempt.write;
    if (ok) this.tally.succeeded(intendedAt, attempt.endedAt);
    else {
      this.tally.failed(failureName(attempt) + (attempts > 1 ? " (repeated)" : ""));
      if (attempt.timedOut) this.tally.timedOut(intendedAt, attempt.endedAt);
    }
  }

  /** A clear refusal by the app is an outcome; no answer, or a 5xx, is worth another try under the same key. */
  #mayRetry(attempt: WriteAttempt, outcome: Outcome): boolean {
    const { settings, signal } = this.#shared;
    const waited = attempt.endedAt - attempt.write.intendedAt;
    const temporary = outcome === "unknown" || attempt.status === 0 || attempt.status >= 500;
    return temporary && waited < settings.retryForMs && !signal.aborted;
  }

  #retryLater(write: Write): void {
    this.retries += 1;
    this.#waitingRetries += 1;
    setTimeout(
      () => {
        this.#waitingRetries -= 1;
        this.#attempt(write);
      },
      RETRY_AFTER_MS * (0.5 + this.#shared.random()),
    );
  }
}
