import { isAdminState, type NodeEvent, type NodeState, nextState, takesWrites } from "./node-state.ts";
import type { NodeRow } from "./record.ts";

/** Told of every change of state, after it took effect. */
export type StateListener = (node: UpstreamNode, from: NodeState, to: NodeState) => void;

/**
 * One app server: who it is, the state it is in, what it has in flight. Changes its own state, only through
 * `apply`; what checks or delivers reports to it and decides nothing.
 */
export class UpstreamNode {
  readonly name: string;
  readonly url: string;
  /** Declared to hold no data when it was first named. */
  empty: boolean;
  state: NodeState = "down";
  /** When it came into this state (ms since the epoch) and why. */
  since = Date.now();
  reason = "not checked yet";
  healthy = false;
  /** Has the others' state up to its cursor. */
  history = false;
  /** Certainly nothing was sent to it since it was named here; with `empty`, it can be brought in by a replay. */
  blank = true;
  /** Has been in-sync once: counts for a quorum, and holds back the purge. */
  member = false;
  /** Every record up to it has been acknowledged. */
  cursor = 0;
  /** What the app said its state is; null: it does not say, or has a new one since a bootstrap. */
  stateId: string | null = null;
  /** Its state is another one, and that says that it never got a write of any journal; until it is known as lost. */
  reportsEmpty = false;
  /** Where what is known of it was found; another address than `url` until a health check showed the same state there. */
  knownAt: string;
  /** When a health check last showed that its state is the one that it was: monotonic ms when that check began. */
  confirmedAt = 0;
  /** When its last bootstrap ended: monotonic ms; and the seq up to which writes came inside what it was given. */
  bootstrappedAt = 0;
  copiedTo = 0;
  /** For good: another one of its name is another node. */
  removed = false;
  /** Highest seq that it answered without an error since the start of this process. */
  highestAck = 0;
  readsInFlight = 0;
  writesInFlight = 0;
  /** Since the start: reads sent to it, those that failed; final answers to writes, attempts that failed, retries. */
  reads = 0;
  readErrors = 0;
  acks = 0;
  ackErrors = 0;
  retries = 0;
  /** When it last showed that the app itself runs (an answer of any kind): ms, monotonic. */
  aliveAt = 0;
  readonly #changed: StateListener;

  constructor(config: { name: string; url: string; empty: boolean }, changed: StateListener) {
    this.name = config.name;
    this.url = config.url;
    this.knownAt = config.url;
    this.empty = config.empty;
    this.#changed = changed;
  }

  /** Takes up what the journal knew of it before a restart. */
  restore(row: NodeRow): void {
    this.cursor = row.cursor;
    this.member = row.member;
    this.history = row.member || row.history === "catching-up";
    this.stateId = row.stateId ?? null;
    this.knownAt = row.url ?? this.url;
    this.blank = !row.member && row.history === undefined;
    if (row.admin === null) return;
    this.state = row.admin;
    this.reason = row.reason ?? "";
  }

  /** The row that lets `restore` bring it back. */
  row(): NodeRow {
    const admin = isAdminState(this.state) ? this.state : null;
    const { name, cursor, member } = this;
    const state = this.stateId === null ? {} : { stateId: this.stateId };
    const row = { name, cursor, member, admin, reason: admin && this.reason, url: this.knownAt, ...state };
    if (member || (!this.history && this.blank)) return row;
    return { ...row, history: this.history ? "catching-up" : "lost" };
  }

  /** Its address is another one than before, and whether the same state is there is not known yet. */
  get moved(): boolean {
    return this.knownAt !== this.url;
  }

  /** Deliveries run now. */
  get delivering(): boolean {
    return this.healthy && this.history && takesWrites(this.state);
  }

  /** The one way to change the state; says whether it changed. */
  apply(event: NodeEvent, reason: string): boolean {
    if (event === "came-up") this.healthy = true;
    if (event === "went-down") this.healthy = false;
    if (event === "bootstrapped") this.history = true;
    if (event === "bootstrapped") this.blank = false;
    if (event === "lost-history") {
      this.blank = this.reportsEmpty;
      this.reportsEmpty = false;
      this.highestAck = 0;
      this.history = false;
      this.member = false;
    }
    const from = this.state;
    const to = nextState(from, event, this);
    if (to === from) return false;
    this.state = to;
    if (to === "in-sync") this.member = true;
    this.since = Date.now();
    this.reason = reason;
    this.#changed(this, from, to);
    return true;
  }
}
