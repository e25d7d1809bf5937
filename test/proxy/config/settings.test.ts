import assert from "node:assert/strict";
import { test } from "node:test";
import { parseConfig } from "../../../proxy/config/config.ts";
import { changedSettings, configSettings, restartProblems } from "../../../proxy/config/settings.ts";
import { configKeys } from "../../support/config-keys.ts";

const NODES = "nodes: [{ name: a, url: 'http://h:1' }, { name: b, url: 'http://h:2' }]";

function changes(before: string, after: string): string[] {
  const [now, next] = [before, after].map((text) => parseConfig(`${NODES}\n${text}`, "/etc/lb"));
  assert.ok(now && next);
  return changedSettings(now, next).map(({ key }) => key);
}

test("every setting is there, and says what it means and whether SIGHUP applies it", () => {
  const settings = configSettings();
  const keys = settings.map(({ key }) => key);
  assert.deepEqual([...new Set(keys)], keys, "each once");
  for (const key of configKeys()) assert.ok(keys.includes(key), key);
  for (const { key, schema, forms } of settings) {
    assert.ok(schema.description, `${key} has a description`);
    assert.equal(typeof schema.live, "boolean", `${key} is marked`);
    for (const form of forms) assert.equal(form.live ?? schema.live, schema.live, `${key} is marked once`);
  }
});

test("what only a new start can change", () => {
  const fixed = configSettings().filter(({ live }) => !live);
  assert.deepEqual(
    fixed.map(({ key }) => key),
    [
      "cluster",
      "listen",
      "listen.address",
      "listen.tls",
      "admin.listen",
      "admin.tls",
      "dataDir",
      "writes.window",
      "journal.keyFile",
      "journal.headFile",
      "limits.header",
      "limits.readConnections",
      "limits.retryBudget",
      "tracing",
      "tracing.endpoint",
      "tracing.sampleRatio",
      "tracing.headersFile",
    ],
  );
});

test("the same values in other words are no change", () => {
  const long = `listen: { address: "127.0.0.1:8080" }\nwrites: { sendTimeout: 2000 }\nadmin: { viewer: null }`;
  assert.deepEqual(changes("", long), []);
  assert.deepEqual(changes("journal: { keyFile: k }", "journal: { keyFile: ./k }"), []);
});

test("a default that another setting changes is a change", () => {
  assert.deepEqual(changes("", "app: { snapshot: /s }"), ["app.snapshot", "journal.retention"]);
});

test("every change that needs a restart is named by its path", () => {
  const keys = configSettings().filter(({ key }) =>
    ["log.level", "dataDir", "journal.keyFile"].includes(key),
  );
  assert.deepEqual(restartProblems(keys), [
    "dataDir: expected no change while running, got another value; restart to apply it",
    "journal/keyFile: expected no change while running, got another value; restart to apply it",
  ]);
});
