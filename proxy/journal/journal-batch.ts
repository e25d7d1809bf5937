/** What goes between the journal's facade (main thread) and its worker: shapes, and the packing of bodies. */

import type { LbError } from "../errors.ts";
import type { NewRecord, NodeRow, StoredAck, StoredAnswer } from "../record.ts";
import type { JournalLimits, Only } from "./journal.ts";
import type { MacKeys } from "./seal.ts";

/** One change, carried out in the order of the calls. Bodies travel apart, packed, in the same order. */
export type Op =
  | {
      readonly op: "append";
      readonly route: string;
      readonly key: string | null;
      readonly idempotencyKey: string | null;
      readonly fingerprint: string | null;
      readonly method: string;
      readonly path: string;
      readonly length: number;
    }
  /** A run of acks: ACK_FIELDS numbers each. */
  | { readonly op: "acks"; readonly nodes: string[]; readonly numbers: number[] }
  | { readonly op: "settle"; readonly seq: number; readonly status: number; readonly length: number | null }
  | { readonly op: "cursors"; readonly nodes: string[]; readonly cursors: number[] }
  /** `reset`: forgets what the node acked so far. */
  | { readonly op: "saveNode"; readonly row: NodeRow; readonly reset: boolean }
  | { readonly op: "removeNode"; readonly name: string }
  | { readonly op: "setAside"; readonly seq: number; readonly aside: boolean };

export const ACK_FIELDS = 6;

/** Questions; answered after the commit of the batch they are in, so they see every call made before them. */
export type Question =
  | { readonly ask: "read"; readonly from: number; readonly limit: number }
  | { readonly ask: "acked"; readonly node: string; readonly after: number }
  | { readonly ask: "answer"; readonly seq: number }
  | { readonly ask: "nodes" }
  | { readonly ask: "story"; readonly seq: number }
  | { readonly ask: "seen"; readonly key: string; readonly fingerprint: string }
  | { readonly ask: "pending"; readonly after: number; readonly limit: number; readonly only: Only | null }
  | { readonly ask: "purge"; readonly early: boolean }
  /** Nothing but the news that all before it is on disk. */
  | { readonly ask: "flush" };

export interface BatchMessage {
  readonly ops: readonly Op[];
  readonly questions: readonly Question[];
  /** The packed bodies of appends and settles. */
  readonly bodies: Uint8Array;
}

/** In the order in which they were sent. */
export type ToWorker = BatchMessage | { readonly limits: JournalLimits } | "close";

/** What became of an append; the numbers go over the wire. */
export const RECORDED = 0;
export const REPEAT = 1;
export const MISMATCH = 2;
export const FULL = 3;
/** The limit is not reached, and the file system has no room. */
export const DISK_FULL = 4;

export interface BatchReply {
  /** Three numbers for each append, in order: what became of it, seq, at. */
  readonly appended: readonly number[];
  /** Of the other changes that someone waits for (saveNode, removeNode, setAside): all were stored. */
  readonly stored: boolean;
  readonly answers: readonly Answered[];
  readonly head: number;
  readonly first: number;
  readonly usedBytes: number;
  /** ms that the commit took, both fsyncs included; 0 if there was nothing to commit. */
  readonly commitTime: number;
  /** Of it: the sync of the journal, and that of the head mark; 0 if there was no room for anything. */
  readonly syncTime: number;
  readonly markTime: number;
}

export type Answered = { readonly value: unknown } | { readonly error: WireError };

/** An LbError as it crosses threads. */
export interface WireError {
  readonly code: LbError["code"];
  readonly detail: string;
  readonly cause: string | null;
}

/** Records as they cross threads: `bodies` holds what `pack` made, record by record. */
export interface ReadReply {
  readonly records: readonly (readonly [
    seq: number,
    at: number,
    route: string,
    key: string | null,
    method: string,
    length: number,
    outcome: number | null,
    setAside: boolean,
  ])[];
  readonly bodies: Uint8Array;
}

export type FromWorker =
  | {
      readonly news: "opened";
      readonly id: string;
      readonly foundedEmpty: boolean;
      readonly macKeys: MacKeys;
      readonly head: number;
      readonly first: number;
      readonly usedBytes: number;
      readonly disk: DiskRoom;
    }
  | { readonly news: "batch"; readonly reply: BatchReply }
  | { readonly news: "purged"; readonly first: number; readonly usedBytes: number }
  | { readonly news: "disk"; readonly disk: DiskRoom }
  | { readonly news: "failed"; readonly error: WireError };

/** Bytes of a file system: left for this process's user, and in all. */
export interface DiskRoom {
  readonly free: number;
  readonly size: number;
}

interface Packed {
  readonly head: string;
  readonly headLength: number;
  readonly body: Uint8Array;
}

interface WaitingAppend {
  readonly record: NewRecord;
  readonly resolve: (value: { kind: "recorded" | "repeat" | "mismatch"; seq: number }) => void;
  readonly reject: (error: unknown) => void;
}

interface BatchedAppend extends WaitingAppend {
  /** When it was handed over (monotonic ms), and what it takes in the batch's bodies. */
  readonly since: number;
  readonly length: number;
}

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** More than this in one transaction would make the writes behind it wait too long. */
const MAX_APPENDS = 512;
const MAX_BYTES = 8 * 1024 * 1024;

/** Collects calls until the worker is ready for them. */
export class Batch {
  readonly ops: Op[] = [];
  readonly questions: Question[] = [];
  readonly appends: BatchedAppend[] = [];
  readonly changes: Waiting[] = [];
  readonly asked: Waiting[] = [];
  readonly #packed: Packed[] = [];
  #bytes = 0;

  /** Someone is waiting for it. */
  get urgent(): boolean {
    return this.appends.length + this.changes.length + this.asked.length > 0;
  }

  get empty(): boolean {
    return this.ops.length + this.questions.length === 0;
  }

  get full(): boolean {
    return this.appends.length >= MAX_APPENDS || this.#bytes >= MAX_BYTES;
  }

  append(waiting: WaitingAppend): void {
    const { route, key, idempotency, request } = waiting.record;
    const length = this.#pack(JSON.stringify([request.target, request.headers]), request.body);
    const [path = ""] = request.target.split("?", 1);
    this.appends.push({ ...waiting, since: performance.now(), length });
    this.ops.push({
      op: "append",
      route,
      key,
      idempotencyKey: idempotency?.key ?? null,
      fingerprint: idempotency?.fingerprint ?? null,
      method: request.method,
      path,
      length,
    });
  }

  ack(ack: StoredAck): void {
    let last = this.ops.at(-1);
    if (last?.op !== "acks") {
      last = { op: "acks", nodes: [], numbers: [] };
      this.ops.push(last);
    }
    last.nodes.push(ack.node);
    last.numbers.push(ack.seq, ack.status, ack.attempts, ack.ambiguous ? 1 : 0, ack.firstAt, ack.at);
  }

  cursor(node: string, cursor: number): void {
    let last = this.ops.at(-1);
    if (last?.op !== "cursors") {
      last = { op: "cursors", nodes: [], cursors: [] };
      this.ops.push(last);
    }
    last.nodes.push(node);
    last.cursors.push(cursor);
  }

  settle(seq: number, status: number, answer: StoredAnswer | null): void {
    const length = answer ? this.#packAnswer(answer) : null;
    this.ops.push({ op: "settle", seq, status, length });
  }

  #packAnswer({ status, headers, body, tooLarge }: StoredAnswer): number {
    return this.#pack(JSON.stringify(tooLarge ? [status, headers, true] : [status, headers]), body);
  }

  change(op: Op, waiting: Waiting): void {
    this.ops.push(op);
    this.changes.push(waiting);
  }

  ask(question: Question, waiting: Waiting): void {
    this.questions.push(question);
    this.asked.push(waiting);
  }

  reject(error: unknown): void {
    for (const waiting of [...this.appends, ...this.changes, ...this.asked]) waiting.reject(error);
  }

  /** All bodies in one buffer of their own, which can be handed over: cloning a Buffer would copy its whole pool. */
  message(): BatchMessage & { readonly bodies: Uint8Array<ArrayBuffer> } {
    const bodies = new Uint8Array(new ArrayBuffer(this.#bytes));
    const view = Buffer.from(bodies.buffer);
    let at = 0;
    for (const { head, headLength, body } of this.#packed) {
      at = view.writeUInt32LE(headLength, at);
      at += view.write(head, at, "utf8");
      bodies.set(body, at);
      at += body.length;
    }
    return { ops: this.ops, questions: this.questions, bodies };
  }

  #pack(head: string, body: Uint8Array): number {
    const headLength = Buffer.byteLength(head);
    const length = 4 + headLength + body.length;
    this.#packed.push({ head, headLength, body });
    this.#bytes += length;
    return length;
  }
}

/** The two halves of what was packed: the parsed head, and the body (a view). */
export function unpack(bytes: Uint8Array): { head: unknown; body: Uint8Array } {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = 4 + view.readUInt32LE(0);
  return { head: JSON.parse(view.toString("utf8", 4, end)), body: bytes.subarray(end) };
}
