import assert from "node:assert/strict";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { COMMANDS } from "../../cli/commands/index.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { type Ran, runLbctl } from "./lbctl.ts";

/** Arguments, exit code, and what must be said. */
const WRONG: readonly (readonly [readonly string[], number, RegExp])[] = [
  [["foo"], 2, /expected a command of lbctl, got "foo"/],
  [["deploy", "now"], 2, /got "deploy now"/],
  [["deploy", "--foo"], 2, /Nonexistent flag: --foo/],
  [["deploy", "--config"], 2, /--config expects a value/],
  [["deploy", "--config", "none.yaml"], 2, /expected a config file at .*none\.yaml, got ENOENT/],
  [["deploy", "--config", "."], 2, /expected a config file at .*, got a directory/],
  [["scale"], 2, /Missing required flag nodes/],
  [["scale", "7"], 2, /Missing required flag nodes|Unexpected argument: 7|got "scale 7"/],
  [
    ["scale", "--nodes", "10"],
    2,
    /--nodes: expected a whole number from 1 to 9, got 10 \(every write goes to every node/,
  ],
  [["scale", "--nodes", "0"], 2, /whole number from 1 to 9, got 0/],
  [["scale", "--nodes", "-1"], 2, /whole number from 1 to 9, got -1/],
  [["scale", "--nodes", "3.5"], 2, /whole number from 1 to 9, got 3\.5/],
  [["scale", "--nodes", "seven"], 2, /whole number from 1 to 9, got seven/],
  [["scale", "--nodes", ""], 2, /whole number from 1 to 9/],
  [["scale", "--nodes", "1e1"], 2, /whole number from 1 to 9/],
  [["scale", "--nodes", "3"], 1, /expected a deployed cluster "default", got none/],
  [["status"], 1, /expected a deployed cluster "default", got none/],
  [["status", "--interval", "1"], 2, /Nonexistent flag: --interval/],
  [["nodes", "list"], 1, /expected a deployed cluster/],
  [["nodes", "foo"], 2, /got "nodes foo"/],
  [["nodes", "drain"], 2, /Missing 1 required arg/],
  [["nodes", "resync", "app1", "--manual", "--done"], 2, /--done|--manual/],
  [["writes", "show"], 2, /Missing 1 required arg/],
  [["writes", "show", "x"], 2, /SEQ: expected the number of a write .*, got "x"/],
  [["writes", "retry", "0"], 2, /SEQ: expected the number of a write .*, got "0"/],
  [["writes", "skip", "1.5"], 2, /SEQ: expected the number of a write/],
  [["writes", "list", "--limit", "0"], 2, /--limit/],
  [["logs", "--lines", "x"], 2, /Expected an integer but received: x/],
  [["logs"], 1, /expected logs of cluster "default", got none/],
  [["verify"], 1, /expected a deployed cluster/],
  [["dashboard"], 1, /expected a deployed cluster/],
  [["destroy", "all"], 2, /got "destroy all"/],
];

for (const [args, code, said] of WRONG) {
  test(`refused: lbctl ${args.join(" ")}`, async (t) => {
    const ran = await lbctl(tempFolder(t), ...args);
    assert.equal(ran.code, code, ran.stderr);
    assert.match(ran.stderr, said);
    assert.doesNotMatch(ran.stderr, /\n\s+at /, "a stack trace");
    assert.match(ran.stderr, /\nNext:\n {2}\S/);
  });
}

test("a config with problems: all of them, exit code 2", async (t) => {
  const dir = tempFolder(t);
  await writeFile(join(dir, "lbctl.yaml"), "nodes: 10\nfoo: 1\n");
  const ran = await lbctl(dir, "deploy");
  assert.equal(ran.code, 2);
  assert.match(ran.stderr, /^lbctl: lbctl.yaml has 2 problems\n {2}nodes: .*\n {2}foo: /);
});

test("with --json an error is JSON, too", async (t) => {
  const ran = await lbctl(tempFolder(t), "status", "--json");
  assert.equal(ran.code, 1);
  const { error } = JSON.parse(ran.stdout) as { error: { message: string; next: string[] } };
  assert.match(error.message, /expected a deployed cluster/);
  assert.deepEqual(error.next, ["lbctl deploy"]);
});

test("every command has --help with a summary and examples", async (t) => {
  for (const [name, command] of Object.entries(COMMANDS)) {
    assert.ok(command.summary, name);
    assert.ok(command.examples.length > 0, name);
    assert.ok("config" in command.flags, name);
  }
  const { stdout } = await lbctl(tempFolder(t), "nodes", "drain", "--help");
  assert.match(stdout, /EXAMPLES\n {2}\$ lbctl nodes drain app2/);
});

test("help, and a topic without a command, show what there is", async (t) => {
  const dir = tempFolder(t);
  assert.match((await lbctl(dir)).stdout, /COMMANDS/);
  assert.match((await lbctl(dir, "nodes")).stdout, /nodes drain/);
  assert.match((await lbctl(dir, "help", "scale")).stdout, /lbctl scale -n 2/);
  assert.match((await lbctl(dir, "--version")).stdout, /^lbctl\/\d/);
});

test("init writes a commented file once, and --print only shows it", async (t) => {
  const dir = tempFolder(t);
  assert.match((await lbctl(dir, "init", "--print")).stdout, /^# A cluster of lbctl/);
  assert.equal((await lbctl(dir, "init")).code, 0);
  assert.match(await readFile(join(dir, "lbctl.yaml"), "utf8"), /^nodes: 3$/m);
  const again = await lbctl(dir, "init");
  assert.equal(again.code, 1);
  assert.match(again.stderr, /it stays as it is/);
});

test("doctor names what is missing and what mends it", async (t) => {
  const dir = tempFolder(t);
  await writeFile(join(dir, "lbctl.yaml"), "ports: { traffic: 1 }\n");
  const ran = await lbctl(dir, "doctor");
  assert.match(ran.stdout, /✔ {2}Node\.js/);
  assert.match(ran.stdout, /TARGET local/);
});

for (const [owner, files] of [
  ["hosts", { "cluster.json": '{"format":1,"target":"hosts","nodes":[]}' }],
  ["aws", { "terraform/terraform.tfstate": "{}" }],
  ["aws", { target: "aws\n" }],
] as const) {
  test(`what target ${owner} began (${Object.keys(files)}) is not deleted or deployed over by target local`, async (t) => {
    const dir = tempFolder(t);
    await writeFile(join(dir, "lbctl.yaml"), "name: shop\n");
    for (const [file, content] of Object.entries(files)) {
      const path = join(dir, ".lbctl/shop", file);
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, content);
    }
    for (const command of [["destroy", "--yes"], ["deploy"]]) {
      const ran = await runLbctl(dir, [...command, "--json"]);
      assert.equal(ran.code, 1);
      const { error } = JSON.parse(ran.stdout) as { error: { code: string; next: string[] } };
      assert.equal(error.code, "other_target");
      assert.match(error.next.join("\n"), new RegExp(`set target: ${owner} in lbctl\\.yaml again`));
    }
    for (const [file, content] of Object.entries(files))
      assert.equal(await readFile(join(dir, ".lbctl/shop", file), "utf8"), content);
  });
}

test("a first deploy that reached no host leaves the cluster's name to any target", async (t) => {
  const dir = tempFolder(t);
  const silent = "{ address: 127.0.0.1, port: 1 }";
  const hosts = `hosts: { balancer: ${silent}, apps: [{ address: 127.0.0.2, port: 1 }] }\n`;
  await writeFile(join(dir, "lbctl.yaml"), `name: shop\ntarget: hosts\n${hosts}`);
  assert.equal((await runLbctl(dir, ["deploy"])).code, 1);
  await writeFile(join(dir, "lbctl.yaml"), "name: shop\n");
  const { code, stdout } = await runLbctl(dir, ["destroy", "--yes", "--json"]);
  assert.equal(code, 0, stdout);
});

test("destroy where nothing is: nothing to do", async (t) => {
  const ran = await lbctl(tempFolder(t), "destroy", "--yes");
  assert.equal(ran.code, 0);
  assert.equal(ran.stdout, 'nothing to do: there is no cluster "default"\n');
});

test("destroy without a terminal to ask on leaves everything", async (t) => {
  const dir = tempFolder(t);
  await mkdir(join(dir, ".lbctl/default"), { recursive: true });
  const ran = await lbctl(dir, "destroy");
  assert.equal(ran.code, 1);
  assert.match(ran.stderr, /lbctl destroy --yes/);
});

test("plan before the first deploy shows what will be made, and makes nothing", async (t) => {
  const dir = tempFolder(t);
  await writeFile(join(dir, "lbctl.yaml"), "monitoring: off\n");
  const ran = await lbctl(dir, "plan", "--json");
  const changes = JSON.parse(ran.stdout) as { what: string }[];
  assert.deepEqual(
    changes.map(({ what }) => what),
    ["app1", "app2", "app3", "balancer"],
  );
  assert.match((await lbctl(dir, "status")).stderr, /got none/);
});

function lbctl(dir: string, ...args: string[]): Promise<Ran> {
  return runLbctl(dir, args, { timeout: 20_000 });
}
