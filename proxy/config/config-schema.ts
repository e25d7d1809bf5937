import { METHODS } from "node:http";
import { z } from "zod";
import {
  address,
  addressBlock,
  choice,
  collectorUrl,
  count,
  duration,
  flag,
  givenDuration,
  nodeUrl,
  path,
  section,
  size,
  text,
  urlPath,
} from "./config-fields.ts";

/** Nodes that one balancer takes. */
export const MAX_NODES = 9;

const YEAR = 365 * 86_400_000;
const HOUR = 3_600_000;
const KIB = 1024;
const MIB = 1024 ** 2;
const GIB = 1024 ** 3;

/** CONNECT is not for this kind of proxy; TRACE would show a node's view of the request to anyone. */
const ROUTABLE = METHODS.filter((method) => method !== "CONNECT" && method !== "TRACE");

const TO = "`one`: a read, balanced. `all`: a write, broadcast.";

/**
 * The sections of the config file, each a schema of its own, so that all of them report their errors. Each setting
 * says whether SIGHUP applies a change of it (`live`; settings.ts refuses a change of any other), and belongs into
 * `live: true` only with the code that does so.
 */
export function configSections(baseDir: string) {
  return {
    cluster: text(/^[a-z0-9][a-z0-9-]{0,31}$/, "expected a name of a-z, 0-9 and -, at most 32 long")
      .default("default")
      .meta({ description: "Name of the cluster; a journal that another one made is refused.", live: false }),
    listen: listener(baseDir).prefault("127.0.0.1:8080").meta({
      description: "Where requests are accepted: host:port, or a map with `address` and `tls`.",
      live: false,
    }),
    admin: adminSection(baseDir).prefault({}),
    dataDir: path(baseDir)
      .prefault("./data")
      .meta({ description: "Folder of the journal; made (0700) if missing.", live: false }),
    trustedProxies: z
      .array(addressBlock(), { error: "expected a list of addresses" })
      .max(64, { error: "expected at most 64 addresses" })
      .default([])
      .meta({ description: "Peers (addresses or blocks) whose `X-Forwarded-*` is kept.", live: true }),
    nodes: nodesSection(),
    routes: routesSection(),
    health: healthSection().prefault({}),
    app: appSection().prefault({}),
    writes: writesSection().prefault({}),
    journal: journalSection(baseDir).prefault({}),
    limits: limitsSection().prefault({}),
    log: logSection().prefault({}),
    tracing: optional(tracingSection(baseDir)).meta({
      description: "OpenTelemetry traces; without it there are none.",
      live: false,
    }),
    drainTimeout: duration(
      { min: 0, max: HOUR },
      { about: "How long SIGTERM waits for what is in flight.", default: "20s", live: true },
    ),
  };
}

function tls(baseDir: string) {
  const pair = section({
    cert: path(baseDir).meta({
      description: "PEM file: the certificate and its chain; read again on SIGHUP.",
      live: true,
    }),
    key: path(baseDir).meta({ description: "PEM file: the private key; read again on SIGHUP.", live: true }),
  });
  return optional(pair).meta({ description: "HTTPS by this certificate; else plain HTTP.", live: false });
}

/** Text is short for a map with an address alone. */
function listener(baseDir: string) {
  const full = section(
    { address: address().meta({ description: "host:port", live: false }), tls: tls(baseDir) },
    "expected host:port, such as 127.0.0.1:8080, or a map with address and tls",
  );
  const asMap = (given: unknown) => (typeof given === "string" ? { address: given } : given);
  return z.preprocess(asMap, full);
}

/** What isn't given is null afterwards: every key is always there. */
function optional<T extends z.ZodType>(schema: T) {
  return schema.nullable().default(null);
}

function user(about: string) {
  return text(
    /^[\x21-\x39\x3b-\x7e]{1,64}$/,
    "expected a user name: visible ASCII, no colon, at most 64 long",
  ).meta({
    description: about,
    live: true,
  });
}

function adminSection(baseDir: string) {
  return section({
    listen: address()
      .prefault("127.0.0.1:1936")
      .meta({ description: "host:port of the stats page, admin API and metrics.", live: false }),
    tls: tls(baseDir),
    user: user("User who may look and change.").default("admin"),
    passwordFile: path(baseDir)
      .prefault("./admin.password")
      .meta({ description: "File with that user's password; made (random, 0600) if missing.", live: true }),
    viewer: optional(
      section({
        user: user("Name of that user."),
        passwordFile: path(baseDir).meta({
          description: "File with the viewer's password; made (random, 0600) if missing.",
          live: true,
        }),
      }),
    ).meta({ description: "A second user, who may only look.", live: true }),
  });
}

function nodesSection() {
  const node = section({
    name: text(
      /^[a-z0-9][a-z0-9-]{0,31}$/,
      "expected a name of a-z, 0-9 and -, at most 32 long, beginning with a letter or digit",
    ).meta({ description: "Name of the node, unique; its place in the journal goes by it.", live: true }),
    url: nodeUrl().meta({ description: "http://host:port of the app server; unique.", live: true }),
    empty: flag({ about: "The node held no data when it was first named here.", default: false, live: true }),
  });
  return z
    .array(node, { error: "expected a list of nodes, each with name and url" })
    .min(1, { error: `expected 1 to ${MAX_NODES} nodes` })
    .max(MAX_NODES, {
      error: `expected 1 to ${MAX_NODES} nodes (every write goes to every node, so each one adds its cost to all writes; the design is for fewer than ten)`,
    })
    .meta({ description: `The app servers, 1 to ${MAX_NODES}.`, live: true });
}

function matchSection() {
  const error = "expected a list of paths";
  return section({
    methods: z
      .array(
        z.enum(ROUTABLE, { error: "expected an HTTP method in capitals, other than CONNECT and TRACE" }),
        {
          error: "expected a list of HTTP methods",
        },
      )
      .min(1, { error: "expected at least one method" })
      .meta({ description: "Methods that the route takes.", live: true }),
    paths: optional(z.array(urlPath(), { error }).min(1, { error: "expected at least one path" })).meta({
      description: "Whole paths; with neither paths nor prefixes every path matches.",
      live: true,
    }),
    prefixes: optional(z.array(urlPath(), { error }).min(1, { error: "expected at least one prefix" })).meta({
      description: "Beginnings of paths, by whole segments: /api is /api and /api/x, not /apix.",
      live: true,
    }),
  });
}

function routesSection() {
  const shared = {
    name: optional(
      text(/^[a-z0-9][a-z0-9_-]{0,31}$/, "expected a name of a-z, 0-9, - and _, at most 32 long"),
    ).meta({
      description: "Name in metrics and logs; by default `to` and its position: all-1, one-2.",
      live: true,
    }),
    match: matchSection(),
    caseSensitive: flag({ about: "Whether the case of paths counts.", default: true, live: true }),
  };
  const one = section({
    ...shared,
    to: z.literal("one").meta({ description: TO, live: true }),
    balance: choice(["roundrobin", "leastconn"], {
      about: "How the node is picked.",
      default: "roundrobin",
      live: true,
    }),
    firstByteTimeout: duration(
      { min: 1, max: HOUR },
      { about: "How long a node may take to begin its answer.", default: "1s", live: true },
    ),
    timeout: duration(
      { min: 1, max: 24 * HOUR },
      { about: "How long the whole read may take.", default: "30s", live: true },
    ),
  });
  const all = section({
    ...shared,
    to: z.literal("all").meta({ description: TO, live: true }),
    ack: choice(["all", "quorum", "one"], {
      about: "Whose acks must be in before the client gets its reply.",
      default: "all",
      live: true,
    }),
    orderBy: optional(
      z.string({ error: "expected the name of a field" }).min(1, { error: "expected the name of a field" }),
    ).meta({
      description:
        "Field of the form or JSON body: writes with the same value stay in order; without it all do.",
      live: true,
    }),
    acksHeader: flag({ about: "Whether replies carry `lb-acks`.", default: true, live: true }),
  });
  return z
    .array(z.discriminatedUnion("to", [one, all], { error: "expected to: one or to: all" }), {
      error: "expected a list of routes",
    })
    .min(1, { error: "expected at least one route" })
    .max(200, { error: "expected at most 200 routes" })
    .transform((routes) =>
      routes.map((route, index) => ({ ...route, name: route.name ?? `${route.to}-${index + 1}` })),
    )
    .prefault([
      {
        match: { methods: ["POST"], paths: ["/register", "/changePassword"] },
        to: "all",
        orderBy: "username",
      },
      { match: { methods: ["GET", "HEAD"] }, to: "one" },
    ])
    .meta({ description: "The first that matches decides.", live: true });
}

function healthSection() {
  return section({
    interval: duration(
      { min: 10, max: HOUR },
      { about: "Time between two checks of a node.", default: "1s", live: true },
    ),
    timeout: duration(
      { min: 1, max: HOUR },
      { about: "How long a check may take.", default: "500ms", live: true },
    ),
    rise: count(
      { min: 1, max: 100 },
      { about: "Good checks in a row until a node is up.", default: 2, live: true },
    ),
    fall: count(
      { min: 1, max: 100 },
      {
        about: "Bad checks in a row until a node is down; a refused connection needs no second one.",
        default: 3,
        live: true,
      },
    ),
    path: optional(urlPath()).meta({
      description: "GET this path (2xx is good); without it, a TCP connection is made.",
      live: true,
    }),
  });
}

function appSection() {
  return section({
    snapshot: optional(urlPath()).meta({
      description: "Path where the app gives (GET) and takes (PUT) its whole state.",
      live: true,
    }),
    digest: optional(urlPath()).meta({
      description: "Path where the app gives a digest of its state.",
      live: true,
    }),
  });
}

function writesSection() {
  return section({
    sendTimeout: duration(
      { min: 10, max: HOUR },
      {
        about: "A node that has not acked by then leaves the reads; counted from recording.",
        default: "2s",
        live: true,
      },
    ),
    ackTimeout: duration(
      { min: 20, max: HOUR },
      {
        about: "By then the client has its reply, if only a 504; longer than sendTimeout.",
        default: "5s",
        live: true,
      },
    ),
    attemptTimeout: duration(
      { min: 10, max: HOUR },
      { about: "How long one attempt at one node may take.", default: "10s", live: true },
    ),
    minInSync: count(
      { min: 1, max: MAX_NODES },
      { about: "With fewer nodes in-sync, writes are refused.", default: 1, live: true },
    ),
    window: count(
      { min: 1, max: 1024 },
      { about: "Writes on their way to one node at a time.", default: 32, live: false },
    ),
    maxAttempts: count(
      { min: 1, max: 1000 },
      { about: "Attempts after which a write that no node acks is set aside.", default: 5, live: true },
    ),
    backoff: section({
      min: duration(
        { min: 1, max: HOUR },
        { about: "Pause before the second attempt.", default: "50ms", live: true },
      ),
      max: duration(
        { min: 1, max: HOUR },
        { about: "Longest pause between attempts.", default: "30s", live: true },
      ),
    }).prefault({}),
    idempotencyWindow: duration(
      { min: 1000, max: YEAR },
      { about: "How long a client's Idempotency-Key is remembered.", default: "24h", live: true },
    ),
  });
}

function journalSection(baseDir: string) {
  const keep = givenDuration({ min: 1000, max: YEAR }, "24h");
  return section({
    keyFile: path(baseDir).prefault("./journal.key").meta({
      description: "Key of the journal, outside dataDir; made (random, 0600) with the journal.",
      live: false,
    }),
    headFile: path(baseDir).prefault("./journal.head").meta({
      description: "Last write on disk, outside dataDir: a lost tail or an older copy is noticed by it.",
      live: false,
    }),
    maxSize: size(
      { min: MIB, max: 1024 * GIB },
      {
        about: "Size at which the member furthest behind is evicted or writes are refused.",
        default: "1GiB",
        live: true,
      },
    ),
    retention: z
      .union([z.literal("keep"), keep], { error: 'expected "keep" or a duration of 1s to 365d, such as 24h' })
      .optional()
      .meta({
        description:
          "How long bodies are kept once every member has acked; `keep`: for good. By default 24h where app.snapshot is set, else keep.",
        live: true,
        unit: "duration",
        range: "1s–365d",
      }),
  });
}

function limitsSection() {
  return section({
    header: size(
      { min: KIB, max: MIB },
      { about: "A request's line and header fields.", default: "16KiB", live: false },
    ),
    body: size({ min: 1, max: 256 * MIB }, { about: "A write's body.", default: "1MiB", live: true }),
    bodies: size(
      { min: MIB, max: 64 * GIB },
      {
        about: "Bodies of writes in memory until they are recorded, taken together.",
        default: "64MiB",
        live: true,
      },
    ),
    answer: size(
      { min: KIB, max: 256 * MIB },
      { about: "A node's answer to a write.", default: "1MiB", live: true },
    ),
    readBody: size({ min: 0, max: 1024 * GIB }, { about: "A read's body.", default: "16MiB", live: true }),
    writesOpen: count(
      { min: 1, max: 1_000_000 },
      { about: "Writes whose clients wait, at a time.", default: 10_000, live: true },
    ),
    readsOpen: count({ min: 1, max: 1_000_000 }, { about: "Reads at a time.", default: 4096, live: true }),
    headerTimeout: duration(
      { min: 10, max: HOUR },
      { about: "How long a request's head may take.", default: "10s", live: true },
    ),
    bodyTimeout: duration(
      { min: 10, max: HOUR },
      { about: "How long its body may take after that.", default: "30s", live: true },
    ),
    manualCopyTimeout: duration(
      { min: 1000, max: 24 * 24 * HOUR },
      {
        about: "How long a donor is held for an operator's copy (`lbctl nodes resync --manual`).",
        default: "1h",
        live: true,
      },
    ),
    idleTimeout: duration(
      { min: 10, max: HOUR },
      { about: "How long a client's connection may be idle.", default: "60s", live: true },
    ),
    connections: count(
      { min: 1, max: 1_000_000 },
      { about: "Clients' connections.", default: 10_000, live: true },
    ),
    readConnections: count(
      { min: 1, max: 65_535 },
      {
        about:
          "Connections for reads to one node; a read that finds none free waits, at most firstByteTimeout.",
        default: 128,
        live: false,
      },
    ),
    retryBudget: count(
      { min: 0, max: 1, fraction: true },
      { about: "Reads tried again after a timeout, as a share of all reads.", default: 0.2, live: false },
    ),
  });
}

function logSection() {
  return section({
    level: choice(["trace", "debug", "info", "warn", "error", "fatal", "silent"], {
      about: "The least that is logged.",
      default: "info",
      live: true,
    }),
    access: flag({ about: "Whether requests are logged.", default: true, live: true }),
    sample: count(
      { min: 0, max: 1, fraction: true },
      {
        about:
          "Share of the reads that succeeded that are logged; errors, writes and clients that left always are.",
        default: 1,
        live: true,
      },
    ),
  });
}

function tracingSection(baseDir: string) {
  return section({
    endpoint: collectorUrl().meta({
      description:
        "Where spans go: http(s) URL of an OpenTelemetry collector (OTLP/HTTP); `/v1/traces` where it has no path.",
      live: false,
    }),
    sampleRatio: count(
      { min: 0, max: 1, fraction: true },
      {
        about:
          "Share of the traces that begin here; of one that a client began its own `traceparent` decides.",
        default: 0.1,
        live: false,
      },
    ),
    headersFile: optional(path(baseDir)).meta({
      description:
        "File with header fields for the collector, `name: value` a line (credentials: keep it 0600).",
      live: false,
    }),
  });
}
