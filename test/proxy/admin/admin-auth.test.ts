import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { AdminAuth, account, loadAuth } from "../../../proxy/admin/admin-auth.ts";
import { readPassword } from "../../../proxy/admin/admin-password.ts";
import { FailedSignIns } from "../../../proxy/admin/failed-sign-ins.ts";
import { ConfigError } from "../../../proxy/config/config.ts";
import { tempFolder } from "../../support/temp-folder.ts";

const auth = new AdminAuth([
  account("admin", "admin", "pass:with:colons ü"),
  account("viewer", "guest", "guest pw"),
]);

function basic(user: string, password: string): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
}

test("the right user and password are the admin's, or the viewer's", () => {
  assert.deepEqual(auth.callerOf(basic("admin", "pass:with:colons ü")), { user: "admin", role: "admin" });
  assert.deepEqual(auth.callerOf(basic("guest", "guest pw")), { user: "guest", role: "viewer" });
});

test("the scheme's case does not count", () => {
  const [, encoded] = basic("guest", "guest pw").split(" ");
  assert.equal(auth.callerOf(`bAsIc ${encoded}`)?.role, "viewer");
});

const WRONG: Record<string, string> = {
  "a wrong password": basic("admin", "other"),
  "a wrong user": basic("root", "pass:with:colons ü"),
  "the other account's password": basic("admin", "guest pw"),
  "a part of the password": basic("admin", "pass:with:colons"),
  "a longer password": basic("admin", "pass:with:colons üü"),
  "another case of the user": basic("Admin", "pass:with:colons ü"),
  "an empty password": basic("admin", ""),
  "nothing at all": "",
  "no colon": `Basic ${Buffer.from("admin").toString("base64")}`,
  "only a colon": basic("", ""),
  "no base64": "Basic !!!",
  "another scheme": "Bearer abc",
  "the bare scheme": "Basic",
  "a very long value": `Basic ${"A".repeat(12_000)}`,
};
for (const [what, authorization] of Object.entries(WRONG)) {
  test(`${what} is nobody`, () => assert.equal(auth.callerOf(authorization), null));
}

test("a missing password file is made: random, 0600, nothing left beside it", (t) => {
  const dir = tempFolder(t);
  const first = readPassword(join(dir, "one"), "admin/passwordFile");
  const second = readPassword(join(dir, "two"), "admin/passwordFile");
  assert.match(first, /^[\w-]{32}$/);
  assert.notEqual(first, second);
  assert.equal(statSync(join(dir, "one")).mode & 0o777, 0o600);
  assert.equal(readFileSync(join(dir, "one"), "utf8"), `${first}\n`);
  assert.deepEqual(readdirSync(dir).sort(), ["one", "two"]);
});

test("a password file is taken as it is, but for its last line break", (t) => {
  const file = join(tempFolder(t), "password");
  for (const ending of ["", "\n", "\r\n"]) {
    writeFileSync(file, ` spaces stay ${ending}`);
    assert.equal(readPassword(file, "admin/passwordFile"), " spaces stay ");
  }
});

const BAD_FILES: readonly (readonly [string, string, RegExp])[] = [
  ["empty", "", /at least 8 characters, got 0/],
  ["too short", "hunter2\n", /at least 8 characters, got 7/],
  ["of two lines", "first line\nsecond line\n", /one line, got control characters/],
  ["binary", "abcdefgh\0ijkl", /control characters/],
];
for (const [what, content, message] of BAD_FILES) {
  test(`a password file that is ${what} is refused with its key, and is not quoted`, (t) => {
    const file = join(tempFolder(t), "password");
    writeFileSync(file, content);
    assert.throws(
      () => readPassword(file, "admin/passwordFile"),
      (error) => {
        assert.ok(error instanceof ConfigError);
        assert.match(error.message, /^admin\/passwordFile: expected /);
        assert.match(error.message, message);
        if (content !== "") assert.ok(!error.message.includes(content.slice(0, 6)));
        return true;
      },
    );
  });
}

test("a password file that can't be read or made is refused with its path", (t) => {
  const dir = tempFolder(t);
  assert.throws(() => readPassword(dir, "admin/passwordFile"), /expected a readable file at .*, got EISDIR/);
  const missing = join(dir, "no", "such", "folder");
  assert.throws(
    () => readPassword(missing, "admin/passwordFile"),
    /expected to make a file at .*, got ENOENT/,
  );
});

test("both password files are made when they are missing", (t) => {
  const dir = tempFolder(t);
  const viewer = { user: "guest", passwordFile: join(dir, "viewer") };
  const loaded = loadAuth({ user: "admin", passwordFile: join(dir, "admin"), viewer });
  const password = readFileSync(join(dir, "viewer"), "utf8").trim();
  assert.equal(loaded.callerOf(basic("guest", password))?.role, "viewer");
  assert.equal(loaded.callerOf(basic("admin", password)), null);
});

test("wrong guesses are answered later and later, up to a bound; a few typing errors are free", () => {
  const failures = new FailedSignIns(() => 0);
  const delays = Array.from({ length: 12 }, () => failures.failed("10.0.0.1"));
  assert.deepEqual(delays, [0, 0, 0, 100, 200, 400, 800, 1600, 2000, 2000, 2000, 2000]);
  assert.equal(failures.failed("10.0.0.2"), 0, "another address has its own count");
});

test("failures are forgotten after a minute", () => {
  let now = 0;
  const failures = new FailedSignIns(() => now);
  for (let index = 0; index < 6; index++) failures.failed("10.0.0.1");
  now = 61_000;
  assert.equal(failures.failed("10.0.0.1"), 0);
});

test("failures of a million addresses take bounded memory", () => {
  const failures = new FailedSignIns(() => 0);
  for (let index = 0; index < 1_000_000; index++) failures.failed(`10.${index}`);
  assert.equal(failures.size, 1024);
});

test("only so many wrong answers are held back at a time", async () => {
  const failures = new FailedSignIns();
  const held = Array.from({ length: 32 }, () => failures.hold(60_000));
  const startedAt = performance.now();
  await failures.hold(60_000);
  assert.ok(performance.now() - startedAt < 30_000);
  assert.equal(held.length, 32);
});
