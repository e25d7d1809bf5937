import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { stringify } from "yaml";
import { type Config, ConfigError, loadConfig, parseConfig } from "../../../proxy/config/config.ts";
import { formatDuration, formatSize, parseDuration, parseSize } from "../../../proxy/config/units.ts";
import { tempFolder } from "../../support/temp-folder.ts";

const NODE = "nodes: [{ name: app1, url: http://127.0.0.1:4567 }]";

function parse(text: string): Config {
  return parseConfig(text, "/etc/lb");
}

function problemsOf(text: string): readonly string[] {
  try {
    parse(text);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

test("the file of the design works as it stands", () => {
  const config = parse(`
listen: 127.0.0.1:8080
admin: { listen: 127.0.0.1:1936, user: admin, passwordFile: ./admin.password }
dataDir: ./data
nodes:
  - { name: app1, url: http://127.0.0.1:4567 }
  - { name: app2, url: http://127.0.0.1:4568 }
routes:
  - { match: { methods: [POST], paths: [/register, /changePassword] }, to: all, ack: all, orderBy: username }
  - { match: { methods: [GET, HEAD] }, to: one, balance: roundrobin }
health: { interval: 1s, timeout: 500ms, rise: 2, fall: 3 }
`);
  assert.deepEqual(config.routes, parse(NODE).routes);
  assert.equal(config.admin.passwordFile, "/etc/lb/admin.password");
  assert.equal(config.dataDir, "/etc/lb/data");
  assert.deepEqual(config.listen, { address: { host: "127.0.0.1", port: 8080 }, tls: null });
});

test("everything that is not named has its default", () => {
  const config = parse(NODE);
  assert.deepEqual(config.nodes, [{ name: "app1", url: "http://127.0.0.1:4567", empty: false }]);
  assert.deepEqual(config.limits, {
    header: 16_384,
    body: 1_048_576,
    bodies: 67_108_864,
    answer: 1_048_576,
    readBody: 16_777_216,
    writesOpen: 10_000,
    readsOpen: 4096,
    headerTimeout: 10_000,
    bodyTimeout: 30_000,
    manualCopyTimeout: 3_600_000,
    idleTimeout: 60_000,
    connections: 10_000,
    readConnections: 128,
    retryBudget: 0.2,
  });
  assert.deepEqual(config.writes, {
    sendTimeout: 2000,
    ackTimeout: 5000,
    attemptTimeout: 10_000,
    minInSync: 1,
    window: 32,
    maxAttempts: 5,
    backoff: { min: 50, max: 30_000 },
    idempotencyWindow: 86_400_000,
  });
  assert.deepEqual(
    config.routes.map(({ name, to }) => [name, to]),
    [
      ["all-1", "all"],
      ["one-2", "one"],
    ],
  );
});

test("bodies are kept for good, but for 24h where the app offers snapshots", () => {
  assert.equal(parse(NODE).journal.retention, null);
  assert.equal(parse(`${NODE}\napp: { snapshot: /lb/snapshot }`).journal.retention, 86_400_000);
  assert.equal(
    parse(`${NODE}\napp: { snapshot: /lb/snapshot }\njournal: { retention: keep }`).journal.retention,
    null,
  );
  assert.equal(parse(`${NODE}\njournal: { retention: 48h }`).journal.retention, 172_800_000);
});

test("JSON with tabs, TLS, IPv6 and other forms are read", () => {
  const config = parse(
    JSON.stringify(
      {
        listen: { address: "[::]:443", tls: { cert: "c.pem", key: "/k.pem" } },
        nodes: [{ name: "a", url: "http://APP:80/" }],
        writes: { sendTimeout: 1500, backoff: { min: "1.5s" } },
        limits: { body: "2MiB", header: 8192 },
      },
      null,
      "\t",
    ),
  );
  assert.deepEqual(config.listen, {
    address: { host: "::", port: 443 },
    tls: { cert: "/etc/lb/c.pem", key: "/k.pem" },
  });
  assert.equal(config.nodes[0]?.url, "http://app");
  assert.equal(config.writes.sendTimeout, 1500);
  assert.equal(config.writes.backoff.min, 1500);
  assert.equal(config.limits.body, 2_097_152);
});

test("the result is frozen all the way down", () => {
  const config = parse(NODE);
  const visit = (value: unknown) => {
    if (typeof value !== "object" || value === null) return;
    assert.ok(Object.isFrozen(value));
    for (const inner of Object.values(value)) visit(inner);
  };
  visit(config);
});

test("tracing is off unless it is there; a collector without a path gets /v1/traces", () => {
  assert.equal(parse(NODE).tracing, null);
  const endpoint = (given: string) => parse(`${NODE}\ntracing: { endpoint: "${given}" }`).tracing?.endpoint;
  assert.equal(endpoint("http://127.0.0.1:4318"), "http://127.0.0.1:4318/v1/traces");
  assert.equal(endpoint("https://otel.example/"), "https://otel.example/v1/traces");
  assert.equal(endpoint("http://[::1]:4318/otlp/v1/traces"), "http://[::1]:4318/otlp/v1/traces");
  const { sampleRatio, headersFile } =
    parse(`${NODE}\ntracing: { endpoint: "http://c", headersFile: h }`).tracing ?? {};
  assert.deepEqual([sampleRatio, headersFile], [0.1, "/etc/lb/h"]);
});

const COLLECTOR =
  "expected http(s)://host:port or with a path, and no user, query or fragment, such as http://127.0.0.1:4318";

/** Added to a config that is right: what is said. */
/** Where the balancer listens, and urls that lead there. */
const OWN_ADDRESSES = [
  ["0.0.0.0:8080", "http://127.0.0.1:8080"],
  ["0.0.0.0:8080", "http://127.8.8.8:8080"],
  ["0.0.0.0:8080", "http://LocalHost:8080"],
  ["0.0.0.0:80", "http://0.0.0.0"],
  ["[::]:8080", "http://127.0.0.1:8080"],
  ["[::]:8080", "http://[::1]:8080"],
  ["127.0.0.1:8080", "http://localhost:8080"],
  ["localhost:8080", "http://[::1]:8080"],
  ["127.0.0.1:8080", "http://0.0.0.0:8080"],
  ["[::1]:8080", "http://[::]:8080"],
  ["127.0.0.1:8080", "http://[::ffff:127.0.0.1]:8080"],
] as const;

const BAD: readonly (readonly [text: string, ...problems: string[]])[] = [
  ["", "nodes: expected a list of nodes, each with name and url, got nothing"],
  ["nodes: []", "nodes: expected 1 to 9 nodes, got a list of 0"],
  [
    nodes(10),
    "nodes: expected 1 to 9 nodes (every write goes to every node, so each one adds its cost to all writes; the design is for fewer than ten), got a list of 10",
  ],
  ["nodes: { a: 1 }", "nodes: expected a list of nodes, each with name and url, got a map"],
  [
    "nodes: [{ name: A, url: 'http://h:1' }]",
    'nodes/0/name: expected a name of a-z, 0-9 and -, at most 32 long, beginning with a letter or digit, got "A"',
  ],
  [
    "nodes: [{ url: 'http://h:1' }]",
    "nodes/0/name: expected a name of a-z, 0-9 and -, at most 32 long, beginning with a letter or digit, got nothing",
  ],
  ["nodes: [{ name: a, url: 'https://h:1' }]", url(0, '"https://h:1"')],
  ["nodes: [{ name: a, url: 'http://h:1/path' }]", url(0, '"http://h:1/path"')],
  ["nodes: [{ name: a, url: 'http://u:secret@h:1' }]", url(0, '"http://…@h:1"')],
  ["nodes: [{ name: a, url: 'h:1' }]", url(0, '"h:1"')],
  ["nodes: [{ name: a, url: 'http://h:99999' }]", url(0, '"http://h:99999"')],
  [
    "nodes: [{ name: a, url: 'http://h:1', empty: maybe }]",
    'nodes/0/empty: expected true or false, got "maybe"',
  ],
  [
    "nodes: [{ name: a, url: 'http://h:1' }, { name: a, url: 'http://h:2' }]",
    "nodes/1/name: expected a name of its own, got that of nodes/0",
  ],
  [
    "nodes: [{ name: a, url: 'http://h:80' }, { name: b, url: 'http://H/' }]",
    "nodes/1/url: expected a url of its own, got that of nodes/0",
  ],
  [
    "nodes: [{ name: a, url: 'http://127.0.0.1:8080' }]",
    "nodes/0/url: expected an app server, got the balancer's own address",
  ],
  ...OWN_ADDRESSES.map(([listen, url]): [string, string] => [
    `listen: "${listen}"\nnodes: [{ name: a, url: "${url}" }]`,
    "nodes/0/url: expected an app server, got the balancer's own address",
  ]),
  [
    `${NODE}\nnode: 1`,
    "node: expected only cluster, listen, admin, dataDir, trustedProxies, nodes, routes, health, app, writes, journal, limits, log, tracing, drainTimeout, got an unknown key",
  ],
  [
    `${NODE}\nlimits: { bodys: 1 }`,
    "limits/bodys: expected only header, body, bodies, answer, readBody, writesOpen, readsOpen, headerTimeout, bodyTimeout, manualCopyTimeout, idleTimeout, connections, readConnections, retryBudget, got an unknown key",
  ],
  [`${NODE}\nlimits: { body: 0 }`, "limits/body: expected a size of 1B to 256MiB, such as 1MiB, got 0"],
  [`${NODE}\nlimits: { body: 1MB }`, 'limits/body: expected a size of 1B to 256MiB, such as 1MiB, got "1MB"'],
  [
    `${NODE}\nlimits: { connections: 1.5 }`,
    "limits/connections: expected a whole number from 1 to 1000000, got 1.5",
  ],
  [`${NODE}\nlimits: { retryBudget: 2 }`, "limits/retryBudget: expected a number from 0 to 1, got 2"],
  [
    `${NODE}\nlimits: 5`,
    "limits: expected a map with the keys header, body, bodies, answer, readBody, writesOpen, readsOpen, headerTimeout, bodyTimeout, manualCopyTimeout, idleTimeout, connections, readConnections, retryBudget, got 5",
  ],
  [
    `${NODE}\nwrites: { sendTimeout: 5s }`,
    "writes/sendTimeout: expected less than writes/ackTimeout (5s), got 5s",
  ],
  [
    `${NODE}\nwrites: { sendTimeout: 5 s }`,
    'writes/sendTimeout: expected a duration of 10ms to 1h, such as 2s, got "5 s"',
  ],
  [
    `${NODE}\nwrites: { sendTimeout: -1 }`,
    "writes/sendTimeout: expected a duration of 10ms to 1h, such as 2s, got -1",
  ],
  [
    `${NODE}\nwrites: { backoff: { min: 1m } }`,
    "writes/backoff/min: expected at most writes/backoff/max (30s), got 1m",
  ],
  [`${NODE}\nwrites: { minInSync: 2 }`, "writes/minInSync: expected at most the number of nodes (1), got 2"],
  [`${NODE}\nwrites: { window: "32" }`, 'writes/window: expected a whole number from 1 to 1024, got "32"'],
  [`${NODE}\nhealth: { timeout: 2s }`, "health/timeout: expected at most health/interval (1s), got 2s"],
  [
    `${NODE}\nhealth: { path: healthz }`,
    'health/path: expected a path that begins with / and has no query, fragment or spaces, got "healthz"',
  ],
  [
    `${NODE}\njournal: { retention: 1h }`,
    "journal/retention: expected at least writes/idempotencyWindow (1d), got 1h",
  ],
  [
    `${NODE}\njournal: { retention: forever }`,
    'journal/retention: expected "keep" or a duration of 1s to 365d, such as 24h, got "forever"',
  ],
  [
    `${NODE}\njournal: { maxSize: 2MiB }`,
    "journal/maxSize: expected at least 4 × limits/body (4MiB), got 2MiB",
  ],
  [
    `${NODE}\njournal: { keyFile: ./data/k }`,
    "journal/keyFile: expected a file outside dataDir, got one inside it",
  ],
  [
    `${NODE}\njournal: { headFile: ./data/h }`,
    "journal/headFile: expected a file outside dataDir, got one inside it",
  ],
  [
    `${NODE}\njournal: { headFile: ./journal.key }`,
    "journal/headFile: expected a file of its own, got that of journal/keyFile",
  ],
  [
    `${NODE}\nadmin: { password: hunter2 }`,
    "admin/password: expected only listen, tls, user, passwordFile, viewer, got an unknown key",
  ],
  [`${NODE}\nadmin: { passwordFile: "" }`, "admin/passwordFile: expected a path, got text that is not shown"],
  [
    `${NODE}\nadmin: { listen: 127.0.0.1:8080 }`,
    "admin/listen: expected an address of its own, got that of listen",
  ],
  [
    `${NODE}\nadmin: { user: "a:b" }`,
    'admin/user: expected a user name: visible ASCII, no colon, at most 64 long, got "a:b"',
  ],
  [
    `${NODE}\nadmin: { viewer: { user: admin, passwordFile: v } }`,
    "admin/viewer/user: expected a user other than admin/user, got the same",
  ],
  [`${NODE}\nadmin: { viewer: { user: v } }`, "admin/viewer/passwordFile: expected a path, got nothing"],
  [
    `${NODE}\nlisten: ":8080"`,
    'listen/address: expected host:port, such as 127.0.0.1:8080 or [::]:8080 (port 0: any free one), got ":8080"',
  ],
  [
    `${NODE}\nlisten: 8080`,
    "listen: expected host:port, such as 127.0.0.1:8080, or a map with address and tls, got 8080",
  ],
  [
    `${NODE}\nlisten: "127.0.0.300:80"`,
    'listen/address: expected host:port, such as 127.0.0.1:8080 or [::]:8080 (port 0: any free one), got "127.0.0.300:80"',
  ],
  [`${NODE}\nlisten: { address: "h:1", tls: { cert: c } }`, "listen/tls/key: expected a path, got nothing"],
  [
    `${NODE}\ntrustedProxies: [10.0.0.0/33]`,
    'trustedProxies/0: expected an address or a block, such as 10.0.0.7 or 10.0.0.0/8, got "10.0.0.0/33"',
  ],
  [
    `${NODE}\ntrustedProxies: [lb.example]`,
    'trustedProxies/0: expected an address or a block, such as 10.0.0.7 or 10.0.0.0/8, got "lb.example"',
  ],
  [`${NODE}\nroutes: []`, "routes: expected at least one route, got a list of 0"],
  [
    `${NODE}\nroutes: [{ match: { methods: [GET] }, to: many }]`,
    'routes/0/to: expected to: one or to: all, got "many"',
  ],
  [
    `${NODE}\nroutes: [{ match: { methods: [GET] } }]`,
    "routes/0/to: expected to: one or to: all, got nothing",
  ],
  [
    `${NODE}\nroutes: [{ match: { methods: [get] }, to: one }]`,
    'routes/0/match/methods/0: expected an HTTP method in capitals, other than CONNECT and TRACE, got "get"',
  ],
  [
    `${NODE}\nroutes: [{ match: { methods: [CONNECT] }, to: one }]`,
    'routes/0/match/methods/0: expected an HTTP method in capitals, other than CONNECT and TRACE, got "CONNECT"',
  ],
  [
    `${NODE}\nroutes: [{ match: { methods: [] }, to: one }]`,
    "routes/0/match/methods: expected at least one method, got a list of 0",
  ],
  [
    `${NODE}\nroutes: [{ match: { methods: [GET], paths: [] }, to: one }]`,
    "routes/0/match/paths: expected at least one path, got a list of 0",
  ],
  [
    `${NODE}\nroutes: [{ match: { methods: [GET], paths: [/a?b] }, to: one }]`,
    'routes/0/match/paths/0: expected a path that begins with / and has no query, fragment or spaces, got "/a?b"',
  ],
  [
    `${NODE}\nroutes: [{ match: { methods: [GET] }, to: one, ack: all }]`,
    "routes/0/ack: expected only name, match, caseSensitive, to, balance, firstByteTimeout, timeout, got an unknown key",
  ],
  [
    `${NODE}\nroutes: [{ match: { methods: [GET] }, to: one, balance: random }]`,
    'routes/0/balance: expected one of roundrobin, leastconn, got "random"',
  ],
  [
    `${NODE}\nroutes: [{ match: { methods: [GET] }, to: one, firstByteTimeout: 1m }]`,
    "routes/0/firstByteTimeout: expected at most timeout (30s), got 1m",
  ],
  [
    `${NODE}\nroutes: [{ name: r, match: { methods: [GET] }, to: one }, { name: r, match: { methods: [PUT] }, to: all }]`,
    "routes/1/name: expected a name of its own, got that of routes/0",
  ],
  [
    `${NODE}\ncluster: My Cluster`,
    'cluster: expected a name of a-z, 0-9 and -, at most 32 long, got "My Cluster"',
  ],
  [
    `${NODE}\nlog: { level: loud }`,
    'log/level: expected one of trace, debug, info, warn, error, fatal, silent, got "loud"',
  ],
  [`${NODE}\nlog: { sample: 1.5 }`, "log/sample: expected a number from 0 to 1, got 1.5"],
  [`${NODE}\ntracing: {}`, `tracing/endpoint: ${COLLECTOR}, got nothing`],
  [
    `${NODE}\ntracing: { endpoint: "127.0.0.1:4318" }`,
    `tracing/endpoint: ${COLLECTOR}, got "127.0.0.1:4318"`,
  ],
  [
    `${NODE}\ntracing: { endpoint: "http://u:hush@c:4318" }`,
    `tracing/endpoint: ${COLLECTOR}, got "http://…@c:4318"`,
  ],
  [`${NODE}\ntracing: { endpoint: "http://c/?a=1" }`, `tracing/endpoint: ${COLLECTOR}, got "http://c/?a=1"`],
  [
    `${NODE}\ntracing: { endpoint: "http://c", sampleRatio: 2 }`,
    "tracing/sampleRatio: expected a number from 0 to 1, got 2",
  ],
  [
    `${NODE}\ntracing: { endpoint: "http://c", headers: x }`,
    "tracing/headers: expected only endpoint, sampleRatio, headersFile, got an unknown key",
  ],
  [
    `${NODE}\ntracing: { endpoint: "http://c", headersFile: ./admin.password }`,
    "tracing/headersFile: expected a file of its own, got that of admin/passwordFile",
  ],
  [`${NODE}\ndataDir: 5`, "dataDir: expected a path, got 5"],
  [`${NODE}\ndrainTimeout: 30d`, 'drainTimeout: expected a duration of 0ms to 1h, such as 20s, got "30d"'],
  [`${NODE}\n${NODE}`, "config: expected YAML or JSON, got Map keys must be unique at line 2, column 1"],
  ["- 1", "config: expected a map with the key nodes, got a list of 1"],
  ["just text", 'config: expected a map with the key nodes, got "just text"'],
  [
    "a: [",
    "config: expected YAML or JSON, got Flow sequence in block collection must be sufficiently indented and end with a ] at line 1, column 5",
  ],
];

function nodes(count: number): string {
  const list = Array.from({ length: count }, (_, index) => ({
    name: `n${index}`,
    url: `http://h:${index + 1}`,
  }));
  return stringify({ nodes: list });
}

function url(index: number, got: string): string {
  return `nodes/${index}/url: expected http://host:port and nothing behind it (nodes are spoken to in plain HTTP/1.1), got ${got}`;
}

test("the table of bad configs", async (t) => {
  for (const [text, ...problems] of BAD) {
    const name = text.replace(NODE, "").trim().slice(0, 70) || "an empty file";
    await t.test(name, () => {
      const found = problemsOf(text === "" ? "{}" : text);
      if (problems[0]?.startsWith("config: expected YAML"))
        assert.match(found[0] ?? "", /^config: expected YAML or JSON, got .* at line \d+, column \d+$/);
      else assert.deepEqual(found, problems);
    });
  }
});

test("all problems are said at once, also those between settings", () => {
  const found = problemsOf(`
nodes: [{ name: a, url: "ftp://x" }, { name: a, url: "http://h:1" }]
writes: { sendTimeout: 9s }
health: { rise: 0 }
journal: { keyFile: ./data/key }
extra: 1
`);
  const paths = found.map((problem) => problem.slice(0, problem.indexOf(":")));
  const expected = [
    "extra",
    "nodes/0/url",
    "health/rise",
    "nodes/1/name",
    "writes/sendTimeout",
    "journal/keyFile",
  ];
  assert.deepEqual(paths.toSorted(), expected.toSorted());
});

test("no secret that stands in the wrong place is printed", () => {
  const secret = "hunter2-hunter2";
  for (const text of [
    `${NODE}\nadmin: { passwordFile: { value: ${secret} } }`,
    `${NODE}\nadmin: { password: ${secret} }`,
    `nodes: [{ name: a, url: "http://user:${secret}@h:1" }]`,
    `${NODE}\nadmin:\n  password: "${secret}\n`,
    `${NODE}\nadmin: { passwordFile: ["${secret}"] }`,
  ]) {
    const found = problemsOf(text);
    assert.ok(found.length > 0, text);
    assert.doesNotMatch(found.join("\n"), /hunter2/);
  }
});

test("no value anywhere makes it fail other than by ConfigError", () => {
  fc.assert(
    fc.property(
      fc.dictionary(
        fc.constantFrom("nodes", "listen", "admin", "routes", "writes", "journal", "app", "__proto__", "x"),
        fc.jsonValue(),
      ),
      (value) => {
        problemsOf(JSON.stringify(value));
      },
    ),
  );
});

test("a file is read beside its own folder; one that can't be read is a ConfigError", (t) => {
  const folder = tempFolder(t);
  const file = join(folder, "proxy.yaml");
  writeFileSync(file, NODE);
  assert.equal(loadConfig(file).dataDir, join(folder, "data"));
  assert.throws(
    () => loadConfig(join(folder, "none.yaml")),
    /expected a readable file at .*none\.yaml, got ENOENT/,
  );
  assert.throws(() => loadConfig(folder), { name: "ConfigError", message: /got EISDIR/ });
  writeFileSync(file, Buffer.from([0xff, 0xfe, 0]));
  assert.throws(() => loadConfig(file), {
    name: "ConfigError",
    message: "config: expected UTF-8 text, got other bytes",
  });
});

test("durations and sizes come back from their text", () => {
  assert.equal(parseDuration("1.5h"), 5_400_000);
  assert.equal(parseDuration("1.5"), null);
  assert.equal(parseDuration(Number.NaN), null);
  assert.equal(parseSize("0.5KiB"), 512);
  assert.equal(formatDuration(90_000), "90s");
  fc.assert(
    fc.property(fc.maxSafeNat(), (value) => {
      assert.equal(parseDuration(formatDuration(value)), value);
      assert.equal(parseSize(formatSize(value)), value);
    }),
  );
});

test("nodes on the balancer's port of another machine or address are no loop", () => {
  for (const [listen, url] of [
    ["127.0.0.1:8080", "http://127.0.0.2:8080"],
    ["0.0.0.0:8080", "http://10.0.0.1:8080"],
    ["0.0.0.0:8080", "http://[::1]:8080"],
    ["0.0.0.0:8080", "http://127.0.0.1:8081"],
    ["10.0.0.2:8080", "http://localhost:8080"],
  ]) {
    const config = parseConfig(`listen: "${listen}"\nnodes: [{ name: a, url: "${url}" }]`, "/nowhere");
    assert.equal(config.nodes.length, 1);
  }
});
