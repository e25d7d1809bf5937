/**
 * One write on its way: which nodes it waits for, what they answered, when the client may be told, who missed
 * it, who disagrees. Pure: no I/O, no timers, no clock.
 */

import type { WriteRoute } from "./config/config.ts";
import type { JournalRecord } from "./record.ts";

/** A node's final answer. */
export interface Answer {
  readonly status: number;
  readonly headers: readonly string[];
  readonly body: Uint8Array;
  /** An earlier attempt may have been carried out without an answer. */
  readonly ambiguous: boolean;
  /** Its body went over the limit and was dropped. */
  readonly tooLarge: boolean;
  /** It was given before a restart: only its status is known. */
  readonly lost?: boolean;
}

/** Why a node has not acked yet: an answer to be retried (status), or none (null). */
export interface Failure {
  readonly status: number | null;
  readonly reason: string;
}

/** What a write tells its owner; each at most once for a node. */
export interface WriteEvents {
  /** Another node acked what `node` failed or did not answer in time: it must leave the reads now. */
  missed(node: string, write: Write): void;
  /** The policy holds: this is the answer. */
  settled(write: Write, answer: Answer): void;
  /** All in-sync nodes insist on the same error: it is the app's answer, and final for each of them. */
  agreedOnError(write: Write, status: number, nodes: readonly string[]): void;
  /** These nodes answered otherwise than the others. */
  diverged(write: Write, nodes: readonly string[], expected: number): void;
  /** No in-sync node is awaited any more and the client was told: nothing is left to decide. */
  closed(write: Write): void;
}

interface Trouble {
  /** Failed attempts with the same retryable status in a row; 0 when the last one had no status. */
  same: number;
  status: number | null;
  exhausted: boolean;
}

/** What of a record a write is decided by; the request itself is not kept. */
export type Decided = Pick<JournalRecord, "seq" | "key" | "clientKey" | "requestId" | "route" | "state">;

export interface WritePolicy {
  readonly ack: WriteRoute["ack"];
  readonly minInSync: number;
  /** Members when the write was recorded, as far as they were not removed since; a quorum is more than half. */
  readonly members: readonly string[];
}

export class Write {
  readonly record: Decided;
  policy: WritePolicy;
  /** The answer that settled it. */
  answer: Answer | null = null;
  /** When it was recorded by this process (monotonic ms), or null after a restart: counts as answered. */
  readonly startedAt: number | null;
  /** A client was told 504: it is recorded and will be delivered. */
  timedOut = false;
  /** In-sync nodes that have to answer, in config order where it matters to the reply. */
  readonly #awaited = new Set<string>();
  readonly #answers = new Map<string, Answer>();
  /** Nodes that an operator drains: nobody waits for them, but they have all that the others have. */
  readonly #draining = new Set<string>();
  /** Answers of nodes that were in-sync or draining when they gave them: only these count for the policy. */
  readonly #counted = new Map<string, Answer>();
  readonly #trouble = new Map<string, Trouble>();
  readonly #missed = new Set<string>();
  readonly #order: (name: string) => number;
  readonly #events: WriteEvents;
  #overdue = false;
  #closed = false;

  constructor(options: {
    record: Decided;
    policy: WritePolicy;
    inSync: readonly string[];
    startedAt: number | null;
    /** Position of a node in the config. */
    order: (name: string) => number;
    events: WriteEvents;
    /** What was answered before a restart. */
    answers?: ReadonlyMap<string, Answer>;
  }) {
    this.record = options.record;
    this.policy = options.policy;
    this.startedAt = options.startedAt;
    this.#order = options.order;
    this.#events = options.events;
    for (const [name, answer] of options.answers ?? []) this.#answers.set(name, answer);
    for (const name of options.inSync) this.joined(name);
  }

  get seq(): number {
    return this.record.seq;
  }

  /** Its client has a reply or a 504, or was cut off by a restart. */
  get told(): boolean {
    return this.answer !== null || this.timedOut || this.startedAt === null;
  }

  get awaited(): readonly string[] {
    return [...this.#awaited];
  }

  /** Each node's answer so far, for the reply's `lb-acks`. */
  get answers(): ReadonlyMap<string, Answer> {
    return this.#answers;
  }

  /** A node's final answer is in. */
  answered(node: string, answer: Answer): void {
    this.#answers.set(node, answer);
    this.#trouble.delete(node);
    if (this.#awaited.has(node) || this.#draining.has(node)) this.#count(node, answer);
    this.#decide();
  }

  /** An attempt failed; the node will be tried again. */
  failed(node: string, failure: Failure): void {
    const trouble = this.#troubleOf(node);
    const repeated = failure.status !== null && failure.status === trouble.status;
    trouble.same = failure.status === null ? 0 : repeated ? trouble.same + 1 : 1;
    trouble.status = failure.status;
    this.#tellMissed();
    this.#agreeOnError();
  }

  /** The send timeout passed: whoever has not answered counts as failed from here on. */
  overdue(): void {
    this.#overdue = true;
    for (const node of this.#awaited) if (!this.#answers.has(node)) this.#troubleOf(node);
    this.#tellMissed();
  }

  /**
   * The node used up its attempts although it runs. Says whether that is true of all that could ack it: those
   * awaited, or, where no node is in-sync, `others`.
   */
  exhausted(node: string, others: readonly string[]): boolean {
    this.#troubleOf(node).exhausted = true;
    if (this.#answers.size > 0) return false;
    const nodes = this.#awaited.size > 0 ? this.#awaited : others;
    return [...nodes].every((name) => this.#trouble.get(name)?.exhausted ?? false);
  }

  /** A node left the in-sync set: it is not waited for any more. */
  left(node: string, { draining = false } = {}): void {
    if (!this.#awaited.delete(node)) return;
    if (draining) this.#draining.add(node);
    this.#agreeOnError();
    this.#decide();
  }

  /** The config changed: nodes that are gone count no more, neither as members nor by their answers. */
  reconfigured(minInSync: number, isThere: (node: string) => boolean): void {
    this.policy = { ...this.policy, minInSync, members: this.policy.members.filter(isThere) };
    if (this.answer === null)
      for (const node of this.#counted.keys()) if (!isThere(node)) this.#counted.delete(node);
    this.#decide();
  }

  /**
   * Whether a node that has not acked it may join and be waited for: the client was told nothing yet, and the
   * node has not missed it (promise 5).
   */
  mayJoin(node: string): boolean {
    if (this.startedAt === null || this.answer !== null) return false;
    return this.#counted.size === 0 || !(this.#overdue || this.#trouble.has(node));
  }

  /** A node joined the in-sync set while this write waits: it is waited for, too. */
  joined(node: string): void {
    this.#draining.delete(node);
    this.#awaited.add(node);
    const answer = this.#answers.get(node);
    if (answer !== undefined) this.#count(node, answer);
    else if (this.#overdue) this.#troubleOf(node);
    this.#decide();
  }

  #count(node: string, answer: Answer): void {
    this.#counted.set(node, answer);
    this.#tellMissed();
  }

  #troubleOf(node: string): Trouble {
    let trouble = this.#trouble.get(node);
    if (trouble === undefined) {
      trouble = { same: 0, status: null, exhausted: false };
      this.#trouble.set(node, trouble);
    }
    return trouble;
  }

  /** Promise 5: once one node acked, those in trouble have missed the write. */
  #tellMissed(): void {
    if (this.#counted.size === 0) return;
    for (const node of this.#trouble.keys()) {
      if (!this.#awaited.has(node) || this.#missed.has(node)) continue;
      this.#missed.add(node);
      this.#events.missed(node, this);
    }
  }

  /** Promise 8: the same error from every awaited node, after one retry each, is the app's answer. */
  #agreeOnError(): void {
    if (this.#answers.size > 0 || this.#awaited.size === 0) return;
    let status: number | null = null;
    for (const node of this.#awaited) {
      const trouble = this.#trouble.get(node);
      if (trouble === undefined || trouble.status === null || trouble.same < 2) return;
      if (status !== null && trouble.status !== status) return;
      status = trouble.status;
    }
    if (status === null) return;
    // Nobody has missed it: the first to be told would else make the others leave.
    this.#trouble.clear();
    this.#events.agreedOnError(this, status, this.awaited);
  }

  #decide(): void {
    if (this.answer === null && this.#policyHolds()) this.#settle();
    if (this.#closed || this.answer === null || !this.#allAnswered()) return;
    this.#closed = true;
    this.#tellDiverged();
    this.#events.closed(this);
  }

  #allAnswered(): boolean {
    for (const node of this.#awaited) if (!this.#counted.has(node)) return false;
    return true;
  }

  #policyHolds(): boolean {
    const { ack, minInSync, members } = this.policy;
    if (ack === "one") return this.#counted.size >= 1;
    if (ack === "quorum") {
      const acked = members.filter((node) => this.#counted.has(node));
      return acked.length > members.length / 2;
    }
    return this.#allAnswered() && this.#counted.size >= Math.max(1, minInSync);
  }

  #settle(): void {
    const answer = this.#unanimous() ?? this.#majority();
    this.answer = answer;
    this.record.state.outcome = answer.status;
    this.#events.settled(this, answer);
  }

  /** Of the first node, where there is nothing to choose: the usual case, without a list of anything. */
  #unanimous(): Answer | null {
    let first: Answer | null = null;
    let place = Number.POSITIVE_INFINITY;
    for (const [name, answer] of this.#counted) {
      if (answer.ambiguous || answer.tooLarge || answer.lost) return null;
      if (first !== null && first.status !== answer.status) return null;
      const at = this.#order(name);
      if (at > place) continue;
      first = answer;
      place = at;
    }
    return first;
  }

  /** The most frequent status among certain answers (among all, when none is), from its first node. */
  #majority(): Answer {
    const inOrder = [...this.#counted].sort(([a], [b]) => this.#order(a) - this.#order(b));
    const certain = inOrder.filter(([, answer]) => !answer.ambiguous);
    const groups = Map.groupBy(certain.length > 0 ? certain : inOrder, ([, answer]) => answer.status);
    let best: readonly [string, Answer][] = [];
    for (const group of groups.values()) if (group.length > best.length) best = group;
    const status = best[0]?.[1].status;
    const same = inOrder.flatMap(([, answer]) => (answer.status === status ? answer : []));
    const answer = same.find(({ tooLarge, lost }) => !(tooLarge || lost)) ?? same[0];
    if (answer === undefined) throw new Error(`write ${this.seq} settled without an answer`);
    return answer;
  }

  #nobodyDiffers(): boolean {
    for (const { status } of this.#answers.values()) if (status !== this.answer?.status) return false;
    return true;
  }

  /** Promise 7: the minority among certain answers; in a tie, those that differ from what the client got. */
  #tellDiverged(): void {
    if (this.#nobodyDiffers()) return;
    const counts = new Map<number, number>();
    for (const { status, ambiguous } of this.#counted.values()) {
      if (!ambiguous) counts.set(status, (counts.get(status) ?? 0) + 1);
    }
    const told = this.answer?.status ?? 0;
    const most = Math.max(0, ...counts.values());
    const expected = (counts.get(told) ?? 0) === most ? told : [...counts].find(([, n]) => n === most)?.[0];
    if (expected === undefined) return;
    // Those, too, that answered while they were out of the in-sync set.
    const certain = [...this.#answers].filter(([, answer]) => !answer.ambiguous);
    if (expected !== told) this.record.state.outcome = expected;
    const nodes = certain.filter(([, { status }]) => status !== expected).map(([name]) => name);
    if (nodes.length > 0) this.#events.diverged(this, nodes, expected);
  }
}
