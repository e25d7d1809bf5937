import assert from "node:assert/strict";
import { test } from "node:test";
import { LbError } from "../../proxy/errors.ts";
import { Log, type LogLevel, pathOf } from "../../proxy/log.ts";
import { COMMON, LEVELS, LINES } from "../../proxy/log-table.ts";
import { READ, sayAll } from "../support/log-samples.ts";

function create({ level = "info" as LogLevel, access = true, sample = 1, random = Math.random } = {}) {
  const lines: Record<string, unknown>[] = [];
  let flushed = 0;
  const out = { write: (line: string) => void lines.push(JSON.parse(line)), flush: () => void flushed++ };
  return { log: new Log({ level, access, sample }, out, random), lines, flushes: () => flushed };
}

test("a request's line has its path, and never its query", () => {
  const { log, lines } = create();
  log.request({ ...READ, target: "/login?username=ann&password=secret1", node: "app1" });
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
  assert.equal(pathOf("*"), "*");
});

test("a target that names a host, and so perhaps a user and a password, has no path", () => {
  for (const target of ["http://ada:secret@x/login", "HTTP://ada:secret@x", "ada:secret@x:443"])
    assert.equal(pathOf(target), "", target);
});

test("without access lines everything else is still logged", () => {
  const { log, lines } = create({ access: false });
  log.request(READ);
  log.nodeState("app1", "in-sync", "down", "3 checks failed");
  assert.deepEqual(
    lines.map(({ msg }) => msg),
    ["node state"],
  );
});

test("a level above info hides access lines, and not warnings", () => {
  const { log, lines } = create({ level: "warn" });
  log.request(READ);
  log.nodeState("app1", "in-sync", "down", "3 checks failed");
  log.nodeState("app1", "down", "catching-up", "came up");
  assert.deepEqual(
    lines.map(({ to }) => to),
    ["down"],
  );
});

test("access lines may wait, all others go out at once", () => {
  const { log, flushes } = create();
  log.request(READ);
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
  log.bug("test", new LbError("all_nodes_failed", "expected an answer, got none", { cause }));
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

test("of reads that succeeded a share is logged, and says which; all else always is", () => {
  let turn = 0;
  const { log, lines } = create({ sample: 0.25, random: () => (turn++ % 4) / 4 });
  for (let n = 0; n < 8; n++) log.request({ ...READ, id: `read-${n}` });
  log.request({ ...READ, id: "missing", status: 404 });
  log.request({ ...READ, id: "failed", status: 502, code: "all_nodes_failed" });
  log.request({ ...READ, id: "left", status: 0 });
  log.request({ ...READ, id: "write", method: "POST", status: 201, seq: 7 });
  assert.deepEqual(
    lines.map(({ id, sample }) => [id, sample]),
    [
      ["read-0", 0.25],
      ["read-4", 0.25],
      ["missing", undefined],
      ["failed", undefined],
      ["left", undefined],
      ["write", undefined],
    ],
  );
});

test("share 0 hides every read that succeeded, share 1 none, whatever the dice say", () => {
  const none = create({ sample: 0, random: () => 0 });
  none.log.request(READ);
  assert.equal(none.lines.length, 0);
  const all = create({ sample: 1, random: () => 0.999_999 });
  all.log.request(READ);
  assert.equal(all.lines.length, 1);
});

test("level, access lines and share can change while it runs", () => {
  const { log, lines } = create();
  log.configure({ level: "warn", access: true, sample: 1 });
  log.request(READ);
  log.configure({ level: "info", access: true, sample: 0 });
  log.request(READ);
  log.configure({ level: "info", access: true, sample: 1 });
  log.request(READ);
  assert.equal(lines.length, 1);
});

test("each kind of line has the level and the fields that docs/logs.md tells of, and no others", () => {
  const { log, lines } = create({ sample: 0.5, random: () => 0 });
  sayAll(log);
  const said = Map.groupBy(lines, ({ msg }) => String(msg));
  assert.deepEqual(
    [...said.keys()].toSorted(),
    Object.values(LINES)
      .map(({ msg }) => msg)
      .toSorted(),
  );
  for (const { msg, levels, fields } of Object.values(LINES)) {
    const these = said.get(msg) ?? [];
    const had = new Set(these.flatMap((line) => Object.keys(line)));
    assert.deepEqual([...had].toSorted(), [...Object.keys(COMMON), ...Object.keys(fields)].toSorted(), msg);
    const numbers = levels.map((level) => LEVELS[level].number);
    assert.deepEqual([...new Set(these.map(({ level }) => level))].toSorted(), numbers.toSorted(), msg);
  }
});
