/** The JSON bodies of the admin API; the cli uses them, too. Times are ms since the epoch. */

import type { NodeState } from "./node-state.ts";
import type { StoredAck, WriteStory } from "./record.ts";

export type { NodeState } from "./node-state.ts";
export { SKIPPED, type StoredAck, type WriteStory } from "./record.ts";

/** To one node (a read) or to all (a write). */
export type RouteKind = "one" | "all";

export interface LastCheck {
  readonly ok: boolean;
  readonly at: number;
  /** What came: "200 in 2 ms", "connect ECONNREFUSED 127.0.0.1:4567"; foreign text, escape it. */
  readonly detail: string;
}

export interface NodeStatus {
  readonly name: string;
  readonly url: string;
  readonly state: NodeState;
  /** When it entered the state. */
  readonly since: number;
  /** Why it is in the state; foreign text, escape it. */
  readonly reason: string | null;
  readonly member: boolean;
  /** Every record up to it has been acknowledged. */
  readonly cursor: number;
  /** head − cursor. */
  readonly lag: number;
  /** Age in seconds of the oldest record that it has not acked; 0 without lag. */
  readonly oldestUndelivered: number;
  /** Records per second that its cursor moved of late. */
  readonly catchUpRate: number;
  /** Seconds until it has caught up at this rate, new records counted in; 0: it has; null: its lag does not shrink. */
  readonly catchUpEta: number | null;
  /** Open connections to it. */
  readonly connections: number;
  readonly inFlightReads: number;
  readonly inFlightWrites: number;
  /** Reads sent to it since the start, and those of them that failed. */
  readonly reads: number;
  readonly readErrors: number;
  /** Final answers to writes since the start, attempts at a write that failed, and attempts after the first. */
  readonly acks: number;
  readonly ackErrors: number;
  readonly retries: number;
  /** Null until the first health check is over. */
  readonly lastCheck: LastCheck | null;
  /** How it is given its history ("replay", "snapshot from app1", …) or what it waits for; null with history. */
  readonly bootstrap: string | null;
  /** Copies of it are made by hand: it gets no write behind `at` until those to `for` are in place. */
  readonly held: { readonly at: number; readonly for: readonly string[] } | null;
}

export interface RouteStatus {
  readonly name: string;
  readonly to: RouteKind;
  /** `roundrobin`, `leastconn` for `one`; `all`, `quorum`, `one` (ack policy) for `all`. */
  readonly policy: string;
  /** What it matches, for people: "POST /register, /changePassword". */
  readonly match: string;
  readonly requests: number;
  /** Replies that the client could not use: 5xx of a node or of the balancer. */
  readonly errors: number;
  readonly inFlight: number;
}

export interface ReloadStatus {
  readonly at: number;
  readonly ok: boolean;
  readonly problems: readonly string[];
}

/** Since the start. */
export interface Totals {
  readonly reads: number;
  readonly readErrors: number;
  readonly writes: number;
  readonly writeErrors: number;
  readonly retries: number;
  readonly divergent: number;
  readonly ambiguous: number;
}

export interface Status {
  readonly cluster: string;
  readonly version: string;
  readonly pid: number;
  readonly startedAt: number;
  /** Where traffic is accepted: "127.0.0.1:8080". */
  readonly listen: string;
  /** Last seq in the journal (0: empty), and the first whose body is still there. */
  readonly head: number;
  readonly first: number;
  /** Nodes in-sync, and members; of `nodes.length`. */
  readonly inSync: number;
  readonly members: number;
  readonly minInSync: number;
  /** Open connections of clients. */
  readonly connections: number;
  /** Since the start: connections accepted from clients, bytes from and to them (on the wire). */
  readonly connectionsAccepted: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** What the journal takes on disk, and its limit. */
  readonly journalBytes: number;
  readonly journalMaxBytes: number;
  /** The file system of dataDir: bytes left for the balancer's user, and its size. */
  readonly journalDisk: { readonly free: number; readonly size: number };
  /** Writes that some in-sync node has not answered. */
  readonly writesOpen: number;
  /** Records set aside as poison, waiting for `lbctl writes retry|skip`. */
  readonly setAside: number;
  readonly draining: boolean;
  readonly nodes: readonly NodeStatus[];
  readonly routes: readonly RouteStatus[];
  /** The last SIGHUP; null before the first. */
  readonly reload: ReloadStatus | null;
  readonly totals: Totals;
  /** Of each listener with TLS. */
  readonly certificates: readonly Certificate[];
  /** Seconds since the start in which the threads were not idle. */
  readonly activeSeconds: { readonly main: number; readonly journal: number };
}

export interface Certificate {
  readonly listener: "traffic" | "admin";
  /** The first of its chain to expire. */
  readonly expiresAt: number;
}

/** Why an attempt at a write failed; foreign text in `reason`, escape it. */
export interface LastFailure {
  readonly at: number;
  /** Null: no answer came. */
  readonly status: number | null;
  readonly reason: string;
}

/**
 * How far a write has come at one node. `acked`: it gave its final answer. `covered`: it has the write from another
 * node's snapshot. `skipped`: an operator gave it up. `sending`: an attempt is under way. `paused`: the last attempt
 * failed, the next is due at `nextAt`. `ready`: it goes out next. `same-key`, `barrier`, `as-barrier`: waits for write
 * `behind`, which has the same key, or has none, or (the write itself having none) is the first of all before it.
 * `held`: waits for write `behind`, which is set aside. `set-aside`: waits for an operator. `not-yet`: further back in
 * the node's backlog. `node-out`: nothing is sent to the node in its present state.
 */
export type DeliveryStep =
  | "acked"
  | "covered"
  | "skipped"
  | "sending"
  | "paused"
  | "ready"
  | "same-key"
  | "barrier"
  | "as-barrier"
  | "held"
  | "set-aside"
  | "not-yet"
  | "node-out";

/** One write at one node. */
export interface NodeDelivery {
  readonly node: string;
  /** Of the node, now; null: it was removed since. */
  readonly state: NodeState | null;
  readonly member: boolean;
  readonly step: DeliveryStep;
  /** The seq that it waits for. */
  readonly behind: number | null;
  /** Attempts so far that may have reached the node. */
  readonly attempts: number;
  /** Of a write that is not acked: when the last attempt began, the last failure, when the next attempt is due. */
  readonly sentAt: number | null;
  readonly lastFailure: LastFailure | null;
  readonly nextAt: number | null;
  readonly ack: StoredAck | null;
  /** Not acked within writes.sendTimeout. */
  readonly late: boolean;
  /** Answered otherwise than the others, and certainly. */
  readonly diverged: boolean;
}

/** What a client of a write was sent. */
export interface ClientReply {
  readonly at: number;
  /** Since its request came. */
  readonly ms: number;
  /** 0: it left before. */
  readonly status: number;
  /** Of docs/errors.md, where the balancer made the reply; null: a node's answer. */
  readonly code: string | null;
  /** Its Idempotency-Key had come before. */
  readonly repeat: boolean;
}

export type WriteMark = "late" | "diverged" | "ambiguous" | "purged";

/** A write with what is known of it now; GET /api/writes is a list of them. Never its body, query or headers. */
export interface FollowedWrite extends WriteStory {
  /** `pending`: a member has not got it yet, or the nodes' answer is not known. */
  readonly state: "pending" | "delivered" | "set-aside" | "skipped";
  readonly marks: readonly WriteMark[];
  /** The route's ack policy; null: the route is gone. */
  readonly policy: string | null;
  /** Oldest first; empty also where they are forgotten (older writes, an earlier process). */
  readonly replies: readonly ClientReply[];
  readonly nodes: readonly NodeDelivery[];
}

/** Answer to GET /api/writes/SEQ. */
export interface WriteDetails extends FollowedWrite {
  /** The X-Request-Id that the nodes get; null once the request is purged. */
  readonly requestId: string | null;
  /** Of its traceparent; null without one, and once the request is purged. */
  readonly traceId: string | null;
}

/** Body of POST /api/nodes/NAME/resync. */
export interface ResyncRequest {
  /** The donor; chosen by the balancer when missing. */
  readonly from?: string;
  /** The operator makes the copy, then calls resync/done. */
  readonly manual?: boolean;
}

/** Answer to POST /api/nodes/NAME/resync. */
export interface ResyncStarted {
  readonly node: string;
  readonly from: string | null;
  readonly manual: boolean;
  /** Where the donor is held; null until it is (snapshot bootstraps run in the background). */
  readonly seq: number | null;
  /** For people: what happens now, or what to do. */
  readonly next: string;
}

export interface VerifiedNode {
  readonly name: string;
  readonly state: NodeState;
  readonly cursor: number;
  /** Null: the app offers none, or it could not be had (then `error` says why). */
  readonly digest: string | null;
  readonly users?: number;
  readonly error: string | null;
}

/** Answer to POST /api/verify. */
export interface VerifyReport {
  /** Where each node's deliveries stood when its digest was taken. */
  readonly seq: Readonly<Record<string, number>>;
  readonly nodes: readonly VerifiedNode[];
  /** True: every node's digest is the same; false: two differ; null: no two differ, and not every node was compared. */
  readonly equal: boolean | null;
  readonly head: number;
}

/**
 * What is kept of each second, over the last 15 minutes. Rates are a second; latencies (p50, p90, p99) are seconds, of
 * what ended in the ten seconds before; null: there is nothing to say, such as the latency of no request.
 */
export type Percentiles = "P50" | "P90" | "P99";
export type ClusterSeries =
  | "reads"
  | "readErrors"
  | `read${Percentiles}`
  | "writes"
  | "writeErrors"
  | `write${Percentiles}`
  | "inSync"
  /** The greatest lag of a node. */
  | "lag"
  /** Part of the journal's limit that is taken: 0 to 1. */
  | "journal";
export type NodeSeries =
  /** Index in `HistoryAnswer.states`. */
  | "state"
  | "lag"
  /** Age of the oldest undelivered record, in seconds. */
  | "oldest"
  | "reads"
  | `read${Percentiles}`
  /** Final answers to writes. */
  | "writes"
  | `write${Percentiles}`
  /** Failed attempts, at reads and writes. */
  | "errors";
export type RouteSeries = "requests" | "errors" | "P50" | "P90" | "P99";

export type Point<S extends string> = Readonly<Record<S, number | null>>;
export type Line<S extends string> = Readonly<Record<S, readonly (number | null)[]>>;

export type EventKind = "start" | "stop" | "state" | "scale" | "bootstrap" | "reload" | "write";
export type Tone = "good" | "busy" | "bad" | "off";

/** Something that happened: a change of a node's state, a reload, a write set aside, … */
export interface HistoryEvent {
  readonly at: number;
  readonly kind: EventKind;
  readonly tone: Tone;
  readonly node: string | null;
  /** Foreign text, escape it. */
  readonly text: string;
}

/** One second; the data of each event of GET /api/stream, whose `page` is the stats page's markup. */
export interface HistoryTick {
  /** Where to go on from: `GET /api/stream?after=ID`, or as Last-Event-ID. */
  readonly id: string;
  readonly at: number;
  readonly cluster: Point<ClusterSeries>;
  readonly nodes: Readonly<Record<string, Point<NodeSeries>>>;
  readonly routes: Readonly<Record<string, Point<RouteSeries>>>;
  /** Since the tick before. */
  readonly events: readonly HistoryEvent[];
}

export interface StreamMessage {
  readonly tick: HistoryTick;
  readonly page: string;
}

/** Answer to GET /api/history: the same as columns, all as long as `at`; oldest first. */
export interface HistoryAnswer {
  /** Of the last tick; null before the first. */
  readonly id: string | null;
  readonly at: readonly number[];
  readonly states: readonly NodeState[];
  readonly cluster: Line<ClusterSeries>;
  readonly nodes: Readonly<Record<string, Line<NodeSeries>>>;
  readonly routes: Readonly<Record<string, Line<RouteSeries>>>;
  readonly events: readonly HistoryEvent[];
}

/** Answer to GET /healthz and GET /readyz. */
export interface Health {
  readonly ok: boolean;
}

/** RFC 9457; every error of the admin API and of the balancer. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  /** Stable; see docs/errors.md. */
  readonly code: string;
  /** What the client or the operator can do. */
  readonly next: string;
  readonly [extra: string]: string | number;
}
