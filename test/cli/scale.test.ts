/** `lbctl scale`: nodes come and go under load, or it says why they can't, and changes nothing. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readdir, readFile, unlink, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import { test } from "node:test";
import type { NodeStatus } from "../../proxy/api.ts";
import { runLbctl } from "./lbctl.ts";
import { type TestCluster, testCluster } from "./support.ts";
import { startTraffic } from "./traffic.ts";

test("scale under load, up and down: no request fails, and every node holds the same", async (t) => {
  const cluster = await testCluster(t, 2);
  await cluster.ok("deploy");
  const traffic = startTraffic(cluster.url);
  await cluster.ok("scale", "--nodes", "5");
  assert.match(await readFile(join(cluster.dir, "lbctl.yaml"), "utf8"), /^nodes: 5 # kept$/m);
  assert.deepEqual(await namesOf(cluster), ["app1", "app2", "app3", "app4", "app5"]);
  await cluster.ok("scale", "--nodes", "1");
  assert.deepEqual(await namesOf(cluster), ["app1"]);
  assert.deepEqual(await readdir(cluster.state.nodes), ["app1"]);
  await cluster.ok("scale", "--nodes", "3");
  const { failures, reads, writes } = await traffic.stop();
  assert.deepEqual(failures, []);
  assert.ok(reads > 50 && writes > 20, `${reads} reads, ${writes} writes`);
  assert.match(await cluster.ok("verify"), /every node holds the same/);
  assert.match(await cluster.ok("scale", "--nodes", "3"), /nothing to do/);
});

test("scale down under load where writes wait for a quorum: there always is one", async (t) => {
  const cluster = await testCluster(t, 5);
  await cluster.write("proxy: { ack: quorum }\n");
  await cluster.ok("deploy");
  const traffic = startTraffic(cluster.url);
  await cluster.ok("scale", "--nodes", "1");
  const { failures, reads, writes } = await traffic.stop();
  assert.deepEqual(failures, []);
  assert.ok(reads > 20 && writes > 10, `${reads} reads, ${writes} writes`);
  assert.deepEqual(await namesOf(cluster), ["app1"]);
  assert.match(await cluster.ok("verify"), /^1 node, up to write \d.*: nothing to compare it with/m);
});

test("scale is refused where no in-sync node would remain", async (t) => {
  const cluster = await testCluster(t, 2);
  await cluster.ok("deploy");
  await cluster.ok("nodes", "drain", "app1");
  const last = await cluster.lbctl("nodes", "drain", "app2");
  assert.equal(last.code, 1);
  assert.match(last.stderr, /last/);
  const refused = await cluster.lbctl("scale", "--nodes", "1");
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /expected 1 of app1 to be in-sync, got 0/);
  assert.deepEqual(await namesOf(cluster), ["app1", "app2"]);
  assert.match(await readFile(join(cluster.dir, "lbctl.yaml"), "utf8"), /^nodes: 2/m);
  const unknown = await cluster.lbctl("nodes", "drain", "app9");
  assert.equal(unknown.code, 2);
  assert.match(unknown.stderr, /expected one of app1, app2, got "app9"/);
  await cluster.ok("nodes", "ready", "app1");
  await cluster.ok("scale", "--nodes", "1");
});

test("scale is refused where a stranger has a new node's port, and lbctl.yaml is as it was", async (t) => {
  const cluster = await testCluster(t, 1);
  await cluster.ok("deploy");
  const stranger = createServer().listen(cluster.ports.apps + 2, "127.0.0.1");
  t.after(() => stranger.close());
  const refused = await cluster.lbctl("scale", "--nodes", "3");
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, new RegExp(`\\(app3\\): expected port ${cluster.ports.apps + 2} to be free`));
  assert.match(await readFile(join(cluster.dir, "lbctl.yaml"), "utf8"), /^nodes: 1 # kept$/m);
  assert.match(await cluster.ok("deploy"), /nothing to do/);
});

test("scale below minInSync is refused with what can be done about it", async (t) => {
  const cluster = await testCluster(t, 3);
  await cluster.write("proxy: { writes: { minInSync: 3 } }\n");
  await cluster.ok("deploy");
  const file = join(cluster.dir, "lbctl.yaml");
  const before = await readFile(file, "utf8");
  await refusedBelow(cluster);
  await cluster.ok("destroy", "--yes", "--keep-data");
  await refusedBelow(cluster);
  assert.equal(await readFile(file, "utf8"), before);
  await cluster.write("proxy: { writes: { minInSync: 2 } }\n");
  await cluster.ok("deploy");
  await cluster.ok("scale", "--nodes", "2");
});

test("kill -9 of lbctl in the middle of a scale: the lock is free, the next command finishes it", async (t) => {
  const cluster = await testCluster(t, 1);
  await cluster.ok("deploy");
  const killed = await runLbctl(cluster.dir, ["scale", "-n", "4"], {
    started: (child) => {
      child.stdout?.on("data", (text: Buffer) => {
        if (String(text).includes("Write the configuration")) child.kill("SIGKILL");
      });
    },
  });
  assert.equal(killed.code, null);
  assert.ok(existsSync(cluster.state.lockOwner), "left behind, and of no weight");
  await cluster.ok("deploy");
  assert.deepEqual(await namesOf(cluster), ["app1", "app2", "app3", "app4"]);
});

test("Ctrl-C in the middle of a scale, up and down: what is there is said, and the next command finishes it", async (t) => {
  const cluster = await testCluster(t, 2);
  await cluster.ok("deploy");
  const traffic = startTraffic(cluster.url);
  await stopped(cluster, ["scale", "-n", "4"], "Write the configuration");
  assert.match(await cluster.ok("status"), /2 of 2 nodes in-sync/, "nothing but the two runs yet");
  assert.match(await cluster.ok("plan"), /an earlier command was stopped half-way/);
  await cluster.ok("scale", "-n", "4");
  assert.deepEqual(await namesOf(cluster), ["app1", "app2", "app3", "app4"]);
  await stopped(cluster, ["scale", "-n", "1"], "Wait until 1 node in-sync");
  assert.match(await cluster.ok("plan"), /- remove +app4 /);
  await cluster.ok("deploy");
  assert.deepEqual(await namesOf(cluster), ["app1"]);
  assert.deepEqual(await readdir(cluster.state.nodes), ["app1"]);
  await stopped(cluster, ["scale", "-n", "2"], "Start app2");
  await cluster.ok("scale", "-n", "1");
  assert.deepEqual(await namesOf(cluster), ["app1"]);
  assert.deepEqual((await traffic.stop()).failures, []);
  assert.match(await cluster.ok("plan"), /nothing to do/);
});

test("without a count in lbctl.yaml the one that was scaled to is remembered", async (t) => {
  const cluster = await testCluster(t, null);
  await cluster.ok("deploy");
  assert.equal((await namesOf(cluster)).length, 3);
  await unlink(join(cluster.dir, "lbctl.yaml"));
  await cluster.write();
  const yaml = join(cluster.dir, "lbctl.yaml");
  const text = await readFile(yaml, "utf8");
  await cluster.ok("scale", "--nodes", "2");
  await writeFile(yaml, text);
  assert.match(await cluster.ok("deploy"), /nothing to do: cluster "default" runs with 2 nodes/);
  // A file that is made later says so, too.
  await unlink(yaml);
  await cluster.ok("init");
  assert.match(await readFile(yaml, "utf8"), /^nodes: 2$/m);
});

/** Ctrl-C once that step is done. */
async function stopped(cluster: TestCluster, args: readonly string[], step: string): Promise<void> {
  const { code, stderr, stdout } = await runLbctl(cluster.dir, args, {
    started: (child) => {
      child.stdout?.on("data", (text: Buffer) => {
        if (String(text).includes(step)) child.kill("SIGINT");
      });
    },
  });
  assert.equal(code, 1, stdout + stderr);
  assert.match(stderr, /stopped by SIGINT[\s\S]*run the same command again/);
}

/** With `minInSync` 3, whether the balancer runs or not. */
async function refusedBelow({ lbctl }: TestCluster): Promise<void> {
  const { code, stderr } = await lbctl("scale", "--nodes", "2");
  assert.equal(code, 1);
  assert.match(stderr, /expected at least 3 nodes \(proxy\/writes\/minInSync\), got 2: every write would be/);
  assert.match(stderr, /Next:\n {2}lbctl scale --nodes 3\n {2}or set .*minInSync: 2.*lbctl deploy/);
}

async function namesOf(cluster: TestCluster): Promise<string[]> {
  const nodes = await cluster.json<readonly NodeStatus[]>("nodes", "list");
  return nodes.map(({ name }) => name);
}
