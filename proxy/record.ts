/** What the journal keeps of a write, and what it gives back. Shapes only: no behaviour. */

/** A request as the nodes get it: hop-by-hop fields and the client's own `lb-*` are already gone. */
export interface StoredRequest {
  readonly method: string;
  /** Path and query, as received. */
  readonly target: string;
  /** Flat list: name, value, name, value, … */
  readonly headers: readonly string[];
  readonly body: Uint8Array;
}

/** A write that is ready to be journaled. */
export interface NewRecord {
  /** Name of the route, for metrics and `writes show`. */
  readonly route: string;
  /** HMAC of the order key (hex), or null: a barrier. */
  readonly key: string | null;
  /** HMACs (hex) of the client's Idempotency-Key and of the whole request; null without that header. */
  readonly idempotency: { readonly key: string; readonly fingerprint: string } | null;
  readonly request: StoredRequest;
}

/** One write in the journal. */
export interface JournalRecord {
  readonly seq: number;
  /** When it was recorded: milliseconds since the epoch. */
  readonly at: number;
  readonly route: string;
  readonly key: string | null;
  /** The client's own Idempotency-Key header, as it was sent (goes to the nodes as `lb-client-key`). */
  readonly clientKey: string | null;
  /** The X-Request-Id that goes to the nodes. */
  readonly requestId: string | null;
  readonly request: StoredRequest;
  state: RecordState;
}

/** What of a record is decided after it was recorded: one object for all copies of the record in memory. */
export interface RecordState {
  /**
   * The status that the nodes agreed on, once that is known: what the client got, or would have got. Nodes that
   * catch up later are compared with it.
   */
  outcome: number | null;
  /** Set aside as poison: skipped by every delivery until an operator says retry or skip. */
  setAside: boolean;
}

/** The outcome of a record that an operator skipped: no status of HTTP. No node gets it any more. */
export const SKIPPED = 0;

/** A node's final answer, as kept with its record. */
export interface StoredAck {
  readonly seq: number;
  readonly node: string;
  readonly status: number;
  /** Attempts that may have reached the node, this one included. */
  readonly attempts: number;
  /** An earlier attempt may have been carried out without an answer; never counted as divergence. */
  readonly ambiguous: boolean;
  /** Milliseconds since the epoch: first attempt started, final answer in. */
  readonly firstAt: number;
  readonly at: number;
}

/** The answer that the client of a write got; kept, sealed, for records with an Idempotency-Key. */
export interface StoredAnswer {
  readonly status: number;
  readonly headers: readonly string[];
  readonly body: Uint8Array;
  /** The body went over `limits.answer`, and was not kept. */
  readonly tooLarge?: boolean;
}

export type AdminState = "draining" | "maint" | "quarantined";

/** What the journal knows of one node. Removing a node from the config removes its row. */
export interface NodeRow {
  readonly name: string;
  /** Every record up to it has been acknowledged. */
  readonly cursor: number;
  /** Has been in-sync once; until then it is bootstrapping and holds nothing back. */
  readonly member: boolean;
  /**
   * Of one that is not a member: `catching-up` has the others' state up to its cursor; what `lost` holds is not
   * known. Without it nothing was ever sent there.
   */
  readonly history?: "catching-up" | "lost";
  /** What the app said its state is, on the health path; another one is another disk, or another backup. */
  readonly stateId?: string;
  /** Where it held what this row says. Absent: the row was saved by a release that did not note it. */
  readonly url?: string;
  /** Survives restarts. */
  readonly admin: AdminState | null;
  readonly reason: string | null;
}

/** Everything known of one write, never its body. */
export interface WriteStory {
  readonly seq: number;
  readonly at: number;
  readonly route: string;
  readonly method: string;
  readonly path: string;
  readonly keyHash: string | null;
  readonly outcome: number | null;
  readonly setAside: boolean;
  readonly purged: boolean;
  readonly acks: readonly StoredAck[];
}
