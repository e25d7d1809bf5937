import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { access, appendFile, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { before, type TestContext, test } from "node:test";
import { promisify } from "node:util";
import { clusterProcesses, signal } from "../../cli/proc.ts";
import { statePaths } from "../../cli/state.ts";
import { withoutPrometheus } from "../support/prometheus.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { type Ran, run } from "./lbctl.ts";
import { freePorts } from "./support.ts";
import { startTraffic } from "./traffic.ts";

const exec = promisify(execFile);
const root = join(import.meta.dirname, "../..");

/** Loaded by other commands only: each costs tens of milliseconds. */
const HEAVY =
  /\/node_modules\/(zod|yaml|listr2|execa|undici|hdr-histogram-js|pino|prom-client|cdktf|constructs|@cdktf)\/|\/(target|converge)-|\/dist\/infra\.mjs/;

before(() => exec(process.execPath, [join(root, "scripts/build.mjs")]));

test("what npm packs, installed elsewhere, deploys a cluster, also when an old Node.js starts it", async (t) => {
  const dir = await install(t);
  const lbctl = (...args: string[]) => pretendOld(join(dir, "node_modules/lbctl/bin/lbctl.js"), args, dir);
  const { traffic, admin, apps } = await freePorts();
  await writeFile(
    join(dir, "lbctl.yaml"),
    `nodes: 2\nports: { traffic: ${traffic}, admin: ${admin}, apps: ${apps} }\n`,
  );
  const state = statePaths(dir, "default");
  t.after(() => {
    for (const process of clusterProcesses(state.dir)) signal(process, "SIGKILL");
  });
  const deployed = await lbctl("deploy");
  assert.equal(deployed.code, 0, deployed.stdout + deployed.stderr);
  if (!withoutPrometheus()) {
    const rules = await readdir(join(state.monitoring, "prometheus/rules"));
    assert.deepEqual(rules.toSorted(), ["alerts.yaml", "recordings.yaml"]);
  }
  const body = new URLSearchParams({ username: "ada", password: "x" });
  assert.equal((await fetch(`http://127.0.0.1:${traffic}/register`, { method: "POST", body })).status, 201);
  assert.match((await lbctl("verify")).stdout, /every node holds the same, up to write 1/);
  assert.match((await lbctl("deploy")).stdout, /nothing to do/);
  assert.equal((await lbctl("scale", "--nodes", "10")).code, 2, "the exit code comes through");

  await appendFile(join(dir, "node_modules/lbctl/dist/app.mjs"), "// another build\n");
  const load = startTraffic(`http://127.0.0.1:${traffic}`);
  assert.match((await lbctl("deploy")).stdout, /Restart app1 .*\n.*Restart app2 /, "one node at a time");
  assert.deepEqual((await load.stop()).failures, []);
  assert.match((await lbctl("deploy")).stdout, /nothing to do/);
  const proxy = await pretendOld(
    join(dir, "node_modules/lbctl/bin/lb-proxy.js"),
    ["check", "--config", state.proxyConfig],
    dir,
  );
  assert.match(proxy.stdout, /: ok\n$/);
  assert.equal((await lbctl("destroy", "--yes")).code, 0);
  assert.deepEqual(clusterProcesses(state.dir), []);
});

test("an old Node.js without the pinned one: what is missing, and what brings it", async (t) => {
  const dir = tempFolder(t);
  await mkdir(join(dir, "dist/cli"), { recursive: true });
  await mkdir(join(dir, "bin"));
  await writeFile(join(dir, "package.json"), '{ "type": "module" }');
  await writeFile(join(dir, "dist/cli/bin.mjs"), "");
  for (const file of await readdir(join(root, "bin"))) {
    await writeFile(join(dir, "bin", file), await readFile(join(root, "bin", file)));
  }
  const ran = await pretendOld(join(dir, "bin/lbctl.js"), [], dir);
  assert.equal(ran.code, 1);
  assert.match(ran.stderr, /expected Node\.js 26 or newer, got v20\.0\.0/);
  assert.match(ran.stderr, /npm install --include=optional/);
});

test("a signal reaches the program behind the wrapper, and its end is the wrapper's", async (t) => {
  const dir = tempFolder(t);
  await writeFile(join(dir, "proxy.yaml"), "");
  const { traffic, admin, apps } = await freePorts();
  await writeFile(
    join(dir, "proxy.yaml"),
    `listen: 127.0.0.1:${traffic}\nadmin: { listen: 127.0.0.1:${admin} }\nnodes: [{ name: a, url: http://127.0.0.1:${apps} }]\n`,
  );
  const ran = await pretendOld(
    join(root, "bin/lb-proxy.js"),
    ["run", "--config", "proxy.yaml"],
    dir,
    (child) => {
      child.stdout?.on("data", (text: Buffer) => {
        if (String(text).includes('"ready"')) child.kill("SIGTERM");
      });
    },
  );
  assert.equal(ran.code, 0, ran.stderr);
  assert.match(ran.stdout, /"stopped"/);
});

test("lbctl --help loads nothing that it doesn't need, so that it is there at once", async (t) => {
  const dir = tempFolder(t);
  const started = performance.now();
  await exec(process.execPath, [join(root, "bin/lbctl.js"), "--help"]);
  // Told, not judged (it is to be under 300 ms): a busy machine says nothing about lbctl.
  t.diagnostic(`lbctl --help: ${Math.round(performance.now() - started)} ms`);
  assert.deepEqual(
    (await loadedBy(dir, "--help")).filter((url) => HEAVY.test(url)),
    [],
  );
  const deploy = await loadedBy(dir, "scale", "--help");
  assert.deepEqual(
    deploy.filter((url) => HEAVY.test(url)),
    [],
  );
});

/** Packs and installs with what `npm ci` has put into npm's cache; the registry is asked for nothing else. */
async function install(t: TestContext): Promise<string> {
  const dir = tempFolder(t);
  const env = { ...process.env, npm_config_update_notifier: "false" };
  const { stdout } = await exec("npm", ["pack", "--ignore-scripts", "--silent", "--pack-destination", dir], {
    cwd: root,
    env,
  });
  await writeFile(join(dir, "package.json"), "{}");
  const flags = ["--prefer-offline", "--no-audit", "--no-fund", "--silent"];
  await exec("npm", ["install", ...flags, join(dir, stdout.trim())], { cwd: dir, env });
  await access(join(dir, "node_modules/.bin/lbctl"));
  return dir;
}

/** Runs it under a Node.js that says it is version 20, as the machine's own may be. */
async function pretendOld(
  file: string,
  args: readonly string[],
  cwd: string,
  started?: Parameters<typeof run>[2]["started"],
): Promise<Ran> {
  const old =
    "data:text/javascript,Object.defineProperty(process,'versions',{value:{...process.versions,node:'20.0.0'}});Object.defineProperty(process,'version',{value:'v20.0.0'})";
  const path = [join(root, "node_modules/.bin"), process.env.PATH].join(delimiter);
  return run(process.execPath, ["--import", old, file, ...args], {
    cwd,
    env: { PATH: path },
    ...(started ? { started } : {}),
  });
}

/** The URLs of all scripts that V8 compiled, from its own coverage report. */
async function loadedBy(dir: string, ...args: string[]): Promise<string[]> {
  const to = join(dir, `coverage ${args.join(" ")}`);
  await exec(process.execPath, [join(root, "bin/lbctl.js"), ...args], {
    env: { ...process.env, NODE_V8_COVERAGE: to },
  });
  const files = await readdir(to);
  const reports = await Promise.all(files.map((file) => readFile(join(to, file), "utf8")));
  return reports.flatMap((text) =>
    (JSON.parse(text) as { result: { url: string }[] }).result.map(({ url }) => url),
  );
}
