/** Every setting of the config: SIGHUP applies a change of it, or refuses it by its own key. */

import assert from "node:assert/strict";
import { copyFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { certificateIn } from "../support/certificate.ts";
import { configKeys } from "../support/config-keys.ts";
import { type ProxyProcess, startProxy } from "../support/lb-proxy.ts";
import { tempFolder } from "../support/temp-folder.ts";

/** The settings that only a new start can change. All others are applied. */
const NEEDS_RESTART = [
  "cluster",
  "listen.address",
  "admin.listen",
  "dataDir",
  "writes.window",
  "journal.keyFile",
  "journal.headFile",
  "limits.header",
  "limits.readConnections",
  "limits.retryBudget",
  "tracing.endpoint",
  "tracing.sampleRatio",
  "tracing.headersFile",
];

/** Another value for each setting, at its place in `base`. */
const OTHER: Readonly<Record<string, unknown>> = {
  cluster: "other",
  "listen.address": "127.0.0.1:1",
  "listen.tls.cert": "copy.cert.pem",
  "listen.tls.key": "copy.key.pem",
  "admin.listen": "127.0.0.1:2",
  "admin.tls.cert": "copy.cert.pem",
  "admin.tls.key": "copy.key.pem",
  "admin.user": "root",
  "admin.passwordFile": "other.password",
  "admin.viewer.user": "visitor",
  "admin.viewer.passwordFile": "another.password",
  dataDir: "other-data",
  trustedProxies: ["10.0.0.0/8"],
  nodes: [{ name: "app1", url: "http://127.0.0.1:3" }],
  "nodes[1].name": "app3",
  "nodes[1].url": "http://127.0.0.1:5",
  "nodes[1].empty": true,
  routes: [{ match: { methods: ["GET"] }, to: "one" }],
  "routes[0].name": "w",
  "routes[0].match.methods": ["POST", "PUT"],
  "routes[0].match.paths": ["/register"],
  "routes[0].match.prefixes": ["/api"],
  "routes[0].caseSensitive": false,
  "routes[2].to": "one",
  "routes[1].balance": "leastconn",
  "routes[1].firstByteTimeout": "2s",
  "routes[1].timeout": "20s",
  "routes[0].ack": "one",
  "routes[0].orderBy": "user",
  "routes[0].acksHeader": false,
  "health.interval": "2s",
  "health.timeout": "400ms",
  "health.rise": 4,
  "health.fall": 4,
  "health.path": "/healthz",
  "app.snapshot": "/snapshot",
  "app.digest": "/digest",
  "writes.sendTimeout": "1s",
  "writes.ackTimeout": "6s",
  "writes.attemptTimeout": "7s",
  "writes.minInSync": 2,
  "writes.window": 8,
  "writes.maxAttempts": 9,
  "writes.backoff.min": "60ms",
  "writes.backoff.max": "20s",
  "writes.idempotencyWindow": "1h",
  "journal.keyFile": "other.key",
  "journal.headFile": "other.head",
  "journal.maxSize": "2GiB",
  "journal.retention": "48h",
  "limits.header": "8KiB",
  "limits.body": "2MiB",
  "limits.bodies": "32MiB",
  "limits.answer": "2MiB",
  "limits.readBody": "2MiB",
  "limits.writesOpen": 500,
  "limits.readsOpen": 500,
  "limits.headerTimeout": "5s",
  "limits.bodyTimeout": "5s",
  "limits.manualCopyTimeout": "2h",
  "limits.idleTimeout": "5s",
  "limits.connections": 500,
  "limits.readConnections": 16,
  "limits.retryBudget": 0.1,
  "log.level": "debug",
  "log.access": false,
  "log.sample": 0.5,
  "tracing.endpoint": "http://127.0.0.1:7",
  "tracing.sampleRatio": 0.5,
  "tracing.headersFile": "other.headers",
  drainTimeout: "2s",
};

interface Base {
  readonly [section: string]: unknown;
}

/** Has something at the place of every setting. The nodes are not there: nothing is asked of them. */
function base(folder: string): Base {
  const tls = certificateIn(folder, "lb");
  copyFileSync(tls.cert, join(folder, "copy.cert.pem"));
  copyFileSync(tls.key, join(folder, "copy.key.pem"));
  for (const name of ["collector.headers", "other.headers"])
    writeFileSync(join(folder, name), "x-tenant: night\n");
  return {
    listen: { address: "127.0.0.1:0", tls: { ...tls } },
    admin: {
      listen: "127.0.0.1:0",
      tls,
      passwordFile: "admin.password",
      viewer: { user: "guest", passwordFile: "viewer.password" },
    },
    nodes: [
      { name: "app1", url: "http://127.0.0.1:3" },
      { name: "app2", url: "http://127.0.0.1:4" },
    ],
    routes: [
      { match: { methods: ["POST"], paths: ["/register", "/changePassword"] }, to: "all" },
      { match: { methods: ["GET"] }, to: "one" },
      { name: "head", match: { methods: ["HEAD"] }, to: "all" },
    ],
    journal: { retention: "24h" },
    tracing: { endpoint: "http://127.0.0.1:6", headersFile: "collector.headers" },
  };
}

/** A copy of `config` with `value` at `key`. */
function changed(config: Base, key: string, value: unknown): Base {
  const copy = structuredClone(config);
  const path = key.split(/\.|\[|\]\.?/).filter((part) => part !== "");
  const last = path.pop() ?? "";
  let at = copy as Record<string, unknown>;
  for (const part of path) {
    at[part] ??= {};
    at = at[part] as Record<string, unknown>;
  }
  at[last] = value;
  return copy;
}

async function start(t: TestContext): Promise<{ config: Base; reload: (to: Base) => Promise<Reloaded> }> {
  const folder = tempFolder(t);
  const file = join(folder, "lb.json");
  const config = base(folder);
  writeFileSync(file, JSON.stringify(config));
  const proxy = await startProxy(t, file);
  return { config, reload: (to) => reload(proxy, file, to) };
}

interface Reloaded {
  readonly changes?: readonly string[];
  readonly problems?: readonly string[];
}

/** What the log says of the next SIGHUP. */
async function reload(proxy: ProxyProcess, file: string, to: Base): Promise<Reloaded> {
  writeFileSync(file, JSON.stringify(to));
  const next = proxy.nextLine(({ msg }) => msg === "reloaded" || msg === "reload refused");
  proxy.signal("SIGHUP");
  return (await next) as Reloaded;
}

test("the table below has another value for every setting", () => {
  const keys = Object.keys(OTHER).map((key) => key.replace(/\[\d+\]/g, "[]"));
  assert.deepEqual(keys.toSorted(), configKeys().toSorted());
});

test("SIGHUP applies a changed setting and says so, or refuses it by its own key", async (t) => {
  const { config, reload } = await start(t);
  for (const [at, value] of Object.entries(OTHER)) {
    const key = at.replace(/\[\d+\]/g, "[]");
    await t.test(at, async () => {
      const { problems, changes } = await reload(changed(config, at, value));
      const back = await reload(config);
      assert.equal(back.problems, undefined, "and the way back");
      if (NEEDS_RESTART.includes(key)) {
        const path = key.replaceAll(".", "/");
        const problem = `${path}: expected no change while running, got another value; restart to apply it`;
        assert.deepEqual(problems, [problem]);
      } else {
        assert.equal(problems, undefined);
        assert.equal(changes?.[0], key);
      }
    });
  }
});

test("TLS that comes or goes needs a restart, at both listeners", async (t) => {
  const { config, reload } = await start(t);
  for (const [section, path] of [
    ["listen", "listen/tls"],
    ["admin", "admin/tls"],
  ] as const) {
    const { problems } = await reload(changed(config, `${section}.tls`, null));
    assert.deepEqual(problems, [
      `${path}: expected no change while running, got another value; restart to apply it`,
    ]);
  }
});

test("a viewer may come and go", async (t) => {
  const { config, reload } = await start(t);
  const viewer = ["admin.viewer", "admin.viewer.user", "admin.viewer.passwordFile"];
  assert.deepEqual(await changesOf(reload(changed(config, "admin.viewer", null))), viewer);
  assert.deepEqual(await changesOf(reload(config)), viewer);
});

test("setting app.snapshot changes what journal.retention is by default, and both are applied", async (t) => {
  const { config, reload } = await start(t);
  const plain = { ...config, journal: {} };
  await reload(plain);
  const changes = await changesOf(reload(changed(plain, "app.snapshot", "/snapshot")));
  assert.deepEqual(changes, ["app.snapshot", "journal.retention"]);
});

async function changesOf(reloaded: Promise<Reloaded>): Promise<readonly string[] | undefined> {
  const { changes, problems } = await reloaded;
  assert.equal(problems, undefined);
  return changes;
}
