/**
 * Every error that the balancer makes itself, in one table. `docs/errors.md` is generated from it
 * (`node scripts/generate-docs.ts`). To add one: add a row to its group; codes are never renamed.
 */

interface ErrorRow {
  /** HTTP status that it is answered with. */
  readonly status: number;
  /** Short, the same for every occurrence (RFC 9457 §3.1.3). */
  readonly title: string;
  /** What the client or the operator can do. */
  readonly next: string;
  /** The connection is closed behind the answer: where its next request begins is not certain. */
  readonly close?: true;
  /** Seconds for Retry-After. */
  readonly retryAfter?: number;
}

const TABLE = {
  // The request itself
  bad_framing: {
    status: 400,
    title: "The request's framing is ambiguous",
    next: "Send exactly one Host, one of Content-Length or Transfer-Encoding: chunked, and lines that end with CR LF.",
    close: true,
  },
  bad_target: {
    status: 400,
    title: "The request target cannot be used",
    next: "Send an absolute path of visible ASCII characters, without a fragment and without . or .. segments.",
    close: true,
  },
  bad_version: {
    status: 505,
    title: "This version of HTTP is not spoken here",
    next: "Use HTTP/1.1 or HTTP/1.0.",
    close: true,
  },
  header_too_large: {
    status: 431,
    title: "The request's header fields are too large",
    next: "Send fewer or shorter header fields (cookies, for example), or raise limits.header.",
    close: true,
  },
  body_too_large: {
    status: 413,
    title: "The request's body is too large",
    next: "Send a smaller body, or raise limits.body (writes) or limits.readBody (reads).",
    close: true,
  },
  request_timeout: {
    status: 408,
    title: "The request's head did not arrive in time",
    next: "Send the request again; limits.headerTimeout is the time that its head may take.",
    close: true,
  },
  body_timeout: {
    status: 408,
    title: "The request's body did not arrive in time",
    next: "Send the request again; limits.bodyTimeout is the time that its body may take.",
    close: true,
  },
  expectation_failed: {
    status: 417,
    title: "The expectation cannot be met",
    next: "Send no Expect header, or Expect: 100-continue.",
    close: true,
  },
  upgrade_refused: {
    status: 501,
    title: "Changing the protocol of a connection is not supported",
    next: "Send the request without Upgrade; WebSocket does not pass this balancer.",
    close: true,
  },
  connect_refused: {
    status: 501,
    title: "This is not a forward proxy",
    next: "Use a method other than CONNECT.",
    close: true,
  },
  loop_detected: {
    status: 508,
    title: "The request came back to this balancer",
    next: "Look at the urls of the config's nodes: one of them leads back here, directly or through another proxy.",
    close: true,
  },
  no_route: {
    status: 404,
    title: "No route matches the path",
    next: "Check the path (its case counts), or add a route to the config.",
  },
  method_not_allowed: {
    status: 405,
    title: "No route for this path takes the method",
    next: "Use a method that Allow names, or add the method to a route.",
  },
  internal_error: {
    status: 500,
    title: "A fault in the balancer",
    next: "Report it with the log line that has the same request id.",
    close: true,
  },
  client_left: {
    status: 400,
    title: "The client left before its request was complete",
    next: "Nothing: nobody is there to be answered; nothing was recorded.",
    close: true,
  },

  // Admission
  too_many_requests_open: {
    status: 503,
    title: "Too many requests are open",
    next: "Retry after the time given, or raise limits.writesOpen or limits.readsOpen.",
    retryAfter: 1,
  },
  shutting_down: {
    status: 503,
    title: "The balancer is shutting down",
    next: "Retry after the time given, on a new connection.",
    close: true,
    retryAfter: 1,
  },

  // Reads
  no_in_sync_node: {
    status: 503,
    title: "No node is in-sync",
    next: "Retry after the time given; `lbctl status` shows what the nodes are doing.",
    retryAfter: 1,
  },
  no_free_connection: {
    status: 503,
    title: "No connection to a node is free",
    next: "Retry after the time given. If it lasts: clients read their answers slowly, or the nodes are busy; limits.readConnections is the limit.",
    retryAfter: 1,
  },
  all_nodes_failed: {
    status: 502,
    title: "Every node that was tried failed to answer",
    next: "Retry; `lbctl status` shows what the nodes are doing.",
  },
  read_timeout: {
    status: 504,
    title: "No node answered the read in time",
    next: "Retry; the route's firstByteTimeout and timeout are the limits.",
  },

  // Writes
  below_min_in_sync: {
    status: 503,
    title: "Too few nodes are in-sync for a write",
    next: "Retry after the time given, with the same Idempotency-Key if there was one; nothing was recorded. `lbctl status` shows what the nodes are doing; writes.minInSync is the limit.",
    retryAfter: 1,
  },
  ack_timeout: {
    status: 504,
    title: "The write is recorded, but the ack policy was not met in time",
    next: "Don't send it again as a new write: it will be delivered. The same Idempotency-Key gets its outcome; `lbctl writes show SEQ` shows it.",
  },
  answer_too_large: {
    status: 502,
    title: "The write was carried out, but the node's answer is too large to keep",
    next: "Raise limits.answer, or let the app answer writes with less.",
  },
  key_set_aside: {
    status: 503,
    title: "An earlier write with the same order key is set aside",
    next: "An operator has to decide on it first: `lbctl writes show SEQ`, then `lbctl writes retry SEQ` or `skip SEQ`.",
    retryAfter: 30,
  },
  write_skipped: {
    status: 409,
    title: "The write was skipped by an operator",
    next: "Find out why (`lbctl writes show SEQ`); then send it again with a new Idempotency-Key.",
  },
  idempotency_mismatch: {
    status: 422,
    title: "This Idempotency-Key was used for another request",
    next: "Use a new Idempotency-Key for a new request.",
  },
  idempotency_key_invalid: {
    status: 400,
    title: "The Idempotency-Key cannot be used",
    next: "Send one Idempotency-Key of 1 to 255 visible ASCII characters.",
  },

  // Journal
  journal_full: {
    status: 503,
    title: "The journal is full",
    next: "Bring back or remove the node furthest behind (`lbctl status`), or raise journal.maxSize.",
    retryAfter: 5,
  },
  disk_full: {
    status: 503,
    title: "The journal's disk is full",
    next: "Make room on the file system of dataDir, or enlarge it; writes then go on by themselves.",
    retryAfter: 5,
  },
  journal_failed: {
    status: 503,
    title: "The journal cannot be written",
    next: "See the log: the disk under dataDir, or its rights, need mending.",
    retryAfter: 5,
  },
  journal_purged: {
    status: 500,
    title: "The journal no longer has this record's request",
    next: "Give the node its state from another node: `lbctl nodes resync NAME`.",
  },

  // Journal, at start
  journal_locked: {
    status: 500,
    title: "Another process has the journal open",
    next: "Stop the other balancer that uses this dataDir, or give this one a dataDir of its own.",
  },
  journal_wrong_key: {
    status: 500,
    title: "The key file does not fit the journal",
    next: "Put back the key file that the journal was made with (journal.keyFile); without it the records cannot be read.",
  },
  journal_other_cluster: {
    status: 500,
    title: "The journal belongs to another cluster",
    next: "Correct `cluster` or `dataDir` in the config.",
  },
  journal_newer_format: {
    status: 500,
    title: "A newer release made this journal",
    next: "Run that release or a newer one.",
  },
  journal_behind_mark: {
    status: 500,
    title: "The journal has lost its end",
    next: "Put back the newest copy of dataDir. If there is none: `lb-proxy accept-journal --config FILE` goes on with what is left; then compare the nodes (`lbctl verify`) and resync those that differ.",
  },
  journal_corrupt: {
    status: 500,
    title: "The journal is damaged",
    next: "Put back a sound copy of dataDir. If there is none: move dataDir and the head mark away and start with the best node alone, then add the others (docs/journal.md).",
  },
  data_dir_unwritable: {
    status: 500,
    title: "The data folder cannot be written",
    next: "Give the balancer's user a dataDir that it may write, on a disk with room.",
  },

  // Admin API
  bad_request: {
    status: 400,
    title: "The request cannot be understood",
    next: "See `detail` for what was expected.",
  },
  unauthorized: {
    status: 401,
    title: "User and password are needed",
    next: "Send the admin user's or the viewer's name and password (HTTP Basic); the password is in admin.passwordFile.",
  },
  forbidden: {
    status: 403,
    title: "This user may only look",
    next: "Use the admin user for calls that change something.",
  },
  cross_site: {
    status: 403,
    title: "The call comes from another site",
    next: "Call from the stats page itself, or from a client that is not a browser.",
  },
  wrong_host: {
    status: 421,
    title: "The admin listener does not go by this name",
    next: "Call it by localhost or by its address; a proxy in front that keeps Host has to reach it on an address other than loopback.",
  },
  too_many_streams: {
    status: 503,
    title: "Too many stats pages are open",
    next: "Close some; the page shows the same figures when it is loaded again.",
    retryAfter: 5,
  },
  unknown_path: {
    status: 404,
    title: "There is nothing at this path",
    next: "See docs/operations.md for the admin API's paths.",
  },
  unknown_node: {
    status: 404,
    title: "No node has this name",
    next: "`lbctl nodes list` shows the names.",
  },
  unknown_write: {
    status: 404,
    title: "The journal has no write with this number",
    next: "`lbctl writes list` shows the last ones.",
  },
  last_in_sync: {
    status: 409,
    title: "It is the last node in-sync",
    next: "Bring another node in-sync first. `lbctl nodes drain NAME --force` (force=1) does it all the same; reads and writes then fail.",
  },
  no_donor: {
    status: 409,
    title: "No node can give its state",
    next: "Wait until another node is in-sync, or name one that is.",
  },
  no_bootstrap: {
    status: 409,
    title: "The node cannot be brought in by itself",
    next: "Copy the state by hand: lbctl nodes resync NAME --from DONOR --manual.",
  },
  donor_held: {
    status: 409,
    title: "The node is held as the donor of a manual copy",
    next: "`lbctl nodes resync TARGET --done` when that copy is in place, or `lbctl nodes ready TARGET` to give it up; then again.",
  },
  resync_ended: {
    status: 409,
    title: "The resync ended before its time",
    next: "See `detail` for the reason; `lbctl status` shows what the node waits for. Ask for it again when that is mended.",
  },
  not_resyncing: {
    status: 409,
    title: "No manual resync is under way",
    next: "Begin one: lbctl nodes resync NAME --from DONOR --manual.",
  },
  snapshot_failed: {
    status: 502,
    title: "A snapshot could not be copied",
    next: "Look at the app's log on both nodes; it is tried again by itself.",
  },
  quarantined: {
    status: 409,
    title: "The node is quarantined",
    next: "lbctl nodes resync NAME, or, if its state is known to be right, lbctl nodes ready NAME --force.",
  },
  not_set_aside: {
    status: 409,
    title: "The write is not set aside",
    next: "A write that is set aside can be retried or skipped, one that no node has acked can be skipped; `lbctl writes list --pending` shows them.",
  },
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof TABLE;

/** The codes with what they mean, in the table's order. */
export const ERROR_ROWS: Readonly<Record<ErrorCode, ErrorRow>> = TABLE;

/** What `extra` may hold: shown in the answer beside `code`. */
export type ErrorExtra = Readonly<Record<string, string | number>>;

/** An error with a stable code; `detail` says what was expected and what came, and is shown to the client. */
export class LbError extends Error {
  readonly code: ErrorCode;
  readonly extra: ErrorExtra;

  constructor(code: ErrorCode, detail: string, options: { cause?: unknown; extra?: ErrorExtra } = {}) {
    super(detail, "cause" in options ? { cause: options.cause } : {});
    this.name = "LbError";
    this.code = code;
    this.extra = options.extra ?? {};
  }
}

/** The HTTP status of a code. */
export function statusFor(code: ErrorCode): number {
  return TABLE[code].status;
}

/** Any thrown thing as an LbError; what is not one is our fault, and its message stays out of the answer. */
export function toLbError(thrown: unknown): LbError {
  if (thrown instanceof LbError) return thrown;
  return new LbError("internal_error", "an unexpected fault; the log has more", { cause: thrown });
}
