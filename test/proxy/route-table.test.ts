import assert from "node:assert/strict";
import { test } from "node:test";
import { parseConfig } from "../../proxy/config/config.ts";
import { RouteTable } from "../../proxy/route-table.ts";

function table(routes: string): RouteTable {
  const text = `nodes: [{ name: app1, url: "http://127.0.0.1:1" }]\n${routes}`;
  return new RouteTable(parseConfig(text, "/nowhere").routes);
}

function found(routes: RouteTable, method: string, path: string): string {
  const match = routes.match(method, path);
  return match.kind === "route"
    ? match.route.name
    : match.kind === "no-method"
      ? match.allow.join()
      : match.kind;
}

const DEFAULT = table("");
const ROUTED = table(`routes:
  - { name: exact, match: { methods: [POST], paths: [/a] }, to: all }
  - { name: loose, match: { methods: [POST], paths: [/B], prefixes: [/Api/] }, caseSensitive: false, to: all }
  - { name: under, match: { methods: [GET], prefixes: [/files] }, to: one }
  - { name: later, match: { methods: [GET, POST], prefixes: [/files, /a] }, to: one }
`);

const TABLE: readonly [RouteTable, string, string, string][] = [
  [DEFAULT, "POST", "/register", "all-1"],
  [DEFAULT, "POST", "/changePassword", "all-1"],
  [DEFAULT, "GET", "/anything", "one-2"],
  [DEFAULT, "HEAD", "/register", "one-2"],
  [DEFAULT, "POST", "/Register", "GET,HEAD"],
  [DEFAULT, "POST", "/register/", "GET,HEAD"],
  [DEFAULT, "DELETE", "/register", "POST,GET,HEAD"],
  [ROUTED, "POST", "/a", "exact"],
  [ROUTED, "POST", "/a/b", "later"],
  [ROUTED, "POST", "/A", "no-route"],
  [ROUTED, "POST", "/b", "loose"],
  [ROUTED, "POST", "/B", "loose"],
  [ROUTED, "POST", "/API/x", "loose"],
  [ROUTED, "POST", "/api", "no-route"],
  [ROUTED, "GET", "/files", "under"],
  [ROUTED, "GET", "/files/", "under"],
  [ROUTED, "GET", "/filesystem", "no-route"],
  [ROUTED, "POST", "/files/x", "later"],
  [ROUTED, "PUT", "/files/x", "GET,POST"],
  [ROUTED, "GET", "/", "no-route"],
];

for (const [routes, method, path, expected] of TABLE) {
  test(`${method} ${path} is ${expected}`, () => {
    // Twice: the second time out of what it remembers.
    assert.deepEqual([found(routes, method, path), found(routes, method, path)], [expected, expected]);
  });
}

test("methods are matched in capitals only", () => {
  assert.equal(found(DEFAULT, "get", "/"), "GET,HEAD");
});

test("what is remembered is bounded, and right beyond it", () => {
  const routes = table("");
  for (let n = 0; n < 3000; n++) assert.equal(found(routes, "GET", `/path${n}`), "one-2");
  assert.equal(found(routes, "GET", "/path2999"), "one-2");
});
