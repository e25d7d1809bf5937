/**
 * The writes on their way: keeps them from the commit until nothing is left to decide, tells deliveries what
 * the nodes agreed on, and the clients that wait what came out.
 */

import { Aside } from "./aside.ts";
import type { RouteConfig } from "./config/config.ts";
import { LbError } from "./errors.ts";
import type { Journal } from "./journal/journal.ts";
import { type Attempt, failureOf } from "./leg.ts";
import type { Log } from "./log.ts";
import type { Metrics, Policy } from "./metrics/metrics.ts";
import type { UpstreamNode } from "./node.ts";
import { isAdminState } from "./node-state.ts";
import { OpenWrites } from "./open-writes.ts";
import { type JournalRecord, SKIPPED, type StoredAck, type StoredAnswer } from "./record.ts";
import type { Upstream } from "./upstream.ts";
import { type Outcome, Waiters } from "./waiters.ts";
import { type Answer, type Decided, Write, type WriteEvents } from "./write.ts";

/** What the registry asks of the deliveries. */
export interface DeliveryControl {
  acceptError(node: string, seq: number): void;
  setAside(seq: number): void;
  putBack(seq: number): void;
}

/** Settings that a reload may change. */
export interface WriteSettings {
  readonly sendTimeout: number;
  readonly minInSync: number;
  readonly maxAttempts: number;
  readonly routes: readonly RouteConfig[];
}

type Answers = ReadonlyMap<string, Answer>;

/** Outcomes that are kept for deliveries that read a record just before it was settled. */
const OUTCOMES = 4096;

export class Writes {
  /** Since the start: answers that differed, and answers after an ambiguous attempt. */
  readonly sums = { divergent: 0, ambiguous: 0 };
  readonly aside = new Aside();
  /** Settled after a restart by acks whose bodies were not kept: the next answer of that status has one. */
  readonly #bodiless = new Set<number>();
  readonly #open = new OpenWrites();
  /** Outcomes of the newest settled writes. */
  readonly #outcomes = new Map<number, number>();
  readonly #waiters = new Waiters((seq) => this.#timedOut(seq));
  readonly #sendTimers = new Map<number, NodeJS.Timeout>();
  readonly #upstream: Upstream;
  readonly #journal: Journal;
  readonly #deliveries: DeliveryControl;
  readonly #settings: () => WriteSettings;
  readonly #nodeDiverged: (node: UpstreamNode, seq: number) => void;
  readonly #log: Log;
  readonly #metrics: Metrics;
  readonly #events: WriteEvents;

  constructor(options: {
    upstream: Upstream;
    journal: Journal;
    deliveries: DeliveryControl;
    settings: () => WriteSettings;
    /** A node answered write `seq` otherwise than the others; by now it may have another state. */
    diverged: (node: UpstreamNode, seq: number) => void;
    log: Log;
    metrics: Metrics;
  }) {
    this.#upstream = options.upstream;
    this.#journal = options.journal;
    this.#deliveries = options.deliveries;
    this.#settings = options.settings;
    this.#nodeDiverged = options.diverged;
    this.#log = options.log;
    this.#metrics = options.metrics;
    this.#events = {
      missed: (node, write) => this.#missed(node, write),
      settled: (write, answer) => this.#settled(write, answer),
      agreedOnError: (write, status, nodes) => this.#agreedOnError(write, status, nodes),
      diverged: (write, nodes, expected) => this.#diverged(write, nodes, expected),
      closed: (write) => this.#closed(write),
    };
  }

  /** Writes that the in-sync nodes have not all answered; without those that wait for an operator. */
  get size(): number {
    return this.#open.size;
  }

  /** The journal has them on disk: from here on they are under way. */
  committed(records: readonly JournalRecord[]): void {
    const now = performance.now();
    for (const record of records) {
      this.#add(record, now);
      this.startSendTimer(record.seq);
    }
  }

  /** From now on the nodes have `sendTimeout` for it. */
  startSendTimer(seq: number): void {
    this.#stopSendTimer(seq);
    this.#sendTimers.set(
      seq,
      setTimeout(() => this.#overdue(seq), this.#settings().sendTimeout),
    );
  }

  /**
   * A record of an earlier process whose outcome is not known: decided as if new, without a client, from what
   * the nodes have acked already.
   */
  recover(record: JournalRecord, acks: readonly StoredAck[]): void {
    const kept = { headers: [], body: new Uint8Array(), tooLarge: false, lost: true };
    const answers = acks.map(
      ({ node, status, ambiguous }) => [node, { ...kept, status, ambiguous }] as const,
    );
    this.#add(record, null, new Map(answers));
  }

  /**
   * Lets a copy of a record share what is decided of it. A delivery may have read it from the journal a moment
   * before that was stored.
   */
  link(record: JournalRecord): void {
    const write = this.#open.get(record.seq);
    if (write !== undefined) record.state = write.record.state;
    else {
      record.state.outcome ??= this.#outcomes.get(record.seq) ?? null;
      record.state.setAside = false;
    }
  }

  /** A node may join without having acked it: it is waited for. */
  mayWait(seq: number, node: string): boolean {
    return this.#open.get(seq)?.mayJoin(node) ?? false;
  }

  /** What comes out of write `seq`; rejects with ack_timeout after `timeout` ms, or with write_skipped. */
  outcome(seq: number, timeout: number): Promise<Outcome> {
    const write = this.#open.get(seq);
    if (write?.answer) return Promise.resolve(this.#outcomeOf(write, write.answer));
    return this.#waiters.wait(seq, timeout);
  }

  /** A node's final answer to a record. */
  acked(node: UpstreamNode, record: JournalRecord, answer: Answer): void {
    const open = this.#open.get(record.seq);
    const policy = open?.policy.ack ?? this.#policyOf(record.route);
    this.#metrics.ack(node.name, answer.status, policy, open?.told ?? true);
    if (answer.ambiguous) {
      this.sums.ambiguous++;
      this.#metrics.ambiguous(node.name, policy);
      const { seq, requestId: id } = record;
      this.#log.ambiguous({ seq, node: node.name, status: answer.status, id });
    }
    this.#keepBody(record, answer);
    if (this.aside.has(record.seq)) this.#ackedAfterAll(node, record, answer);
    const write = this.#open.get(record.seq);
    const { outcome } = record.state;
    if (write !== undefined) write.answered(node.name, answer);
    else if (outcome !== null && outcome !== answer.status && !answer.ambiguous) {
      this.#metrics.divergence(node.name, policy);
      this.#quarantineDiverged(node.name, record, answer.status, outcome);
    }
  }

  /** An attempt that was under way when it was set aside: the others have to get it, too. */
  #ackedAfterAll(node: UpstreamNode, { seq, requestId: id }: JournalRecord, { status }: Answer): void {
    this.#log.alarm("a write that was set aside was acked after all: the others get it again", {
      seq,
      node: node.name,
      status,
      id,
    });
    this.#journal.setAside(seq, false).catch((error: unknown) => this.#log.bug("put back", error));
    this.putBack(seq);
  }

  #keepBody({ seq, state }: JournalRecord, answer: Answer): void {
    if (state.outcome !== answer.status || !this.#bodiless.delete(seq)) return;
    this.#journal.settle(seq, answer.status, stored(answer));
  }

  /** An attempt failed; it will be tried again. */
  failed(node: UpstreamNode, record: JournalRecord, attempt: Attempt): void {
    const failure = failureOf(attempt);
    this.#open.get(record.seq)?.failed(node.name, failure);
  }

  /** A node that runs has used up its attempts at this record (promise 8). */
  exhausted(node: UpstreamNode, record: JournalRecord, attempt: Attempt): void {
    const write = this.#open.get(record.seq);
    const { reason } = failureOf(attempt);
    if (write === undefined || write.answers.size > 0) {
      const why = `keeps failing write ${record.seq}, which others acked: ${reason}`;
      if (this.#mayQuarantine(node, why)) node.apply("quarantine", why);
      return;
    }
    // One that is down counts, too: it may have acked it before a restart.
    const others = this.#upstream.nodes.filter((other) => other.history && !isAdminState(other.state));
    if (write.exhausted(node.name, names(others))) this.setAside(record.seq, reason);
  }

  /** Out of the way on all nodes alike, until `lbctl writes retry|skip`, or until a node acks it after all. */
  setAside(seq: number, reason: string): void {
    const write = this.#open.get(seq);
    if (write === undefined) return;
    const { key, state, requestId: id } = write.record;
    state.setAside = true;
    this.aside.add(seq, key);
    this.#open.hold(seq, key);
    this.#stopSendTimer(seq);
    this.#deliveries.setAside(seq);
    this.#journal.setAside(seq, true).catch((error: unknown) => this.#log.bug("set aside", error));
    this.#metrics.setAside();
    this.#log.setAside({ seq, attempts: this.#settings().maxAttempts, reason, id });
  }

  /** Its turn comes again on every node; what was answered so far stays. */
  putBack(seq: number): void {
    const write = this.#open.get(seq);
    if (write === undefined) return;
    this.#decided(write);
    this.#add(write.record, null, write.answers);
    this.startSendTimer(seq);
    this.#deliveries.putBack(seq);
  }

  /** No node gets it any more: an operator said so. */
  skipped(seq: number): void {
    const write = this.#open.get(seq);
    if (write === undefined) return;
    this.#decided(write);
    write.record.state.outcome = SKIPPED;
    this.#forget(seq);
    this.#remember(seq, SKIPPED);
    this.#journal.settle(seq, SKIPPED, null);
    this.#waiters.refuse(seq, writeSkipped(seq));
  }

  /** Recorded, and no node of the upstream has acked it: an operator may decide on it. */
  isUnanswered(seq: number): boolean {
    const write = this.#open.get(seq);
    if (write === undefined || write.answer !== null) return false;
    return this.#upstream.nodes.every(({ name }) => !write.answers.has(name));
  }

  /** It is not set aside any more: what it held back goes on. */
  #decided({ seq, record: { key, state } }: Write): void {
    state.setAside = false;
    this.aside.delete(seq);
    this.#open.release(seq, key);
  }

  isOpen(seq: number): boolean {
    return this.#open.has(seq);
  }

  nodeLeft({ name, state }: UpstreamNode): void {
    for (const write of this.#open.all()) write.left(name, { draining: state === "draining" });
  }

  /** Nodes were removed, or settings changed. */
  reconfigured(): void {
    const { minInSync } = this.#settings();
    const isThere = (name: string) => this.#upstream.get(name) !== undefined;
    for (const write of this.#open.all()) write.reconfigured(minInSync, isThere);
  }

  /** What is behind its cursor came to it inside a snapshot: it will not answer that. */
  nodeJoined({ name, cursor, copiedTo }: UpstreamNode): void {
    for (const write of this.#open.all()) {
      // An answer to what the snapshot holds was given with another state.
      const answered = write.answers.has(name) && write.seq > copiedTo;
      if (write.seq > cursor || answered) write.joined(name);
    }
  }

  stop(): void {
    for (const timer of this.#sendTimers.values()) clearTimeout(timer);
    this.#waiters.stop();
  }

  #add(record: Decided, startedAt: number | null, answers?: Answers): void {
    const { minInSync } = this.#settings();
    const { seq, key, clientKey, requestId, route, state } = record;
    const write = new Write({
      record: { seq, key, clientKey, requestId, route, state },
      policy: { ack: this.#policyOf(route), minInSync, members: names(this.#upstream.members) },
      inSync: names(this.#upstream.inSync),
      startedAt,
      ...(answers === undefined ? {} : { answers }),
      order: (name) => this.#upstream.nodes.findIndex((node) => node.name === name),
      events: this.#events,
    });
    this.#open.set(write);
    if (this.aside.has(seq) || this.aside.holding(key) !== null) this.#open.hold(seq, null);
  }

  /** What the route asks for now; for one that is gone, the strictest. */
  #policyOf(route: string): Policy {
    const found = this.#settings().routes.find(({ name }) => name === route);
    return found?.to === "all" ? found.ack : "all";
  }

  #overdue(seq: number): void {
    this.#sendTimers.delete(seq);
    this.#open.get(seq)?.overdue();
  }

  #missed(name: string, write: Write): void {
    this.#upstream.get(name)?.apply("missed-write", `missed write ${write.seq}`);
  }

  #timedOut(seq: number): void {
    const write = this.#open.get(seq);
    if (write !== undefined) write.timedOut = true;
  }

  #settled(write: Write, answer: Answer): void {
    if (write.timedOut) this.#metrics.writeLate(write.policy.ack);
    this.#remember(write.seq, answer.status);
    if (answer.lost && write.record.clientKey !== null) this.#bodiless.add(write.seq);
    this.#journal.settle(
      write.seq,
      answer.status,
      write.record.clientKey === null || answer.lost ? null : stored(answer),
    );
    if (this.#waiters.has(write.seq)) this.#waiters.tell(this.#outcomeOf(write, answer));
  }

  #remember(seq: number, status: number): void {
    this.#outcomes.set(seq, status);
    if (this.#outcomes.size <= OUTCOMES) return;
    const [oldest] = this.#outcomes.keys();
    if (oldest !== undefined) this.#outcomes.delete(oldest);
  }

  #agreedOnError(write: Write, status: number, nodes: readonly string[]): void {
    this.#log.alarm("all in-sync nodes insist on an error: it is the app's answer", {
      seq: write.seq,
      status,
      id: write.record.requestId,
    });
    for (const node of nodes) this.#deliveries.acceptError(node, write.seq);
  }

  #diverged(write: Write, nodes: readonly string[], expected: number): void {
    // The client was told otherwise (ack: one): nodes that answer later are compared with the majority.
    if (write.answer?.status !== expected) {
      this.#remember(write.seq, expected);
      this.#journal.settle(write.seq, expected, null);
    }
    for (const name of nodes) {
      this.#metrics.divergence(name, write.policy.ack);
      this.#quarantineDiverged(name, write.record, write.answers.get(name)?.status ?? 0, expected);
    }
  }

  #quarantineDiverged(name: string, { seq, requestId: id }: Decided, status: number, expected: number): void {
    this.sums.divergent++;
    this.#log.divergence({ seq, node: name, status, majority: expected, id });
    const node = this.#upstream.get(name);
    const why = `diverged at write ${seq}: answered ${status}, the others ${expected}`;
    if (node === undefined) return;
    // It may have answered that with a state that it has no more; only what was copied from it is wrong then.
    const isItsState = node.history && seq > node.copiedTo;
    if (isItsState && !this.#mayQuarantine(node, why)) return;
    if (isItsState) node.apply("quarantine", why);
    this.#nodeDiverged(node, seq);
  }

  /** Never the last in-sync node: an alarm instead (promise 7). */
  #mayQuarantine(node: UpstreamNode, why: string): boolean {
    const others = this.#upstream.inSync.filter((other) => other !== node);
    if (others.length > 0) return true;
    this.#log.alarm("would quarantine the last in-sync node", { node: node.name, reason: why });
    return false;
  }

  #closed(write: Write): void {
    this.#forget(write.seq);
  }

  #forget(seq: number): void {
    this.#open.delete(seq);
    this.#stopSendTimer(seq);
  }

  #stopSendTimer(seq: number): void {
    clearTimeout(this.#sendTimers.get(seq));
    this.#sendTimers.delete(seq);
  }

  #outcomeOf(write: Write, answer: Answer): Outcome {
    const acks = this.#upstream.nodes.map((node) => {
      const status = write.answers.get(node.name)?.status;
      return `${node.name}=${status ?? (node.state === "in-sync" ? "pending" : node.state)}`;
    });
    return { seq: write.seq, answer, acks: acks.join(", ") };
  }
}

function names(nodes: readonly UpstreamNode[]): string[] {
  return nodes.map(({ name }) => name);
}

/** What is kept for a repeat by the client. */
function stored(answer: Answer): StoredAnswer {
  const { status, headers, body, tooLarge } = answer;
  return { status, headers, body, tooLarge };
}

/** What the client of a write is told that an operator gave up on. */
export function writeSkipped(seq: number): LbError {
  const detail = `write ${seq} was not carried out by any node, and an operator skipped it`;
  return new LbError("write_skipped", detail, { extra: { seq } });
}
