import assert from "node:assert/strict";
import { test } from "node:test";
import { LbError } from "../../proxy/errors.ts";
import { Log, type LogLevel, pathOf } from "../../proxy/log.ts";

function create({ level = "info" as LogLevel, access = true } = {}) {
  const lines: Record<string, unknown>[] = [];
  let flushed = 0;
  const out = { write: (line: string) => void lines.push(JSON.parse(line)), flush: () => void flushed++ };
  return { log: new Log({ level, access }, out), lines, flushes: () => flushed };
}

const LINE = {
  id: "r1",
  client: "127.0.0.1",
  method: "GET",
  target: "/login",
  route: "one-2",
  status: 200,
  ms: 1.5,
};

test("a request's line has its path, and never its query", () => {
  const { log, lines } = create();
  log.request({ ...LINE, target: "/login?username=ann&password=secret1", node: "app1" });
  assert.equal(lines[0]?.msg, "request");
  assert.equal(lines[0]?.path, "/login");
  assert.equal(lines[0]?.node, "app1");
  assert.ok(!JSON.stringify(lines).includes("secret1"));
  assert.ok(!("target" in (lines[0] ?? {})));
});

test("a path ends at the query or the fragment, whichever comes first", () => {
  assert.equal(pathOf("/a?b#c"), "/a");
  assert.equal(pathOf("/a#c?b"), "/a");
  assert.equal(pathOf("/a"), "/a");
  assert.equal(pathOf("?x"), "");
});

test("without access lines everything else is still logged", () => {
  const { log, lines } = create({ access: false });
  log.request(LINE);
  log.nodeState("app1", "in-sync", "down", "3 checks failed");
  assert.deepEqual(
    lines.map(({ msg }) => msg),
    ["node state"],
  );
});

test("a level above info hides access lines, and not warnings", () => {
  const { log, lines } = create({ level: "warn" });
  log.request(LINE);
  log.nodeState("app1", "in-sync", "down", "3 checks failed");
  log.nodeState("app1", "down", "catching-up", "came up");
  assert.deepEqual(
    lines.map(({ to }) => to),
    ["down"],
  );
});

test("access lines may wait, all others go out at once", () => {
  const { log, flushes } = create();
  log.request(LINE);
  assert.equal(flushes(), 0);
  log.ready({ listen: "127.0.0.1:8080", admin: "127.0.0.1:1936", head: 0, nodes: 3, ms: 12 });
  assert.equal(flushes(), 1);
});

test("a supervisor finds the line that says ready", () => {
  const { log, lines } = create();
  log.ready({ listen: "127.0.0.1:8080", admin: "127.0.0.1:1936", head: 7, nodes: 3, ms: 12 });
  assert.equal(lines[0]?.msg, "ready");
  assert.equal(lines[0]?.listen, "127.0.0.1:8080");
  assert.equal(lines[0]?.level, 30);
});

test("a parser's error, which quotes what it could not read, is logged without its message", () => {
  const { log, lines } = create();
  try {
    JSON.parse("password=secret2");
  } catch (error) {
    log.bug("test", error);
    log.bug("test", new LbError("internal_error", "an unexpected fault", { cause: error }));
  }
  const text = JSON.stringify(lines);
  assert.ok(!text.includes("secret2"));
  assert.match(text, /SyntaxError/);
  assert.match(text, /log\.test\.ts/, "where it came from is kept");
});

test("errors of the system and of our table keep their message and cause", () => {
  const { log, lines } = create();
  const cause = Object.assign(new Error("connect ECONNREFUSED 127.0.0.1:1"), {
    code: "ECONNREFUSED",
    syscall: "connect",
  });
  log.legFailed({
    node: "app1",
    outcome: "connect",
    attempt: 1,
    ms: 2,
    error: new LbError("all_nodes_failed", "expected an answer, got none", { cause }),
  });
  assert.deepEqual(lines[0]?.error, {
    type: "LbError",
    code: "all_nodes_failed",
    message: "expected an answer, got none",
    cause: { type: "Error", code: "ECONNREFUSED", message: "connect ECONNREFUSED 127.0.0.1:1" },
  });
});

test("what is thrown and no error is logged by its type only", () => {
  const { log, lines } = create();
  log.bug("test", "secret3");
  assert.deepEqual(lines[0]?.error, { type: "string" });
});

test("foreign text can't make a line of its own", () => {
  const { log, lines } = create();
  log.nodeState("app1", "in-sync", "down", 'x\n{"msg":"ready"}');
  assert.equal(lines.length, 1);
  assert.equal(lines[0]?.msg, "node state");
});
