import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { UserError } from "../../../cli/errors.ts";
import { keepOwnApp, keptApp } from "../../../cli/hosts/own-app.ts";
import { tempFolder } from "../../support/temp-folder.ts";

const COMMAND = "node server.js";

const CHANGES: Readonly<Record<string, (app: string) => void>> = {
  "another content": (app) => writeFileSync(join(app, "server.js"), "2"),
  "another file": (app) => writeFileSync(join(app, "lib/more.js"), ""),
  "a file less": (app) => rmSync(join(app, "lib/b.js")),
  "an empty folder": (app) => mkdirSync(join(app, "data")),
  "a file that may be executed": (app) => chmodSync(join(app, "start.sh"), 0o755),
  "a link that leads elsewhere": (app) => {
    rmSync(join(app, "current"));
    symlinkSync("server.js", join(app, "current"));
  },
};

for (const [what, change] of Object.entries(CHANGES)) {
  test(`another release: ${what}`, (t) => {
    const { app, keep } = bed(t);
    const before = keep();
    change(app);
    assert.notEqual(keep(), before);
  });
}

test("another release: another command", (t) => {
  const { keep } = bed(t);
  assert.notEqual(keep(), keep("node other.js"));
});

test("the same release: after a commit, another umask, or in another place", (t) => {
  const { app, keep } = bed(t);
  const before = keep();
  mkdirSync(join(app, ".git"));
  writeFileSync(join(app, ".git/index"), "what git status writes");
  chmodSync(join(app, "server.js"), 0o600);
  assert.equal(keep(), before);
  assert.equal(bed(t).keep(), before);
});

test("what was kept is unpacked as it was, whatever the folder holds by then; readable by its owner alone", (t) => {
  const { app, keep, folderOf } = bed(t);
  const name = keep();
  writeFileSync(join(app, "server.js"), "2");
  keep("node other.js");
  const kept = keptApp(folderOf(name));
  assert.ok(kept);
  assert.equal(kept.command, COMMAND);
  assert.equal(statSync(kept.archive).mode & 0o777, 0o600);
  const there = tempFolder(t);
  execFileSync("tar", ["--extract", `--file=${kept.archive}`, `--directory=${there}`]);
  assert.equal(readFileSync(join(there, "server.js"), "utf8"), "1");
  assert.equal(readFileSync(join(there, "current"), "utf8"), "a", "the link leads to lib/a.js");
  assert.equal(statSync(join(there, "start.sh")).mode & 0o111, 0);
  assert.ok(statSync(join(there, "-odd\nname")).isFile());
});

test("neither history nor the state of a cluster is packed: lbctl.yaml may be in the app's folder", (t) => {
  const { app, keep, folderOf } = bed(t);
  mkdirSync(join(app, ".lbctl/shop"), { recursive: true });
  writeFileSync(join(app, ".lbctl/shop/admin.password"), "secret");
  mkdirSync(join(app, "lib/.git"), { recursive: true });
  writeFileSync(join(app, "lib/.git/config"), "");
  const archive = keptApp(folderOf(keep()))?.archive ?? "";
  const listed = execFileSync("tar", ["--list", `--file=${archive}`], { encoding: "utf8" });
  assert.doesNotMatch(listed, /\.git|\.lbctl/);
});

test("no folder: said, with where it was looked for", (t) => {
  const { folderOf } = bed(t);
  assert.throws(
    () => keepOwnApp("/nowhere/app", COMMAND, folderOf),
    (error) => {
      assert.ok(error instanceof UserError);
      assert.equal(error.code, "no_app_directory");
      assert.match(error.message, /\/nowhere\/app/);
      return true;
    },
  );
});

test("a folder that changes while it is packed: said, and nothing is kept under the name of what it was", (t) => {
  const { app, keep, folderOf } = bed(t);
  const real = execFileSync("sh", ["-c", "command -v tar"], { encoding: "utf8" }).trim();
  insteadOfTar(t, `echo 2 > "${join(app, "server.js")}"; exec ${real} "$@"`);
  assert.throws(() => keep(), { code: "app_changed" });
  assert.deepEqual(
    readdirSync(folderOf("")).map((name) => keptApp(folderOf(name))),
    [null],
  );
});

test("what tar says where it fails is passed on", (t) => {
  const { keep } = bed(t);
  insteadOfTar(t, "echo 'tar: No space left on device' >&2; exit 2");
  assert.throws(() => keep(), { code: "app_not_packable", problems: ["tar: No space left on device"] });
});

test("a name that is not UTF-8: said, with the folder that it is in", (t) => {
  const { app, keep } = bed(t);
  writeFileSync(Buffer.concat([Buffer.from(join(app, "lib/")), Buffer.from([0xe9])]), "");
  assert.throws(
    () => keep(),
    (error) => {
      assert.ok(error instanceof UserError);
      assert.equal(error.code, "app_not_packable");
      assert.match(error.message, /expected names in UTF-8 in .*\/lib, got /);
      return true;
    },
  );
});

/** @param script what stands for the program, until the test ends */
function insteadOfTar(t: TestContext, script: string): void {
  const folder = tempFolder(t);
  writeFileSync(join(folder, "tar"), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  const before = process.env.PATH;
  process.env.PATH = `${folder}:${before}`;
  t.after(() => {
    process.env.PATH = before;
  });
}

/** An app with everything that a folder may hold. */
function bed(t: TestContext) {
  const [app, state] = [tempFolder(t), tempFolder(t)];
  mkdirSync(join(app, "lib"));
  writeFileSync(join(app, "server.js"), "1");
  writeFileSync(join(app, "lib/a.js"), "a");
  writeFileSync(join(app, "lib/b.js"), "b");
  writeFileSync(join(app, "start.sh"), "#!/bin/sh\n", { mode: 0o644 });
  writeFileSync(join(app, "-odd\nname"), "");
  symlinkSync("lib/a.js", join(app, "current"));
  const folderOf = (name: string) => join(state, name);
  return { app, folderOf, keep: (command = COMMAND) => keepOwnApp(app, command, folderOf) };
}
