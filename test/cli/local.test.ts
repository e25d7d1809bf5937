import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { portState } from "../../cli/ports.ts";
import { clusterProcesses, commandLine, signal } from "../../cli/proc.ts";
import type { Change } from "../../cli/target.ts";
import type { ClusterStatus } from "../../cli/tools/render.ts";
import type { VerifyReport } from "../../proxy/api.ts";
import { until } from "../support/wait.ts";
import { runLbctl } from "./lbctl.ts";
import { type TestCluster, testCluster } from "./support.ts";

interface DeployedJson {
  readonly changes: readonly Change[];
  readonly balancerUrl: string;
  readonly adminPasswordFile: string;
}

test("deploy: from nothing to serving; again: nothing to do; destroy: nothing is left", async (t) => {
  const cluster = await testCluster(t, 3);
  const shown = await cluster.ok("deploy");
  assert.match(shown, new RegExp(`Traffic +${cluster.url}\n`));
  assert.match(shown, /password in\n +'.*admin\.password'\n/);
  const password = (await readFile(cluster.state.adminPassword, "utf8")).trim();
  assert.ok(password.length >= 16 && !shown.includes(password));
  assert.equal((await stat(cluster.state.dir)).mode & 0o777, 0o700);

  const curls = shown.split("\n").filter((line) => line.startsWith("  curl "));
  assert.deepEqual(await statusesOf(curls), [201, 200, 200]);
  assert.deepEqual(await statusesOf(curls), [409, 403, 200], "pasted again");

  const before = await footprint(cluster);
  assert.equal(await cluster.ok("plan"), "nothing to do\n");
  assert.match(await cluster.ok("deploy"), /nothing to do: cluster "default" runs with 3 nodes/);
  assert.deepEqual((await cluster.json<DeployedJson>("deploy")).changes, []);
  assert.deepEqual(await footprint(cluster), before);

  const { processes, balancer } = await cluster.json<ClusterStatus>("status");
  assert.equal(balancer?.inSync, 3);
  assert.ok(processes.every(({ state }) => state === "running"));
  assert.match(await cluster.ok("status"), /3 of 3 nodes in-sync/);
  const verified = await cluster.json<VerifyReport & { problems: string[] }>("verify");
  assert.deepEqual([verified.equal, verified.problems], [true, []]);
  assert.match(await cluster.ok("writes", "list"), /POST \/register +delivered +201/);
  assert.match(await cluster.ok("writes", "show", "1"), /app3 +in-sync +acked +201/);
  assert.match(await cluster.ok("logs", "balancer"), /balancer +info +ready/);

  await cluster.ok("destroy", "--yes");
  assert.deepEqual(clusterProcesses(cluster.state.dir), []);
  assert.equal(await portState(cluster.ports.traffic), "free");
  assert.equal(await portState(cluster.ports.admin), "free");
  assert.equal(await portState(cluster.ports.apps), "free");
  assert.deepEqual(await readdir(cluster.dir), ["lbctl.yaml"]);
});

test("what changed in lbctl.yaml is applied: by reload, or by a restart of the balancer alone", async (t) => {
  const cluster = await testCluster(t, 2);
  await cluster.ok("deploy");
  const before = pidsOf(await cluster.json("status"));
  await cluster.write("proxy: { health: { interval: 2s } }\n");
  assert.match(await cluster.ok("plan"), /health\/interval +\(default\) → 2s/);
  const scaled = await cluster.lbctl("scale", "--nodes", "1");
  assert.equal(scaled.code, 1);
  assert.match(
    scaled.stderr,
    /expected only the number of nodes to change[\s\S]*health\/interval[\s\S]*lbctl deploy/,
  );
  await cluster.ok("deploy");
  assert.deepEqual(pidsOf(await cluster.json("status")), before);
  await cluster.write("admin: { user: ops }\n");
  await cluster.ok("deploy");
  const after = pidsOf(await cluster.json("status"));
  assert.notEqual(after.balancer, before.balancer);
  assert.equal(after.app1, before.app1);
  assert.match(await cluster.ok("deploy"), /nothing to do/);
});

test("a wrong change is refused as a whole, and the cluster goes on", async (t) => {
  const cluster = await testCluster(t, 1);
  await cluster.ok("deploy");
  await cluster.write("proxy: { health: { interval: never } }\n");
  const refused = await cluster.lbctl("deploy");
  assert.equal(refused.code, 2);
  assert.match(refused.stderr, /proxy\/health\/interval: expected a duration/);
  await cluster.write();
  assert.match(await cluster.ok("deploy"), /nothing to do/);
});

test("a port that is taken is named with its owner, and nothing is started", async (t) => {
  const cluster = await testCluster(t, 2);
  const other = createServer().listen(cluster.ports.apps + 1, "127.0.0.1");
  t.after(() => other.close());
  const refused = await cluster.lbctl("deploy");
  assert.equal(refused.code, 1);
  assert.match(
    refused.stderr,
    new RegExp(
      `ports/apps \\(app2\\): expected port ${cluster.ports.apps + 1} to be free, got pid ${process.pid}: `,
    ),
  );
  assert.deepEqual(clusterProcesses(cluster.state.dir), []);
});

test("a node and the balancer killed with -9 come back; so does all after a kill of everything", async (t) => {
  const cluster = await testCluster(t, 2);
  await cluster.ok("deploy");
  for (const found of clusterProcesses(cluster.state.dir)) {
    if (found.name !== "supervisor") signal(found, "SIGKILL");
  }
  await until(async () => (await statusOf(cluster))?.balancer?.inSync === 2, { timeout: 20_000 });
  for (const found of clusterProcesses(cluster.state.dir).sort((a) => (a.name === "supervisor" ? -1 : 1))) {
    signal(found, "SIGKILL");
  }
  const down = await cluster.lbctl("status");
  assert.equal(down.code, 1);
  assert.match(down.stdout, /the balancer does not answer/);
  const { changes } = await cluster.json<DeployedJson>("deploy");
  assert.deepEqual(
    changes.map(({ what }) => what),
    ["supervisor"],
  );
  assert.equal((await statusOf(cluster))?.balancer?.inSync, 2);
});

test("Ctrl-C during a deploy: the lock is free, and the next deploy goes on", async (t) => {
  const cluster = await testCluster(t, 3);
  const stopped = await runLbctl(cluster.dir, ["deploy"], {
    started: (child) => {
      child.stdout?.on("data", (text: Buffer) => {
        if (String(text).includes("Write the configuration")) child.kill("SIGINT");
      });
    },
  });
  assert.equal(stopped.code, 1);
  assert.match(stopped.stderr, /stopped by SIGINT[\s\S]*run the same command again/);
  await cluster.ok("deploy");
  assert.match(await cluster.ok("verify"), /every node holds the same/);
});

test("a second command meanwhile is refused, and told who and how to break it", async (t) => {
  const cluster = await testCluster(t, 2);
  let refused = cluster.lbctl("destroy", "--yes");
  await refused;
  await runLbctl(cluster.dir, ["deploy"], {
    started: (child) => {
      child.stdout?.once("data", () => {
        refused = cluster.lbctl("scale", "--nodes", "3");
      });
    },
  });
  const { code, stderr } = await refused;
  // Under load the first may be done before the second gets there.
  if (code !== 0)
    assert.match(stderr, /expected to be alone on this cluster, got "lbctl deploy" \(pid \d+[\s\S]*kill \d+/);
});

test("destroy --keep-data, then deploy: the data is still there", async (t) => {
  const cluster = await testCluster(t, 2);
  const curls = (await cluster.ok("deploy")).split("\n").filter((line) => line.startsWith("  curl "));
  await statusesOf(curls);
  await cluster.ok("destroy", "--yes", "--keep-data");
  assert.deepEqual(clusterProcesses(cluster.state.dir), []);
  await cluster.ok("deploy");
  assert.deepEqual((await statusesOf(curls)).at(-1), 200);
  assert.match(await cluster.ok("verify"), /every node holds the same, up to write 4/);
});

test("a balancer that cannot start: its own words, and the next step", async (t) => {
  const cluster = await testCluster(t, 1);
  await cluster.ok("deploy");
  await cluster.ok("destroy", "--yes", "--keep-data");
  await writeFile(cluster.state.journalKey, "not a key");
  const failed = await cluster.lbctl("deploy");
  assert.equal(failed.code, 1);
  assert.match(failed.stderr, /expected balancer to run, got exit code \d, \d+ times in a row\n {2}/);
  assert.match(failed.stderr, /lbctl logs balancer/);
  const status = await cluster.lbctl("status");
  assert.equal(status.code, 1);
  assert.match(status.stdout, /balancer keeps ending \(exit code/);
});

test("the directory of the cluster is removed: its processes end by themselves", async (t) => {
  const cluster = await testCluster(t, 1);
  await cluster.ok("deploy");
  // Its processes may be writing into it meanwhile.
  await rm(cluster.state.dir, { recursive: true, maxRetries: 5 });
  await until(() => clusterProcesses(cluster.state.dir).length === 0, { timeout: 20_000 });
});

test("changes are in the audit log, the password nowhere", async (t) => {
  const cluster = await testCluster(t, 2);
  const shown = [
    await cluster.ok("deploy"),
    await cluster.ok("nodes", "drain", "app1"),
    await cluster.ok("logs"),
  ];
  const password = (await readFile(cluster.state.adminPassword, "utf8")).trim();
  const log = await readFile(cluster.state.auditLog, "utf8");
  const entries = log
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { command: string; outcome: string });
  assert.deepEqual(
    entries.map(({ command, outcome }) => `${command}: ${outcome}`),
    ["deploy: started", "deploy: done", "nodes drain app1: started", "nodes drain app1: done"],
  );
  const argvs = clusterProcesses(cluster.state.dir).map(({ pid }) => commandLine(pid) ?? "");
  for (const text of [...shown, ...argvs, log]) assert.ok(!text.includes(password));
});

/** What a deploy that changes nothing leaves as it is: files, when each was written, and every process. */
async function footprint({ dir, state, supervisor }: TestCluster): Promise<unknown> {
  const files = [
    join(dir, "lbctl.yaml"),
    state.record,
    state.proxyConfig,
    state.processes,
    state.adminPassword,
  ];
  const written = files.map(async (file) => [await readFile(file, "utf8"), (await stat(file)).mtimeMs]);
  return [await Promise.all(written), await readdir(state.nodes), await supervisor()];
}

async function statusOf(cluster: TestCluster): Promise<ClusterStatus | null> {
  const { stdout } = await cluster.lbctl("status", "--json");
  return JSON.parse(stdout) as ClusterStatus;
}

function pidsOf({ processes }: ClusterStatus): Record<string, number | null> {
  return Object.fromEntries(processes.map(({ name, pid }) => [name, pid]));
}

/** Runs the lines as a shell would, and gives the status code of each answer. */
async function statusesOf(curls: readonly string[]): Promise<number[]> {
  const codes: number[] = [];
  for (const line of curls) {
    const quiet = line.replace("-w '\\n'", "-s -o /dev/null -w '%{http_code}'");
    codes.push(Number((await promisify(execFile)("sh", ["-c", quiet])).stdout));
  }
  return codes;
}
