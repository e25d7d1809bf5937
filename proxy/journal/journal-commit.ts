/** Group commit: everything that was asked of the journal while the last commit ran becomes one transaction. */

import type { HeadMark } from "./head-mark.ts";
import type { JournalLimits } from "./journal.ts";
import type { PackedAck } from "./journal-acks.ts";
import {
  ACK_FIELDS,
  type BatchMessage,
  type BatchReply,
  DISK_FULL,
  FULL,
  MISMATCH,
  type Op,
  RECORDED,
  REPEAT,
} from "./journal-batch.ts";
import { answerContext, recordContext } from "./journal-schema.ts";
import { seenBefore } from "./journal-seen.ts";
import type { JournalStore } from "./journal-store.ts";
import type { Sealer } from "./seal.ts";

export interface CommitterParts {
  readonly id: string;
  readonly store: JournalStore;
  readonly mark: Pick<HeadMark, "write">;
  readonly sealer: Sealer;
  /** Asked at each commit. */
  readonly limits: () => Pick<JournalLimits, "maxBytes" | "idempotencyWindow">;
  /** Bytes left on the file system; asked when there was no room. */
  readonly diskFree: () => number;
}

/** What of a batch is stored. Each next step needs less room on the disk. */
const STEPS = ["all", "without appends", "cursors only"] as const;
type Step = (typeof STEPS)[number];

/** Rows, their index entries and their share of half-full pages, beside the body itself: a cautious guess. */
const ROW_BYTES = 1024;
/** Bytes of log after which it is worth moving its pages to the database. */
const CHECKPOINT_BYTES = 8 * 1024 * 1024;
/** Pages that a small commit touches. */
const COMMIT_BYTES = 8 * 4096;
/** With less than this on the disk, beside what a batch needs itself, the disk is why there was no room. */
const DISK_SPARE = 256 * 1024;

export type Committed = Pick<BatchReply, "appended" | "stored" | "syncTime" | "markTime">;

export class Committer {
  readonly #parts: CommitterParts;
  /** Cursors that did not even fit alone; they go with the next commit. */
  #owed = new Map<string, number>();
  #logged = 0;

  constructor(parts: CommitterParts) {
    this.#parts = parts;
  }

  /**
   * Returns when all that it says was stored is fsynced, and the head mark, too. Any error thrown means that
   * the state of the disk is no longer known (a failed fsync): the caller must not go on.
   */
  commit(batch: BatchMessage): Committed {
    let refusal = FULL;
    for (const step of STEPS) {
      try {
        return this.#transaction(batch, step, refusal);
      } catch (error) {
        if (!isFull(error)) throw error;
        this.#parts.store.rollback();
        if (this.#parts.diskFree() < batch.bodies.length * 2 + DISK_SPARE) refusal = DISK_FULL;
      }
    }
    this.#owe(batch.ops);
    return { appended: refused(batch.ops, refusal), stored: false, syncTime: 0, markTime: 0 };
  }

  /** One transaction outside a batch: the purge. False if there was no room even for that. */
  alone(work: () => void): boolean {
    const { store } = this.#parts;
    store.begin();
    try {
      work();
      this.#finish();
      this.#logged += COMMIT_BYTES;
      return true;
    } catch (error) {
      if (!isFull(error)) throw error;
      store.rollback();
      return false;
    }
  }

  /** To be called when nobody is waiting. Unlike SQLite's own checkpoints, it says when it failed. */
  checkpointIfDue(): void {
    if (this.#logged < CHECKPOINT_BYTES) return;
    this.#logged = 0;
    try {
      this.#parts.store.checkpoint();
    } catch (error) {
      // No room in the database for what the log holds: it stays in the log, and is read from there.
      if (!isFull(error)) throw error;
    }
  }

  #transaction(batch: BatchMessage, step: Step, refusal: number): Committed {
    this.#parts.store.begin();
    const work = new Transaction(this.#parts, batch.bodies, { step, refusal });
    for (const [node, cursor] of this.#owed) work.moveCursor(node, cursor);
    for (const op of batch.ops) work.apply(op);
    work.finish();
    const times = this.#finish();
    this.#owed.clear();
    this.#logged += batch.bodies.length * 2 + COMMIT_BYTES;
    return { appended: work.appended, stored: step !== "cursors only", ...times };
  }

  /** Commits; gives the ms that each of the two syncs took. */
  #finish(): { syncTime: number; markTime: number } {
    const { id, store, mark } = this.#parts;
    const started = performance.now();
    store.commit();
    const synced = performance.now();
    mark.write({ journal: id, head: store.state.head, commit: store.state.commits });
    return { syncTime: synced - started, markTime: performance.now() - synced };
  }

  #owe(ops: readonly Op[]): void {
    for (const op of ops) {
      if (op.op !== "cursors") continue;
      for (const [i, node] of op.nodes.entries()) this.#owed.set(node, op.cursors[i] ?? 0);
    }
  }
}

/** The ops of one batch, applied to the store within its transaction. */
class Transaction {
  readonly appended: number[] = [];
  readonly #parts: CommitterParts;
  readonly #bodies: Uint8Array;
  readonly #step: Step;
  /** What its appends are told when they are left out. */
  readonly #refusal: number;
  readonly #at = Date.now();
  readonly #acks = new Map<number, PackedAck[]>();
  readonly #cursors = new Map<string, number>();
  #read = 0;
  #room: number;

  constructor(parts: CommitterParts, bodies: Uint8Array, { step, refusal }: { step: Step; refusal: number }) {
    this.#parts = parts;
    this.#bodies = bodies;
    this.#step = step;
    this.#refusal = refusal;
    this.#room = parts.limits().maxBytes - parts.store.usedBytes;
  }

  apply(op: Op): void {
    if (op.op === "append") this.#append(op);
    else if (op.op === "cursors")
      op.nodes.forEach((node, i) => void this.moveCursor(node, op.cursors[i] ?? 0));
    else if (this.#step === "cursors only") this.#skip(op);
    else if (op.op === "acks") this.#collectAcks(op.nodes, op.numbers);
    else if (op.op === "settle") this.#settle(op);
    else if (op.op === "setAside") this.#aside(op);
    else this.#node(op);
  }

  finish(): void {
    this.#storeAcks();
    this.#storeCursors();
  }

  /** Only ever forwards; a node that is not known (any more) has no cursor. */
  moveCursor(node: string, cursor: number): void {
    const { head } = this.#parts.store.state;
    this.#cursors.set(node, Math.max(Math.min(cursor, head), this.#cursors.get(node) ?? 0));
  }

  #append(op: Op & { op: "append" }): void {
    const body = this.#take(op.length);
    const { store, limits } = this.#parts;
    const { idempotencyKey: key, fingerprint } = op;
    const seen =
      key === null ? null : seenBefore(store, { key, fingerprint }, this.#at - limits().idempotencyWindow);
    if (seen) this.appended.push(seen.kind === "repeat" ? REPEAT : MISMATCH, seen.seq, 0);
    else if (this.#step !== "all") this.appended.push(this.#refusal, 0, 0);
    else if (this.#room < op.length + ROW_BYTES) this.appended.push(FULL, 0, 0);
    else this.appended.push(RECORDED, this.#record(op, body), this.#at);
  }

  #record(op: Op & { op: "append" }, body: Uint8Array): number {
    this.#room -= op.length + ROW_BYTES;
    const { id, store, sealer } = this.#parts;
    const { route, method, path, key, idempotencyKey: idem_key, fingerprint: idem_print } = op;
    return store.append({ at: this.#at, route, method, path, key, idem_key, idem_print }, (fields) =>
      sealer.seal(recordContext(id, fields), body),
    );
  }

  #collectAcks(nodes: readonly string[], numbers: readonly number[]): void {
    const { store } = this.#parts;
    nodes.forEach((name, i) => {
      const node = store.node(name)?.id;
      const [seq = 0, status = 0, attempts = 0, ambiguous = 0, firstAt = 0, at = 0] = numbers.slice(
        i * ACK_FIELDS,
        (i + 1) * ACK_FIELDS,
      );
      // No such node: removed meanwhile.
      if (node === undefined || seq > store.state.head) return;
      const ack = { node, status, attempts, ambiguous: ambiguous === 1, firstAt, at };
      const acks = this.#acks.get(seq);
      if (acks) acks.push(ack);
      else this.#acks.set(seq, [ack]);
    });
  }

  #aside(op: Op & { op: "setAside" }): void {
    const { store } = this.#parts;
    if (op.seq <= store.state.head) store.setAside(op.seq, op.aside ? this.#at : null);
  }

  #settle(op: Op & { op: "settle" }): void {
    const { id, store, sealer } = this.#parts;
    const answer = op.length === null ? null : this.#take(op.length);
    if (op.seq > store.state.head) return;
    store.saveOutcome(op.seq, op.status);
    if (op.length === null || answer === null) return;
    // With little room left the status has to do.
    if (this.#room > op.length + ROW_BYTES)
      store.saveAnswer(op.seq, sealer.seal(answerContext(id, op.seq), answer));
    this.#room -= op.length;
  }

  #node(op: Op & { op: "saveNode" | "removeNode" }): void {
    const { store } = this.#parts;
    this.#storeCursors();
    if (op.op === "removeNode") {
      store.removeNode(op.name);
      return;
    }
    const before = store.node(op.row.name);
    // Acks beyond a cursor that is set back were given for a state that the node no longer has.
    if (op.reset || (before && op.row.cursor < before.cursor)) store.removeNode(op.row.name);
    store.saveNode({ ...op.row, cursor: Math.min(op.row.cursor, store.state.head) });
  }

  #storeAcks(): void {
    for (const [seq, acks] of this.#acks) this.#parts.store.addAcks(seq, acks);
  }

  #storeCursors(): void {
    const { store } = this.#parts;
    for (const [name, cursor] of this.#cursors) {
      const row = store.node(name);
      if (row && cursor > row.cursor) store.saveNode({ ...row, cursor });
    }
    this.#cursors.clear();
  }

  #skip(op: Op): void {
    if (op.op === "settle" && op.length !== null) this.#take(op.length);
  }

  #take(length: number): Uint8Array {
    const bytes = this.#bodies.subarray(this.#read, this.#read + length);
    this.#read += length;
    return bytes;
  }
}

/** SQLITE_FULL: max_page_count is reached, or the disk has no room. */
function isFull(error: unknown): boolean {
  return ((error as { errcode?: number }).errcode ?? 0) % 256 === 13;
}

function refused(ops: readonly Op[], refusal: number): number[] {
  return ops.flatMap((op) => (op.op === "append" ? [refusal, 0, 0] : []));
}
