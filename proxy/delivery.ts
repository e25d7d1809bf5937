/**
 * The loop that brings records to one node: loads them in seq order, sends what the schedule allows, tries
 * again what failed, moves the cursor. A node that was down resumes the same loop from an older cursor
 * (promise 6): there is no second path.
 */

import { deliveryHeaders } from "./delivery-headers.ts";
import { Feed } from "./feed.ts";
import { Holds } from "./holds.ts";
import type { Journal } from "./journal/journal.ts";
import type { Attempt, LegOptions } from "./leg.ts";
import type { UpstreamNode } from "./node.ts";
import { Pace } from "./pace.ts";
import type { RecentRecords } from "./recent-records.ts";
import { type JournalRecord, SKIPPED } from "./record.ts";
import { type Place, Schedule } from "./schedule.ts";
import { type AnsweredAttempt, Tries } from "./tries.ts";
import type { Answer } from "./write.ts";

export interface DeliveryLimits {
  /** Records in flight to one node. */
  readonly window: number;
  /** ms for one attempt. */
  readonly attemptTimeout: number;
  /** Bytes of an answer that are kept. */
  readonly maxAnswer: number;
  /** ms: first wait after a failed attempt, doubled each time up to the last, with jitter. */
  readonly backoff: { readonly min: number; readonly max: number };
  /** Failed attempts, by a node that acks other records, after which something must be done. */
  readonly maxAttempts: number;
}

/** How one attempt ended. */
export interface AttemptEnd {
  readonly attempt: Attempt;
  /** 1 for the first that may have reached the node. */
  readonly number: number;
  readonly final: boolean;
}

/** What a delivery tells of a record; the owner decides what follows. */
export interface DeliveryEvents {
  acked(node: UpstreamNode, record: JournalRecord, answer: Answer): void;
  /** Each attempt's end; `final`: its answer was the node's last word. */
  attempted(node: UpstreamNode, record: JournalRecord, end: AttemptEnd): void;
  /** `maxAttempts` failed while the node showed that it runs. */
  exhausted(node: UpstreamNode, record: JournalRecord, attempt: Attempt): void;
  /** The same, but no other record shows that the node runs; with a barrier none can, since all wait for it. */
  unproven(node: UpstreamNode, record: JournalRecord, attempt: Attempt, doubt: Doubt): void;
  /** What it has to get next is not in the journal any more. */
  purged(node: UpstreamNode): void;
  /** May have every answered record now; called after each ack. */
  progressed(node: UpstreamNode): void;
  /** Lets a record that was read from the journal share what is decided of it. */
  link(record: JournalRecord): void;
}

/** Of a record whose attempts are used up. */
export interface Doubt {
  /** Monotonic ms of its first attempt: an answer of any kind since then shows that the app runs. */
  readonly since: number;
  readonly barrier: boolean;
}

/** How far a record has come here. */
export interface DeliveryProgress {
  /** `not-yet`: further back in the backlog than what is loaded; `done`: acked, or never waited for here. */
  readonly place: Place | "not-yet" | "done";
  /** Null: nothing was tried. */
  readonly tries: Pick<Tries, "attempts" | "sentAt" | "lastFailure" | "nextAt"> | null;
}

export class Delivery {
  readonly node: UpstreamNode;
  readonly #journal: Journal;
  readonly #feed: Feed;
  readonly #send: (options: LegOptions) => Promise<Attempt>;
  readonly #limits: () => DeliveryLimits;
  readonly #events: DeliveryEvents;
  #schedule = new Schedule();
  readonly #tries = new Map<number, Tries>();
  readonly #timers = new Map<number, NodeJS.Timeout>();
  /** Seqs above the cursor that were acked before a restart. */
  #ackedBefore = new Set<number>();
  /** Records up to it may have been sent by an earlier process: their first attempt here is not the first. */
  #sentBefore = 0;
  #running = 0;
  readonly #resting: (() => void)[] = [];
  #acks = 0;
  #stopped = false;
  /** Null while it keeps up. */
  #pace: Pace | null = null;
  #paceTimer: NodeJS.Timeout | null = null;
  readonly #holds = new Holds(() => this.wake());

  constructor(options: {
    node: UpstreamNode;
    journal: Journal;
    recent: RecentRecords;
    send: (options: LegOptions) => Promise<Attempt>;
    /** May change with a reload. */
    limits: () => DeliveryLimits;
    events: DeliveryEvents;
  }) {
    this.node = options.node;
    this.#journal = options.journal;
    this.#send = options.send;
    this.#limits = options.limits;
    this.#events = options.events;
    this.#feed = new Feed(this.#journal, options.recent, this.node.cursor + 1, {
      take: (record) => this.#take(record),
      passed: () => this.#moveCursor(),
      ready: () => {
        this.wake();
        this.#events.progressed(this.node);
      },
      purged: () => this.#events.purged(this.node),
    });
  }

  /** Records known to it and not acked, and the number in flight. */
  get open(): number {
    return this.#schedule.size;
  }

  /** Takes up from a journal that an earlier process wrote: what was acked, what may have been sent. */
  async restore(): Promise<void> {
    this.#ackedBefore = new Set(await this.#journal.ackedBeyond(this.node.name, this.node.cursor));
    this.#sentBefore = this.#journal.head;
    this.#feed.restart(this.node.cursor + 1);
  }

  /** ms since the oldest record that the node has not acked was recorded. */
  oldestAge(now: number): number {
    const at = this.#feed.recordedAt(this.node.cursor + 1);
    return at === null ? 0 : now - at;
  }

  /** How the record with this seq fares here, for people; changes nothing. */
  progressOf(seq: number): DeliveryProgress {
    const place = seq >= this.#feed.next ? "not-yet" : (this.#schedule.placeOf(seq) ?? "done");
    return { place, tries: this.#tries.get(seq) ?? null };
  }

  /** Starts again from `cursor`: the node was given another state (bootstrap). The journal forgets its acks. */
  async restart(cursor: number): Promise<void> {
    this.#clear();
    this.#ackedBefore.clear();
    this.#sentBefore = 0;
    this.node.cursor = cursor;
    this.#feed.restart(cursor + 1);
    await this.#journal.resetNode(this.node.row());
  }

  stop(): void {
    this.#stopped = true;
    this.#feed.stop();
    this.#clear();
  }

  /** Nothing is on its way to the node. */
  get idle(): boolean {
    return this.#running === 0;
  }

  /** Resolves once nothing is on its way to the node; each attempt ends by `attemptTimeout`. */
  async rest(): Promise<void> {
    while (!this.idle) await new Promise<void>((resolve) => this.#resting.push(resolve));
  }

  /** Sends whatever may be sent now. Call after a commit, and when the node's state changed. */
  wake(): void {
    if (this.#stopped || !this.node.delivering) return;
    this.#feed.load(
      () => this.#holds.lowest,
      () => this.#schedule.size - this.#schedule.held,
    );
    if (this.#schedule.size === this.#schedule.held) this.#holds.atRest(this.#feed.next);
    if (this.node.state === "in-sync") this.#pace = null;
    else this.#pace ??= new Pace(performance.now(), this.#journal.head);
    const { window } = this.#limits();
    while (this.#running < window && this.#inPace()) {
      const seq = this.#schedule.next();
      if (seq === undefined) break;
      this.#pace?.spend();
      this.#launch(seq);
    }
  }

  /** A node that catches up leaves the processors to the reads, too: it goes on when its time has come. */
  #inPace(): boolean {
    const wait = this.#pace?.wait(performance.now(), this.#journal.head) ?? 0;
    if (wait > 0) this.#paceTimer ??= setTimeout(() => this.#goOn(), wait);
    return wait === 0;
  }

  #goOn(): void {
    this.#paceTimer = null;
    this.wake();
  }

  /** All records in the journal that are not acked here satisfy `mayWait` (or are held): it has caught up. */
  caughtUp(mayWait: (seq: number) => boolean): boolean {
    for (const seq of this.#schedule.waiting()) if (!mayWait(seq)) return false;
    for (let seq = this.#feed.next; seq <= this.#journal.head; seq++) if (!mayWait(seq)) return false;
    return true;
  }

  /** The app's own error was accepted as its answer: final here, too. */
  acceptError(seq: number): void {
    const tries = this.#tries.get(seq);
    const record = this.#feed.get(seq);
    if (record === undefined || !tries?.answer || !this.#schedule.has(seq)) return;
    // The next write of the key waits for the attempt that is under way (promise 4).
    if (tries.inFlight) tries.accepted = tries.answer.status;
    else this.#acked(record, tries, tries.answer);
  }

  /** Poison: out of the way until an operator decides. */
  setAside(seq: number): void {
    if (this.#schedule.has(seq)) this.#schedule.setAside(seq);
    this.#cancelTimer(seq);
    for (const kept of this.#feed.kept) if (this.#schedule.isHeld(kept)) this.#feed.letGo(kept);
    this.wake();
    this.#events.progressed(this.node);
  }

  /** It was set aside and gets another turn; attempts are counted anew, ambiguity stays. */
  putBack(seq: number): void {
    const tries = this.#tries.get(seq);
    if (tries !== undefined) tries.failures = 0;
    if (tries?.inFlight) {
      // The one under way has to be over first (promise 4).
      tries.putBackAfter = true;
      return;
    }
    if (tries !== undefined) tries.putBackAfter = false;
    if (this.#schedule.has(seq)) this.#schedule.putBack(seq);
    this.wake();
  }

  /** Resolves when no attempt at the record is under way here. */
  attemptOver(seq: number): Promise<void> {
    const tries = this.#tries.get(seq);
    if (!tries?.inFlight) return Promise.resolve();
    return new Promise((resolve) => tries.whenOver.push(resolve));
  }

  /** An operator's skip, of a record that was set aside and is not under way: as if acked, without an answer. */
  skip(seq: number): void {
    if (seq >= this.#feed.next) this.#ackedBefore.add(seq);
    else if (this.#schedule.has(seq)) this.#schedule.done(seq);
    this.#forget(seq);
    this.#moveCursor();
    this.wake();
    this.#events.progressed(this.node);
  }

  /**
   * Pauses at `seq`: resolves once all up to it are acked and none after it was sent, with what lets deliveries go
   * on; the caller must call that. Several may hold at a time: one after another gets the node at its seq. Rejects
   * when `signal` aborts first, or when the node is given another state or removed.
   */
  hold(seq: number, signal: AbortSignal): Promise<() => void> {
    return this.#holds.add(seq, signal);
  }

  #take(record: JournalRecord): void {
    this.#events.link(record);
    if (this.#ackedBefore.delete(record.seq)) {
      this.#moveCursor();
      return;
    }
    this.#schedule.add(record.seq, record.key, record.state.setAside);
    if (record.state.outcome === SKIPPED) {
      this.#schedule.done(record.seq);
      this.#moveCursor();
      return;
    }
    // What waits for an operator takes no room: it is read again when its turn comes.
    if (!this.#schedule.isHeld(record.seq)) this.#feed.keep(record);
  }

  #launch(seq: number): void {
    const record = this.#feed.get(seq);
    if (record === undefined) {
      void this.#reload(seq);
      return;
    }
    const tries = this.#triesOf(seq);
    tries.begin();
    this.#running++;
    this.node.writesInFlight++;
    const { method, target, body } = record.request;
    const headers = deliveryHeaders(record, {
      journalId: this.#journal.id,
      attempt: tries.attempts,
      // Not the cursor itself: after a crash what is above the stored one comes again.
      cursor: this.#journal.storedCursor(this.node.name),
    });
    const { attemptTimeout: timeout, maxAnswer } = this.#limits();
    const schedule = this.#schedule;
    void this.#send({ method, target, headers, body, timeout, maxAnswer }).then((attempt) => {
      this.#running--;
      tries.over();
      this.node.writesInFlight--;
      if (this.idle) for (const resolve of this.#resting.splice(0)) resolve();
      // It lost its state meanwhile, or was given another one: what came of it belongs to the old one.
      if (this.#stopped || !this.node.history || schedule !== this.#schedule || !schedule.has(seq)) return;
      this.#came(record, tries, attempt);
      if (tries.putBackAfter && schedule.has(seq)) this.putBack(seq);
    });
  }

  /** A record that was held back: its body is not kept in memory meanwhile. */
  async #reload(seq: number): Promise<void> {
    const schedule = this.#schedule;
    schedule.pause(seq);
    const record = await this.#feed.reread(seq);
    if (record === undefined || schedule !== this.#schedule) return;
    this.#events.link(record);
    this.#feed.keep(record);
    schedule.resume(seq);
    this.wake();
  }

  #triesOf(seq: number): Tries {
    const known = this.#tries.get(seq);
    if (known !== undefined) return known;
    const tries = new Tries({ sentBefore: seq <= this.#sentBefore, acks: this.#acks });
    this.#tries.set(seq, tries);
    return tries;
  }

  #came(record: JournalRecord, tries: Tries, attempt: Attempt): void {
    if (attempt.kind === "answer") this.node.aliveAt = performance.now();
    const number = tries.attempts;
    if (attempt.kind === "answer" && isLastWord(attempt.status, record, tries)) {
      this.#events.attempted(this.node, record, { attempt, number, final: true });
      this.#acked(record, tries, attempt);
      this.wake();
      return;
    }
    tries.failed(attempt);
    this.#failed(record, tries, { attempt, number, final: false });
  }

  #acked(record: JournalRecord, tries: Tries, answer: AnsweredAttempt): void {
    const { seq } = record;
    this.#schedule.done(seq);
    this.#forget(seq);
    this.#acks++;
    const { name } = this.node;
    const { attempts, ambiguous, firstAt } = tries;
    this.#journal.ack({
      seq,
      node: name,
      status: answer.status,
      attempts,
      ambiguous,
      firstAt,
      at: Date.now(),
    });
    this.node.acks++;
    if (answer.status < 500) this.node.highestAck = Math.max(this.node.highestAck, seq);
    this.#moveCursor();
    this.#events.acked(this.node, record, { ...answer, ambiguous });
    this.#events.progressed(this.node);
  }

  #failed(record: JournalRecord, tries: Tries, end: AttemptEnd): void {
    const { seq } = record;
    const { attempt } = end;
    if (!this.#schedule.isAside(seq)) {
      const wait = this.#backoff(tries.waits++);
      this.#schedule.pause(seq);
      tries.nextAt = Date.now() + wait;
      this.#timers.set(
        seq,
        setTimeout(() => this.#tryAgain(seq), wait),
      );
    }
    this.#events.attempted(this.node, record, end);
    const usedUp = attempt.kind !== "unsent" && tries.failures >= this.#limits().maxAttempts;
    if (usedUp && this.#schedule.has(seq) && !this.#schedule.isAside(seq)) {
      const doubt = { since: tries.begunAt, barrier: this.#schedule.isBarrier(seq) };
      // It answered this record, or acked others since: it runs.
      if (tries.answer !== null || this.#acks > tries.acksThen)
        this.#events.exhausted(this.node, record, attempt);
      else this.#events.unproven(this.node, record, attempt, doubt);
    }
    this.wake();
  }

  #tryAgain(seq: number): void {
    this.#timers.delete(seq);
    this.#schedule.resume(seq);
    this.wake();
  }

  #backoff(waits: number): number {
    const { min, max } = this.#limits().backoff;
    return Math.min(max, min * 2 ** Math.min(waits, 20)) * (0.5 + Math.random() / 2);
  }

  #moveCursor(): void {
    const cursor = (this.#schedule.lowest ?? this.#feed.next) - 1;
    if (cursor === this.node.cursor) return;
    this.node.cursor = cursor;
    this.#journal.moveCursor(this.node.name, cursor);
  }

  #forget(seq: number): void {
    this.#cancelTimer(seq);
    this.#feed.letGo(seq);
    this.#tries.delete(seq);
  }

  #cancelTimer(seq: number): void {
    clearTimeout(this.#timers.get(seq));
    this.#timers.delete(seq);
  }

  #clear(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
    if (this.#paceTimer !== null) clearTimeout(this.#paceTimer);
    this.#paceTimer = null;
    this.#schedule = new Schedule();
    this.#tries.clear();
    this.#holds.loseAll();
  }
}

/** An error counts where the nodes have agreed on it (promise 8). */
function isLastWord(status: number, { state }: JournalRecord, { accepted }: Tries): boolean {
  return isFinal(status) || status === state.outcome || status === accepted;
}

/** 2xx to 4xx are the app's last word, but for the three that ask to come again (RFC 9110, 8470, 6585). */
export function isFinal(status: number): boolean {
  return status < 500 && status !== 408 && status !== 425 && status !== 429;
}
