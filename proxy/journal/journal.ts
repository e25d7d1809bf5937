/**
 * The journal: the durable log of writes, as the rest of the balancer knows it. journal-start.ts opens it,
 * journal-client.ts answers the calls; the disk, the seals and the SQL are in a worker thread (journal-worker.ts), one
 * batch of calls at a time. docs/journal.md has the whole story.
 */

import type { JournalRecord, NewRecord, NodeRow, StoredAck, StoredAnswer, WriteStory } from "../record.ts";
import type { MacPurpose } from "./seal.ts";

/** Where a journal is, and what it has to be. */
export interface JournalPlace {
  /** Folder of journal.db; made 0700 if missing. */
  readonly dataDir: string;
  /** AES and HMAC key material; made (random, 0600) if neither it nor a journal exists. */
  readonly keyFile: string;
  /** Last seq that was fsynced, kept outside dataDir, so that a lost tail or an older copy is noticed. */
  readonly headFile: string;
  /** Refuses a journal that another cluster made. */
  readonly cluster: string;
}

/** What may change while it is open. */
export interface JournalLimits {
  /** Bytes; appends are refused at it (journal_full), acks and purge still work. */
  readonly maxBytes: number;
  /** ms; how long an Idempotency-Key is remembered. */
  readonly idempotencyWindow: number;
  /** ms after which bodies that every member acked are purged; null keeps them. */
  readonly retention: number | null;
}

export interface JournalOptions extends JournalPlace, JournalLimits {}

export type Appended =
  /** Fsynced as a new record. */
  | { readonly kind: "recorded"; readonly seq: number }
  /** Same Idempotency-Key and same request as `seq`, which is pending or has a non-5xx outcome. */
  | { readonly kind: "repeat"; readonly seq: number }
  /** Same Idempotency-Key, other request. */
  | { readonly kind: "mismatch"; readonly seq: number };

/** What an Idempotency-Key was used for before. */
export interface Seen {
  /** With the same request, which is pending or has an outcome below 500; or with another one. */
  readonly kind: "repeat" | "mismatch";
  readonly seq: number;
}

/** Which records: those set aside; those whose outcome is not known, whoever acked them. */
export type Only = "set-aside" | "unsettled";

/** Running totals, for metrics. */
export interface JournalStats {
  readonly commits: number;
  /** ms spent in commits, fsyncs included. */
  readonly commitTime: number;
  readonly appended: number;
  /** Bytes in use, of `maxBytes`. */
  readonly usedBytes: number;
  readonly maxBytes: number;
  /** Of the file system of dataDir: bytes left for this process's user, and its size; at most a second old. */
  readonly diskFree: number;
  readonly diskSize: number;
}

/** One group commit. */
export interface GroupCommit {
  /** New records in it, and their bytes. */
  readonly records: number;
  readonly bytes: number;
  /** The whole of it; within it, the sync of the journal and that of the head mark. */
  readonly ms: number;
  readonly syncMs: number;
  readonly markMs: number;
  /** Seq of the last record. */
  readonly head: number;
}

/** Whom the journal tells how it fares. */
export interface JournalMeter {
  /** A record is fsynced, `ms` after it was handed over. */
  appended(ms: number, seq: number): void;
  committed(commit: GroupCommit): void;
  purged(records: number): void;
}

export interface Journal {
  /** Random, made with the journal: part of every Idempotency-Key that nodes get. */
  readonly id: string;
  /** Last fsynced seq; 0 when empty. */
  readonly head: number;
  /** First seq whose body is still there; 1 = complete. */
  readonly first: number;
  /** All founding nodes were declared empty when the journal was made (and nothing was lost since). */
  readonly foundedEmpty: boolean;
  readonly stats: JournalStats;
  /** ms that its thread was not idle. */
  readonly activeTime: number;
  /** What stands on disk for an order key, a client's Idempotency-Key, a whole request: 32 hex digits. */
  mac(purpose: MacPurpose, ...parts: (string | Uint8Array)[]): string;
  /** Resolves when the record is fsynced; rejects LbError journal_full / disk_full / journal_failed. */
  append(record: NewRecord): Promise<Appended>;
  /** What `append` would find for this Idempotency-Key; records nothing. */
  seen(idempotency: NonNullable<NewRecord["idempotency"]>): Promise<Seen | null>;
  /**
   * Records from seq `from`, ascending: at most `limit`, 256, or 1 MiB of bodies (but at least one). Seqs that
   * were lost (see acceptJournal) are left out. Rejects journal_purged if `from` is below `first`.
   */
  read(from: number, limit: number): Promise<JournalRecord[]>;
  /** The seqs in (cursor, head] that `node` has already acked, and those that were lost. */
  ackedBeyond(node: string, cursor: number): Promise<number[]>;
  /** Buffered; stored with the next group commit (at the latest after 50 ms), in call order with append. */
  ack(ack: StoredAck): void;
  settle(seq: number, status: number, answer: StoredAnswer | null): void;
  /** Forwards only; of a node that was saved. */
  moveCursor(node: string, cursor: number): void;
  /** How far a node's cursor is on disk, as far as this process has stored it: what apps may be told (lb-cursor). */
  storedCursor(node: string): number;
  /** The kept answer, or null where only the status (outcome) is known. */
  answer(seq: number): Promise<StoredAnswer | null>;
  nodes(): Promise<NodeRow[]>;
  /** A cursor that goes back forgets the acks beyond it. */
  saveNode(row: NodeRow): Promise<void>;
  /** As saveNode, and forgets every ack of the node: its state is another one now (resync, re-created). */
  resetNode(row: NodeRow): Promise<void>;
  removeNode(name: string): Promise<void>;
  setAside(seq: number, aside: boolean): Promise<void>;
  story(seq: number): Promise<WriteStory | null>;
  /**
   * Stories of records that not every member has acked, ascending; or of those that are set aside, or whose outcome
   * is not known, whoever acked them.
   */
  pending(limit: number, only?: Only): Promise<WriteStory[]>;
  /**
   * Purges now what the timer would purge; gives the new `first`. `early`: bodies that every member acked go
   * before their time, too, oldest first, until a tenth of the room is free.
   */
  purge(early?: boolean): Promise<number>;
  /** These hold from the next commit on. */
  configure(limits: JournalLimits): void;
  /** Everything buffered is on disk when it resolves. */
  flush(): Promise<void>;
  close(): Promise<void>;
}
