/**
 * Decides which records may be sent to one node now. Pure bookkeeping, no I/O: property-tested against a
 * naive model.
 *
 * Rules (promise 4): records with the same key go one at a time in seq order; a record without a key is a
 * barrier: it waits for all before it and holds all after it. A record set aside (promise 8) holds back only
 * its key; a barrier set aside holds nothing, and no barrier waits for what is held.
 */

import { Fifo } from "./fifo.ts";

/** Where a record stands: behind a barrier → in its key's queue → claimable → claimed ⇄ backing off → done. */
type Phase = "blocked" | "queued" | "ready" | "running" | "paused" | "done";

/** Where a record that is not done stands, and the one that it waits for (`behind`). */
export type Place =
  | { readonly at: "ready" | "sending" | "paused" | "set-aside"; readonly behind: null }
  /** An earlier one of its key; one that is set aside; a barrier before it; being a barrier, all before it. */
  | { readonly at: "same-key" | "held" | "barrier" | "as-barrier"; readonly behind: number };

interface Entry {
  readonly seq: number;
  readonly key: string | null;
  phase: Phase;
  aside: boolean;
}

export class Schedule {
  /** Every record that is not done, in seq order. */
  readonly #open = new Map<number, Entry>();
  /** A barrier that waits for its turn, and all behind it. */
  readonly #blocked = new Fifo<Entry>();
  /** Per key, in seq order: only the first may be sent. */
  readonly #queues = new Map<string, Entry[]>();
  readonly #ready = new Fifo<Entry>();
  /** The barrier whose turn it is: nothing else is in a queue but what is held. */
  #barrier: Entry | null = null;
  /** Records in queues; how many of them stand in a queue whose first is set aside. */
  #queued = 0;
  #held = 0;
  #barriersAside = 0;

  /** Records not done, held ones included. */
  get size(): number {
    return this.#open.size;
  }

  /** Records that nothing but their own key waits for: set aside, or behind one that is. */
  get held(): number {
    return this.#held + this.#barriersAside;
  }

  /** The lowest seq that is not done, or undefined: everything below it is done. */
  get lowest(): number | undefined {
    return this.#open.keys().next().value;
  }

  has(seq: number): boolean {
    return this.#open.has(seq);
  }

  /** Set aside, or waiting behind one of its key that is. */
  isHeld(seq: number): boolean {
    const entry = this.#open.get(seq);
    return entry !== undefined && this.#isHeld(entry);
  }

  isAside(seq: number): boolean {
    return this.#open.get(seq)?.aside ?? false;
  }

  /** A barrier's turn: nothing else can be sent until it is done or set aside. */
  isBarrier(seq: number): boolean {
    return this.#barrier?.seq === seq;
  }

  /** Where a record stands; null: it is done, or never came. For people: looks through all that is open. */
  placeOf(seq: number): Place | null {
    const entry = this.#open.get(seq);
    if (entry === undefined) return null;
    if (entry.aside) return { at: "set-aside", behind: null };
    if (entry.phase === "blocked") return this.#blockedPlace(entry);
    if (entry.phase === "queued") {
      const [first = entry] = this.#queueOf(entry);
      return { at: first.aside ? "held" : "same-key", behind: first.seq };
    }
    if (entry.phase === "ready") return { at: "ready", behind: null };
    return { at: entry.phase === "running" ? "sending" : "paused", behind: null };
  }

  #blockedPlace(entry: Entry): Place {
    const barrier = this.#barrier ?? this.#blocked.peek() ?? entry;
    if (barrier !== entry) return { at: "barrier", behind: barrier.seq };
    const [first = entry.seq] = this.waiting();
    return { at: "as-barrier", behind: first };
  }

  /** Seqs that are not done and not held, ascending. */
  *waiting(): Generator<number> {
    for (const entry of this.#open.values()) if (!this.#isHeld(entry)) yield entry.seq;
  }

  /** Takes a record in; call in ascending seq order. */
  add(seq: number, key: string | null, aside = false): void {
    const entry: Entry = { seq, key, phase: "blocked", aside };
    this.#open.set(seq, entry);
    this.#blocked.push(entry);
    this.#unblock();
  }

  /** Claims the next record to send, or undefined when none may be sent now. */
  next(): number | undefined {
    const entry = this.#ready.shift();
    if (entry === undefined) return undefined;
    entry.phase = "running";
    return entry.seq;
  }

  /** Gives a claimed record back until `resume`; others of its key keep waiting. */
  pause(seq: number): void {
    const entry = this.#entry(seq);
    if (entry.phase !== "running")
      throw new Error(`schedule: pause(${seq}) expected running, got ${entry.phase}`);
    entry.phase = "paused";
  }

  /** Makes a paused record claimable again; one that is not paused any more stays as it is. */
  resume(seq: number): void {
    const entry = this.#open.get(seq);
    if (entry?.phase === "paused") this.#makeReady(entry);
  }

  /** The record is through: acked, or skipped by an operator. Whatever waited for it may get its turn. */
  done(seq: number): void {
    const entry = this.#entry(seq);
    this.#takeOut(entry);
    entry.phase = "done";
    this.#open.delete(seq);
    this.#unblock();
  }

  /** Puts a record out of the way: from now on it holds back its key and nothing else. */
  setAside(seq: number): void {
    const entry = this.#entry(seq);
    if (entry.aside) return;
    if (entry.phase === "ready") this.#ready.remove(entry);
    entry.aside = true;
    if (entry.phase !== "blocked") this.#holdBack(entry);
    this.#unblock();
  }

  /**
   * An operator's retry: a record set aside takes its turn again. What was let past it meanwhile stays let
   * through: a barrier waits for that, and a barrier that is being sent already is not called back.
   */
  putBack(seq: number): void {
    const entry = this.#entry(seq);
    if (!entry.aside) return;
    entry.aside = false;
    if (entry.phase === "blocked") return;
    if (entry.key === null) {
      this.#barriersAside--;
      this.#recallBarrier();
      this.#block(entry);
    } else if (this.#isFirst(entry)) {
      this.#held -= this.#queueOf(entry).length;
      this.#recallBarrier();
      this.#makeReady(entry);
    }
    this.#unblock();
  }

  #entry(seq: number): Entry {
    const entry = this.#open.get(seq);
    if (entry === undefined) throw new Error(`schedule: seq ${seq} is not open`);
    return entry;
  }

  #queueOf(entry: Entry): Entry[] {
    return (entry.key === null ? undefined : this.#queues.get(entry.key)) ?? [];
  }

  #isFirst(entry: Entry): boolean {
    return this.#queueOf(entry)[0] === entry;
  }

  #isHeld(entry: Entry): boolean {
    if (entry.key === null) return entry.aside && entry.phase !== "blocked";
    return entry.phase === "queued" && (this.#queueOf(entry)[0]?.aside ?? false);
  }

  #makeReady(entry: Entry): void {
    entry.phase = "ready";
    this.#ready.push(entry);
  }

  /** Lets records through up to the next barrier, and that one when nothing is before it any more. */
  #unblock(): void {
    for (let entry = this.#blocked.peek(); entry !== undefined; entry = this.#blocked.peek()) {
      if (entry.phase !== "done") {
        if (this.#barrier !== null) return;
        if (entry.key === null && !entry.aside && this.#queued > this.#held) return;
      }
      this.#blocked.shift();
      if (entry.phase !== "done") this.#takeIn(entry);
    }
  }

  /** A barrier that was let through and not claimed yet has to wait again. */
  #recallBarrier(): void {
    const barrier = this.#barrier;
    if (barrier?.phase !== "ready") return;
    this.#ready.remove(barrier);
    this.#barrier = null;
    this.#block(barrier);
  }

  #block(entry: Entry): void {
    entry.phase = "blocked";
    this.#blocked.unshift(entry);
  }

  #takeIn(entry: Entry): void {
    entry.phase = "queued";
    if (entry.key !== null) this.#enqueue(entry, entry.key);
    else if (entry.aside) this.#barriersAside++;
    else {
      this.#barrier = entry;
      this.#makeReady(entry);
    }
  }

  #enqueue(entry: Entry, key: string): void {
    this.#queued++;
    const queue = this.#queues.get(key);
    if (queue === undefined) {
      this.#queues.set(key, [entry]);
      this.#firstInQueue(entry, 1);
    } else {
      queue.push(entry);
      if (queue[0]?.aside) this.#held++;
    }
  }

  /** A record came to the head of its queue: its turn, unless it is set aside and so holds the queue. */
  #firstInQueue(entry: Entry, length: number): void {
    if (entry.aside) this.#held += length;
    else this.#makeReady(entry);
  }

  #takeOut(entry: Entry): void {
    if (entry.phase === "blocked") return; // unblock drops it when it comes by
    if (entry.phase === "ready") this.#ready.remove(entry);
    if (entry.key === null) this.#takeOutBarrier(entry);
    else this.#dequeue(entry, entry.key);
  }

  #takeOutBarrier(entry: Entry): void {
    if (entry.aside) this.#barriersAside--;
    else this.#barrier = null;
  }

  #holdBack(entry: Entry): void {
    entry.phase = "queued";
    if (entry.key === null) {
      this.#barriersAside++;
      this.#barrier = null;
    } else if (this.#isFirst(entry)) this.#held += this.#queueOf(entry).length;
  }

  #dequeue(entry: Entry, key: string): void {
    const queue = this.#queueOf(entry);
    const index = queue.indexOf(entry);
    const wasHeld = queue[0]?.aside ?? false;
    queue.splice(index, 1);
    this.#queued--;
    if (wasHeld) this.#held -= index === 0 ? queue.length + 1 : 1;
    const next = queue[0];
    if (next === undefined) this.#queues.delete(key);
    else if (index === 0) this.#firstInQueue(next, queue.length);
  }
}
