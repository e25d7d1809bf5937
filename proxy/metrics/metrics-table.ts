import { NODE_STATES } from "../node-state.ts";

/**
 * Every metric of the balancer, in one list: docs/metrics.md is generated from it, and so will dashboards and
 * alert rules be. A label is either a bounded list of values, all exported from the start (a counter of a rare
 * event is zero, never absent), or a word on what names it (nodes and routes of the config).
 */

export interface MetricRow {
  readonly name: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly help: string;
  readonly labels: Readonly<Record<string, readonly string[] | string>>;
  /** Upper bounds of a histogram, ascending. */
  readonly buckets?: readonly number[];
  /** A counter that someone else keeps: asked for when scraped, as a gauge is. */
  readonly read?: true;
}

/** Methods that are counted by name; any other one is OTHER, so that clients can't make series. */
export const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "OTHER"] as const;

/** Class of a reply; `aborted`: the client left before there was one. */
export const CLASSES = ["2xx", "3xx", "4xx", "5xx", "aborted"] as const;

/** Class of a node's final answer. */
export const ANSWER_CLASSES = ["2xx", "3xx", "4xx", "5xx"] as const;

/** How one attempt at one node ended; `queued`: without a connection, so that nothing was sent. */
export const LEG_OUTCOMES = [
  "ok",
  "http_5xx",
  "retry_later",
  "queued",
  "connect",
  "timeout",
  "reset",
  "aborted",
] as const;
export type LegOutcome = (typeof LEG_OUTCOMES)[number];

/** How a write ended for its client. */
export const WRITE_OUTCOMES = [
  "ok",
  "below_min",
  "ack_timeout",
  "refused",
  "repeat",
  "mismatch",
  "aborted",
  "failed",
] as const;
export type WriteOutcome = (typeof WRITE_OUTCOMES)[number];

/** Whose acks a write waits for. */
export const POLICIES = ["all", "quorum", "one"] as const;
export type Policy = (typeof POLICIES)[number];

/** What a request may be refused by, as the config names it. */
export const LIMITS = [
  "limits.connections",
  "limits.header",
  "limits.headerTimeout",
  "limits.body",
  "limits.readBody",
  "limits.bodyTimeout",
  "limits.bodies",
  "limits.readsOpen",
  "limits.readConnections",
  "limits.writesOpen",
  "journal.maxSize",
] as const;
export type Limit = (typeof LIMITS)[number];

export const SYNCED_FILES = ["journal", "head_mark"] as const;
export const LISTENERS = ["traffic", "admin"] as const;
export const THREADS = ["main", "journal"] as const;

export const BOOTSTRAPS = ["replay", "snapshot", "manual"] as const;
export type BootstrapKind = (typeof BOOTSTRAPS)[number];

export const SUCCESS = ["ok", "failed"] as const;
export const SPAN_OUTCOMES = ["exported", "dropped"] as const;
export const KEY_HITS = ["repeat", "mismatch"] as const;
const ROUTE = "name of a route in the config";
const WRITE_ROUTE = "name of a route to all nodes";
const NODE = "name of a node in the config";

/** Requests: fine between 1 ms and 1 s, where the service level is decided. */
const REQUEST_SECONDS = [
  0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5,
  0.75, 1, 1.5, 2, 3, 5, 7.5, 10,
];
/** fsync: 50 µs on a good NVMe disk, up to seconds on one that is dying. */
const FSYNC_SECONDS = [
  0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5,
];
/** A health check: up to the longest timeout that makes sense for one. */
const CHECK_SECONDS = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5];
const BATCH_RECORDS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024];

type Labels = MetricRow["labels"];

function counter<const L extends Labels>(name: string, labels: L, help: string) {
  return { name, type: "counter", labels, help } as const;
}
function readCounter<const L extends Labels>(name: string, labels: L, help: string) {
  return { name, type: "counter", labels, help, read: true } as const;
}
function gauge<const L extends Labels>(name: string, labels: L, help: string) {
  return { name, type: "gauge", labels, help } as const;
}
function histogram<const L extends Labels>(name: string, labels: L, buckets: number[], help: string) {
  return { name, type: "histogram", labels, buckets, help } as const;
}

// biome-ignore format: a table reads best with one row a line
export const METRICS = {
  // What clients see
  requests: counter("lb_requests_total", { route: ROUTE, class: CLASSES }, "Requests that a route took, by class of the reply; `aborted`: the client left before there was one."),
  requestSeconds: histogram("lb_request_duration_seconds", { route: ROUTE, class: CLASSES }, REQUEST_SECONDS, "From the request's head until the end of the reply."),
  requestsInFlight: gauge("lb_requests_in_flight", { route: ROUTE }, "Requests that wait for their reply."),
  received: counter("lb_received_requests_total", { method: METHODS }, "Requests that came in, also those that no route took; unknown methods are OTHER."),
  problems: counter("lb_problems_total", { code: "code of docs/errors.md" }, "Replies that the balancer made itself (problem+json): refused at the door, no node in-sync, timeouts."),
  connections: gauge("lb_connections", {}, "Open connections of clients."),
  accepted: readCounter("lb_connections_accepted_total", {}, "Connections of clients that were accepted."),
  receivedBytes: readCounter("lb_client_received_bytes_total", {}, "Bytes that came from clients, heads and TLS included."),
  sentBytes: readCounter("lb_client_sent_bytes_total", {}, "Bytes that went to clients, heads and TLS included."),
  refusals: counter("lb_admission_refusals_total", { limit: LIMITS }, "Requests (limits.connections: connections) that a limit of the config refused."),
  readRetries: counter("lb_read_retries_total", { route: ROUTE }, "Reads that were tried on one more node."),
  writes: counter("lb_writes_total", { route: WRITE_ROUTE, policy: POLICIES, outcome: WRITE_OUTCOMES }, "Writes by ack policy and outcome. ok: the policy held; below_min: too few nodes in-sync, nothing recorded; ack_timeout: recorded, but the policy did not hold in time; refused: by a limit or for what it is, nothing recorded; repeat, mismatch: by Idempotency-Key; aborted: the client left (if it was recorded, the write goes on); failed: anything else."),
  writesLate: counter("lb_writes_late_total", { policy: POLICIES }, "Writes whose ack policy held only after their client had its 504."),
  writesOpen: gauge("lb_writes_open", {}, "Writes that some in-sync node has not answered yet."),
  idempotency: counter("lb_idempotency_hits_total", { outcome: KEY_HITS }, "Idempotency-Keys seen before: with the same request (answered from the journal), with another one (422)."),
  routeInfo: gauge("lb_route_info", { route: ROUTE, to: ["one", "all"], policy: "balance or ack policy" }, "Always 1: what a route does."),

  // Nodes
  nodeState: gauge("lb_node_state", { node: NODE, state: NODE_STATES }, "1 for the state that the node is in, 0 for the others."),
  nodeSince: gauge("lb_node_state_since_timestamp_seconds", { node: NODE }, "When the node entered its state."),
  nodeStateChanges: counter("lb_node_state_changes_total", { node: NODE, state: NODE_STATES }, "Times that the node entered a state."),
  nodeMember: gauge("lb_node_member", { node: NODE }, "1 from the node's first time in-sync on."),
  nodeReads: counter("lb_node_reads_total", { node: NODE, outcome: LEG_OUTCOMES }, "Attempts at a read, by how they ended; queued: no connection to the node was free in time (limits.readConnections), and nothing was sent."),
  nodeReadSeconds: histogram("lb_node_read_duration_seconds", { node: NODE }, REQUEST_SECONDS, "One attempt at a read, from when it was sent until it ended."),
  nodeWrites: counter("lb_node_writes_total", { node: NODE, outcome: LEG_OUTCOMES }, "Attempts at a write, by how they ended; retry_later: 408, 425 or 429; queued: no connection to the node in time, and nothing was sent."),
  nodeWriteSeconds: histogram("lb_node_write_duration_seconds", { node: NODE }, REQUEST_SECONDS, "One attempt at a write, until it ended."),
  nodeReadRetries: counter("lb_node_read_retries_total", { node: NODE }, "Reads that the node got after another node had failed them."),
  nodeWriteRetries: counter("lb_node_write_retries_total", { node: NODE }, "Attempts at a write after the first."),
  nodeAcks: counter("lb_node_acks_total", { node: NODE, class: ANSWER_CLASSES }, "Final answers to records, by class of the status."),
  nodeLateAcks: counter("lb_node_late_acks_total", { node: NODE, policy: POLICIES }, "Final answers that came after the client had its reply or its 504, by the ack policy of the write; what a node catches up with is late, too."),
  nodeInFlight: gauge("lb_node_in_flight", { node: NODE, kind: ["read", "write"] }, "Requests at the node; also reads that wait for a connection to it."),
  nodeConnections: gauge("lb_node_connections", { node: NODE }, "Open connections to the node."),
  nodeCursor: gauge("lb_node_cursor_seq", { node: NODE }, "Every record up to it has been acknowledged by the node."),
  nodeLag: gauge("lb_node_lag_records", { node: NODE }, "Head of the journal minus the node's cursor."),
  nodeOldest: gauge("lb_node_oldest_undelivered_seconds", { node: NODE }, "Age of the oldest record that the node has not acknowledged; 0 without lag."),
  catchUpRate: gauge("lb_node_catch_up_records_per_second", { node: NODE }, "How fast the node's cursor moved in the last 15 seconds."),
  catchUpEta: gauge("lb_node_catch_up_eta_seconds", { node: NODE }, "When the node will have caught up if it goes on as in the last 15 seconds, new records counted in; 0 in-sync or without lag, +Inf while its lag does not shrink."),
  healthChecks: counter("lb_node_health_checks_total", { node: NODE, outcome: SUCCESS }, "Active health checks."),
  healthSeconds: histogram("lb_node_health_check_duration_seconds", { node: NODE }, CHECK_SECONDS, "One active health check, passed or failed."),
  bootstraps: counter("lb_node_bootstraps_total", { node: NODE, kind: BOOTSTRAPS, outcome: SUCCESS }, "Times that the node was given its history."),
  divergent: counter("lb_node_divergent_answers_total", { node: NODE, policy: POLICIES }, "Records that the node answered otherwise than the majority."),
  ambiguous: counter("lb_node_ambiguous_answers_total", { node: NODE, policy: POLICIES }, "Answers after an attempt that may have been carried out without one."),
  quarantines: counter("lb_node_quarantines_total", { node: NODE }, "Times that the node was quarantined."),

  // The set of nodes
  ready: gauge("lb_ready", {}, "1 while /readyz answers 200: enough nodes are in-sync."),
  nodes: gauge("lb_nodes", {}, "Nodes in the config."),
  members: gauge("lb_members", {}, "Nodes that have been in-sync once."),
  inSync: gauge("lb_in_sync_nodes", {}, "Nodes in-sync: those that reads go to."),
  minInSync: gauge("lb_min_in_sync_nodes", {}, "Below this many nodes in-sync, writes are refused (writes.minInSync)."),

  // Journal
  head: gauge("lb_journal_head_seq", {}, "Seq of the last record."),
  first: gauge("lb_journal_first_seq", {}, "Seq of the first record whose body is still kept."),
  journalBytes: gauge("lb_journal_size_bytes", {}, "What the journal takes on disk."),
  journalMax: gauge("lb_journal_limit_bytes", {}, "What it may take (journal.maxSize)."),
  diskFree: gauge("lb_journal_disk_free_bytes", {}, "What is left on the file system of dataDir for the balancer's user."),
  diskSize: gauge("lb_journal_disk_size_bytes", {}, "Size of that file system."),
  appends: counter("lb_journal_appends_total", {}, "Records appended."),
  appendedBytes: counter("lb_journal_appended_bytes_total", {}, "Bytes of the records appended."),
  appendSeconds: histogram("lb_journal_append_duration_seconds", {}, FSYNC_SECONDS, "What a write waits until its record is fsynced."),
  commitSeconds: histogram("lb_journal_commit_duration_seconds", {}, FSYNC_SECONDS, "One group commit: sealing, SQL and both syncs."),
  fsyncSeconds: histogram("lb_journal_fsync_duration_seconds", { file: SYNCED_FILES }, FSYNC_SECONDS, "One sync within a commit: of the journal (SQLite's COMMIT: write-ahead log written and fsynced), then of the head mark beside it."),
  batch: histogram("lb_journal_batch_records", {}, BATCH_RECORDS, "Records in one group commit."),
  purged: counter("lb_journal_purged_records_total", {}, "Records whose body was purged."),
  setAside: counter("lb_writes_set_aside_total", {}, "Records set aside, since no node acknowledges them."),
  setAsideNow: gauge("lb_set_aside_writes", {}, "Records set aside that wait for `lbctl writes retry` or `skip`."),

  // The balancer itself
  reloads: counter("lb_config_reloads_total", { outcome: SUCCESS }, "SIGHUPs, by whether the new config was taken."),
  reloadOk: gauge("lb_config_last_reload_ok", {}, "1 unless the last SIGHUP was refused: then the old config is still in use."),
  spans: counter("lb_trace_spans_total", { outcome: SPAN_OUTCOMES }, "Finished spans of sampled traces, where tracing is on; dropped: the queue was full, or the collector did not take them."),
  logDropped: counter("lb_log_dropped_lines_total", {}, "Log lines dropped, since nobody read stdout."),
  certificates: gauge("lb_tls_certificate_expiry_timestamp_seconds", { listener: LISTENERS }, "When the first certificate of a listener's chain expires; no series for a listener without tls."),
  busy: readCounter("lb_event_loop_active_seconds_total", { thread: THREADS }, "Time that a thread's event loop was not idle: its rate is the utilisation, 0 to 1."),
  build: gauge("lb_build_info", { cluster: "name of the cluster", version: "of lbctl", node_version: "of Node.js" }, "Always 1: what runs."),
} as const satisfies Record<string, MetricRow>;

type Table = typeof METRICS;
export type MetricKey = keyof Table;
/** Asked for when scraped. */
export type ReadKey = {
  [K in MetricKey]: Table[K] extends { type: "gauge" } | { read: true } ? K : never;
}[MetricKey];
/** Counted as things happen. */
export type CountedKey = Exclude<MetricKey, ReadKey>;
