import { failureName, Read } from "./exchanges.ts";
import { IN_FLIGHT_CAP, type LoadShared } from "./load-shared.ts";
import { NOT_SENT, type Tally } from "./tally.ts";

/** Logs users in, and judges the answers. */
export class ReadLoad {
  readonly tally: Tally;
  /** Logins refused while a change of that user's password had begun meanwhile: right either way. */
  raced = 0;
  readonly #shared: LoadShared;

  constructor(shared: LoadShared, tally: Tally) {
    this.#shared = shared;
    this.tally = tally;
  }

  due(intendedAt: number): void {
    const { users, random, settings, senders } = this.#shared;
    this.tally.scheduled += 1;
    const user = users.choose(random, random() < settings.recentShare);
    if (senders.reads.inFlight >= settings.maxInFlight) this.tally.failed(IN_FLIGHT_CAP);
    else if (user === undefined) this.tally.failed(`${NOT_SENT}: no user to log in`);
    else this.#shared.send(senders.reads, new Read(user, intendedAt, this.#ended), intendedAt);
  }

  readonly #ended = (read: Read): void => {
    const wrong = this.#wrong(read);
    if (wrong === null) this.tally.succeeded(read.intendedAt, read.endedAt);
    else {
      this.tally.failed(wrong);
      if (read.timedOut) this.tally.timedOut(read.intendedAt, read.endedAt);
    }
    this.#shared.ended();
  };

  #wrong(read: Read): string | null {
    if (read.status === 401) return this.#wrongRefusal(read);
    if (read.status !== 200) return failureName(read);
    if (read.bodyBytes === 0) return "HTTP 200 without a body";
    const mixedUp = this.#shared.answersNameTheUser && !read.body.includes(read.user.name);
    return mixedUp ? "HTTP 200 with another user's answer" : null;
  }

  /** Only settled users are logged in, so a refusal is a stale (or lost) read, unless a change began meanwhile. */
  #wrongRefusal(read: Read): string | null {
    if (read.epoch === read.user.epoch) return "HTTP 401 with an acknowledged password";
    this.raced += 1;
    return null;
  }
}
