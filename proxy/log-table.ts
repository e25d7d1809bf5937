/** Every kind of line in the log: its `msg`, its level, its fields. docs/logs.md is made from it. */

/** The levels that lines have; `log.level` hides those below it. */
export const LEVELS = {
  info: { number: 30, about: "The course of things: requests, states, what operators did." },
  warn: { number: 40, about: "Something failed and is being dealt with; look if it goes on." },
  error: { number: 50, about: "Someone has to look: what stands there does not mend itself." },
  fatal: { number: 60, about: "The process ends; its supervisor starts it again." },
} as const;

export type LineLevel = keyof typeof LEVELS;

/** Fields that every line has. */
export const COMMON = {
  level: "Number of the level.",
  time: "ms since the epoch.",
  pid: "Of the balancer.",
  msg: "The kind of line; stable.",
} as const;

const ID =
  "`X-Request-Id` of the client's request: the client's own, or one made here; the nodes get it, too.";
const TRACE =
  "Trace id, where `tracing` is on; of a write's legs also where the client sent a `traceparent`.";
const SEQ = "Number of the write.";
const NODE = "Name of the node.";
const ROUTE = "Name of the route; null: none took it.";
const MS = "How long it took, in ms.";
const ERROR =
  "`type`, `code`, `message`, `cause`; `stack` instead of `message` where that may quote what a client sent.";
const CLIENT = "Address of the client.";

interface LineKind {
  readonly msg: string;
  /** The first is the usual one. */
  readonly levels: readonly [LineLevel, ...LineLevel[]];
  readonly about: string;
  /** What each field means. */
  readonly fields: Readonly<Record<string, string>>;
}

export const LINES = {
  starting: {
    msg: "starting",
    levels: ["info"],
    about: "The process begins.",
    fields: { version: "Of lbctl.", config: "Path of the config file.", cluster: "Its name." },
  },
  ready: {
    msg: "ready",
    levels: ["info"],
    about: "The journal is open and requests are accepted. Supervisors wait for this line.",
    fields: {
      listen: "Where traffic is accepted.",
      admin: "Where the admin listener is.",
      head: "Number of the last write in the journal.",
      nodes: "How many there are.",
      ms: MS,
    },
  },
  draining: {
    msg: "draining",
    levels: ["info"],
    about: "Shutting down: nothing new is accepted, what is in flight ends first.",
    fields: { signal: "Why.", reads: "Open then.", writes: "Open then." },
  },
  stopped: {
    msg: "stopped",
    levels: ["info"],
    about: "The last line of a process that was told to stop.",
    fields: { ms: MS, clean: "False: something in flight was cut off after `drainTimeout`." },
  },
  reloaded: {
    msg: "reloaded",
    levels: ["info"],
    about: "SIGHUP: the new config holds.",
    fields: { changes: "The settings that differ from before." },
  },
  reloadRefused: {
    msg: "reload refused",
    levels: ["error"],
    about: "SIGHUP: the new config is wrong, and the old one stays.",
    fields: { problems: "Each as `path: expected …, got …`." },
  },
  request: {
    msg: "request",
    levels: ["info"],
    about:
      "One request, when its reply is over. Hidden by `log.access: false`; of reads that succeeded (status below 400) only the share `log.sample` is logged.",
    fields: {
      id: ID,
      client: CLIENT,
      method: "As sent.",
      path: "Without the query string; empty where the target was refused since it is no path.",
      route: ROUTE,
      status: "What the client got; 0: it left before.",
      ms: "From the request's head to the end of the reply, in ms.",
      node: "Whose answer a read got.",
      seq: SEQ,
      code: "Where the balancer made the reply: its code in [errors.md](errors.md).",
      trace: TRACE,
      sample: "Where less than all such reads are logged: the share that is; count each line 1/sample times.",
    },
  },
  configWarnings: {
    msg: "config warnings",
    levels: ["warn"],
    about: "The config can be used, but somebody should look after this: a certificate that ends soon, say.",
    fields: { warnings: "Each as `path: …`." },
  },
  legFailed: {
    msg: "leg failed",
    levels: ["warn"],
    about:
      "One attempt at one node that got no answer, or, of a write, one that is not the node's last word (5xx, 408, 425, 429). A read's 5xx goes to the client as it is, and is in its request line.",
    fields: {
      node: NODE,
      outcome: "`connect`, `reset`, `timeout`, `queued`, `http_5xx`, `retry_later`; as in the metrics.",
      attempt: "1 for the first; of a write, the first that may have reached the node.",
      ms: MS,
      status: "The answer's, if there was one.",
      seq: SEQ,
      route: ROUTE,
      id: ID,
      trace: TRACE,
      reason: "Why there was no answer: what the node did, in short, with the system's code.",
    },
  },
  nodeState: {
    msg: "node state",
    levels: ["info", "warn"],
    about: "A node went from one state to another; a warning where it is now `down` or `quarantined`.",
    fields: { node: NODE, from: "State before.", to: "State now.", reason: "Why." },
  },
  bootstrap: {
    msg: "bootstrap",
    levels: ["info"],
    about: "A node is given its history.",
    fields: {
      node: NODE,
      kind: "`replay`, `snapshot` or `manual`.",
      step: "`begin` or `done`.",
      from: "The node that gives it.",
      seq: "Up to which write.",
    },
  },
  bootstrapFailed: {
    msg: "bootstrap failed",
    levels: ["error"],
    about: "It did not work; the node stays out, and it is tried again where that can help.",
    fields: {
      node: NODE,
      kind: "`replay`, `snapshot` or `manual`.",
      step: "`failed`.",
      from: "The node that should have given it.",
      seq: "Up to which write.",
      error: ERROR,
    },
  },
  divergence: {
    msg: "divergence",
    levels: ["error"],
    about:
      "A node answered a write otherwise than the others; it is quarantined unless it is the last in-sync.",
    fields: { seq: SEQ, node: NODE, status: "Its answer.", majority: "That of the others.", id: ID },
  },
  ambiguous: {
    msg: "ambiguous answer",
    levels: ["warn"],
    about: "A node answered after an attempt that it may have carried out without an answer.",
    fields: { seq: SEQ, node: NODE, status: "Its answer.", id: ID },
  },
  setAside: {
    msg: "write set aside",
    levels: ["error"],
    about: "No node acks it. It waits, and only its key with it, for `lbctl writes retry` or `skip`.",
    fields: { seq: SEQ, attempts: "At each node.", reason: "Of the last failure.", id: ID },
  },
  alarm: {
    msg: "alarm",
    levels: ["error"],
    about: "Something only an operator can mend, or should at least know.",
    fields: {
      what: "In words.",
      node: NODE,
      donor: "The node whose state was to be copied.",
      seq: SEQ,
      status: "The answer that it is about.",
      reason: "Why.",
      cursor: "Every write up to it had been acked by the node.",
      first: "First write whose body is still kept.",
      id: ID,
    },
  },
  traceExport: {
    msg: "trace export",
    levels: ["info", "warn"],
    about:
      "The collector of `tracing` begins to refuse spans, or to be out of reach (a warning: they are dropped and counted, `lb_trace_spans_total`), or takes them again.",
    fields: { works: "Whether it does.", error: ERROR },
  },
  journalFailed: {
    msg: "journal failed",
    levels: ["error"],
    about: "The disk or the journal's thread failed; `fatal` follows.",
    fields: { next: "What happens now.", error: ERROR },
  },
  admin: {
    msg: "admin",
    levels: ["info"],
    about: "An operator changed something through the admin listener.",
    fields: { user: "Who.", client: CLIENT, action: "Path that was posted to.", status: "Of the reply." },
  },
  signInFailed: {
    msg: "sign-in failed",
    levels: ["warn"],
    about: "A wrong user or password at the admin listener.",
    fields: { client: CLIENT },
  },
  bug: {
    msg: "bug",
    levels: ["error"],
    about: "An error that nobody expected: please report it.",
    fields: { where: "In which part.", error: ERROR },
  },
  fatal: {
    msg: "fatal",
    levels: ["fatal"],
    about: "The last line of a process that cannot go on.",
    fields: { error: ERROR },
  },
} as const satisfies Record<string, LineKind>;

export type Line = keyof typeof LINES;

/** What a line of this kind may carry, and nothing else; what is undefined is left out. */
export type Facts<K extends Line> = { readonly [F in keyof (typeof LINES)[K]["fields"]]?: unknown };
