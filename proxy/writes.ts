/**
 * The writes on their way: keeps them from the commit until nothing is left to decide, tells deliveries what
 * the nodes agreed on, and the clients that wait what came out.
 */

import type { RouteConfig } from "./config/config.ts";
import { LbError } from "./errors.ts";
import type { Journal } from "./journal/journal.ts";
import type { Attempt } from "./leg.ts";
import type { Log } from "./log.ts";
import type { Metrics } from "./metrics/metrics.ts";
import type { UpstreamNode } from "./node.ts";
import { type JournalRecord, SKIPPED, type StoredAck, type StoredAnswer } from "./record.ts";
import type { Upstream } from "./upstream.ts";
import { type Answer, Write, type WriteEvents } from "./write.ts";

/** What a client that waits for a write is told. */
export interface Outcome {
  readonly seq: number;
  readonly answer: Answer;
  /** `app1=201, app2=201, app3=down` */
  readonly acks: string;
}

/** What the registry asks of the deliveries. */
export interface DeliveryControl {
  acceptError(node: string, seq: number): void;
  setAside(seq: number): void;
}

/** Settings that a reload may change. */
export interface WriteSettings {
  readonly sendTimeout: number;
  readonly minInSync: number;
  readonly maxAttempts: number;
  readonly routes: readonly RouteConfig[];
}

interface Waiter {
  readonly resolve: (outcome: Outcome) => void;
  readonly timer: NodeJS.Timeout;
}

/** Outcomes that are kept for deliveries that read a record just before it was settled. */
const OUTCOMES = 4096;

export class Writes {
  /** Since the start: answers that differed, and answers after an ambiguous attempt. */
  readonly sums = { divergent: 0, ambiguous: 0 };
  /** Seqs that are set aside (promise 8). */
  readonly aside = new Set<number>();
  /** Settled after a restart by acks whose bodies were not kept: the next answer of that status has one. */
  readonly #bodiless = new Set<number>();
  readonly #open = new Map<number, Write>();
  /** Outcomes of the newest settled writes. */
  readonly #outcomes = new Map<number, number>();
  readonly #waiters = new Map<number, readonly Waiter[]>();
  readonly #sendTimers = new Map<number, NodeJS.Timeout>();
  readonly #upstream: Upstream;
  readonly #journal: Journal;
  readonly #deliveries: DeliveryControl;
  readonly #settings: () => WriteSettings;
  readonly #log: Log;
  readonly #metrics: Metrics;
  readonly #events: WriteEvents;

  constructor(options: {
    upstream: Upstream;
    journal: Journal;
    deliveries: DeliveryControl;
    settings: () => WriteSettings;
    log: Log;
    metrics: Metrics;
  }) {
    this.#upstream = options.upstream;
    this.#journal = options.journal;
    this.#deliveries = options.deliveries;
    this.#settings = options.settings;
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

  /** Writes that the in-sync nodes have not all answered. */
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
    clearTimeout(this.#sendTimers.get(seq));
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
    this.aside.delete(record.seq);
    record.setAside = false;
    const kept = { headers: [], body: new Uint8Array(), tooLarge: true };
    const answers = acks.map(
      ({ node, status, ambiguous }) => [node, { ...kept, status, ambiguous }] as const,
    );
    this.#add(record, null, new Map(answers));
  }

  /**
   * The one copy of a record that all deliveries share, so that each sees its outcome. A delivery may have read
   * it from the journal a moment before the outcome was stored.
   */
  shared(record: JournalRecord): JournalRecord {
    const write = this.#open.get(record.seq);
    if (write !== undefined) return write.record;
    record.outcome ??= this.#outcomes.get(record.seq) ?? null;
    record.setAside = this.aside.has(record.seq);
    return record;
  }

  /** A node may join without having acked it: it is waited for. */
  mayWait(seq: number, node: string): boolean {
    return this.#open.get(seq)?.mayJoin(node) ?? false;
  }

  /** What comes out of write `seq`; rejects with ack_timeout after `timeout` ms. */
  outcome(seq: number, timeout: number): Promise<Outcome> {
    const write = this.#open.get(seq);
    if (write?.answer) return Promise.resolve(this.#outcomeOf(write, write.answer));
    return new Promise((resolve, reject) => {
      const waiter = { resolve, timer: setTimeout(() => expire(), timeout) };
      const waiters = this.#waiters.get(seq) ?? [];
      this.#waiters.set(seq, [...waiters, waiter]);
      const expire = () => {
        const others = (this.#waiters.get(seq) ?? []).filter((other) => other !== waiter);
        if (others.length > 0) this.#waiters.set(seq, others);
        else this.#waiters.delete(seq);
        const detail = `write ${seq} is recorded and will be delivered; its ack policy did not hold within ${timeout} ms`;
        reject(new LbError("ack_timeout", detail, { extra: { seq } }));
      };
    });
  }

  /** A node's final answer to a record. */
  acked(node: UpstreamNode, record: JournalRecord, answer: Answer): void {
    this.#metrics.ack(node.name, answer.status);
    if (answer.ambiguous) {
      this.sums.ambiguous++;
      this.#metrics.ambiguous(node.name);
      this.#log.ambiguous({ seq: record.seq, node: node.name, status: answer.status });
    }
    this.#keepBody(record, answer);
    const write = this.#open.get(record.seq);
    if (write !== undefined) write.answered(node.name, answer);
    else if (this.aside.has(record.seq)) {
      const facts = { seq: record.seq, node: node.name, status: answer.status };
      this.#log.alarm(
        "a write that was set aside was acked after all: the others need it, too (retry)",
        facts,
      );
    } else if (record.outcome !== null && record.outcome !== answer.status && !answer.ambiguous) {
      this.#quarantineDiverged(node.name, record.seq, answer.status, record.outcome);
    }
  }

  #keepBody({ seq, outcome }: JournalRecord, answer: Answer): void {
    if (outcome !== answer.status || answer.tooLarge || !this.#bodiless.delete(seq)) return;
    this.#journal.settle(seq, answer.status, stored(answer));
  }

  /** An attempt failed; it will be tried again. */
  failed(node: UpstreamNode, record: JournalRecord, attempt: Attempt): void {
    const failure = failureOf(attempt);
    this.#open.get(record.seq)?.failed(node.name, failure);
  }

  /** A node that acks others has used up its attempts at this record (promise 8). */
  exhausted(node: UpstreamNode, record: JournalRecord, attempt: Attempt): void {
    const write = this.#open.get(record.seq);
    const { reason } = failureOf(attempt);
    if (write === undefined || write.answers.size > 0) {
      const why = `keeps failing write ${record.seq}, which others acked: ${reason}`;
      if (this.#mayQuarantine(node, why)) node.apply("quarantine", why);
    } else if (write.exhausted(node.name)) this.setAside(record, reason);
  }

  /** Out of the way on all nodes alike, until `lbctl writes retry|skip`. */
  setAside(record: JournalRecord, reason: string): void {
    this.aside.add(record.seq);
    record.setAside = true;
    this.#forget(record.seq);
    this.#deliveries.setAside(record.seq);
    this.#journal.setAside(record.seq, true).catch((error: unknown) => this.#log.bug("set aside", error));
    this.#metrics.setAside();
    this.#log.setAside({ seq: record.seq, attempts: this.#settings().maxAttempts, reason });
  }

  /** No node gets it any more: an operator said so. */
  skipped(seq: number): void {
    this.aside.delete(seq);
    this.#remember(seq, SKIPPED);
  }

  isOpen(seq: number): boolean {
    return this.#open.has(seq);
  }

  nodeLeft(name: string): void {
    for (const write of [...this.#open.values()]) write.left(name);
  }

  /** What is behind its cursor came to it inside a snapshot: it will not answer that. */
  nodeJoined({ name, cursor }: UpstreamNode): void {
    for (const write of [...this.#open.values()]) {
      if (write.seq > cursor || write.answers.has(name)) write.joined(name);
    }
  }

  stop(): void {
    for (const timer of this.#sendTimers.values()) clearTimeout(timer);
    for (const waiters of this.#waiters.values()) for (const { timer } of waiters) clearTimeout(timer);
  }

  /** Age in ms of the oldest write that some in-sync node has not answered. */
  oldestAge(now: number): number {
    for (const write of this.#open.values()) if (write.startedAt !== null) return now - write.startedAt;
    return 0;
  }

  #add(record: JournalRecord, startedAt: number | null, answers?: ReadonlyMap<string, Answer>): void {
    const { minInSync, routes } = this.#settings();
    const route = routes.find(({ name }) => name === record.route);
    const ack = route?.to === "all" ? route.ack : "all";
    const write = new Write({
      record,
      policy: { ack, minInSync, members: this.#upstream.members.length },
      inSync: this.#upstream.inSync.map((node) => node.name),
      startedAt,
      ...(answers === undefined ? {} : { answers }),
      order: (name) => this.#upstream.nodes.findIndex((node) => node.name === name),
      events: this.#events,
    });
    this.#open.set(record.seq, write);
  }

  #overdue(seq: number): void {
    this.#sendTimers.delete(seq);
    this.#open.get(seq)?.overdue();
  }

  #missed(name: string, write: Write): void {
    this.#upstream.get(name)?.apply("missed-write", `missed write ${write.seq}`);
  }

  #settled(write: Write, answer: Answer): void {
    this.#remember(write.seq, answer.status);
    if (answer.tooLarge && write.startedAt === null && write.record.clientKey !== null)
      this.#bodiless.add(write.seq);
    this.#journal.settle(
      write.seq,
      answer.status,
      write.record.clientKey === null || answer.tooLarge ? null : stored(answer),
    );
    const waiters = this.#waiters.get(write.seq);
    if (waiters === undefined) return;
    this.#waiters.delete(write.seq);
    const outcome = this.#outcomeOf(write, answer);
    for (const { resolve, timer } of waiters) {
      clearTimeout(timer);
      resolve(outcome);
    }
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
      this.#quarantineDiverged(name, write.seq, write.answers.get(name)?.status ?? 0, expected);
    }
  }

  #quarantineDiverged(name: string, seq: number, status: number, expected: number): void {
    this.sums.divergent++;
    this.#metrics.divergence(name);
    this.#log.divergence({ seq, node: name, status, majority: expected });
    const node = this.#upstream.get(name);
    const why = `diverged at write ${seq}: answered ${status}, the others ${expected}`;
    if (node !== undefined && this.#mayQuarantine(node, why)) node.apply("quarantine", why);
  }

  /** Never the last in-sync node: an alarm instead (promise 7). */
  #mayQuarantine(node: UpstreamNode, why: string): boolean {
    const others = this.#upstream.inSync.filter((other) => other !== node);
    if (others.length > 0) return true;
    this.#log.alarm("would quarantine the last in-sync node", { node: node.name, why });
    return false;
  }

  #closed(write: Write): void {
    this.#forget(write.seq);
  }

  #forget(seq: number): void {
    this.#open.delete(seq);
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

function failureOf(attempt: Attempt): { status: number | null; reason: string } {
  if (attempt.kind === "answer") return { status: attempt.status, reason: `answered ${attempt.status}` };
  return { status: null, reason: attempt.reason };
}

/** What is kept for a repeat by the client. */
function stored(answer: Answer): StoredAnswer {
  return { status: answer.status, headers: answer.headers, body: answer.body };
}
