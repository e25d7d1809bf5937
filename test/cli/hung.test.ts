/** A balancer that is there and answers nothing (suspended here): every command says so, and ends. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { type ClusterProcess, clusterProcesses, signal } from "../../cli/proc.ts";
import type { NodeStatus } from "../../proxy/api.ts";
import { until } from "../support/wait.ts";
import { runLbctl } from "./lbctl.ts";
import { type TestCluster, testCluster } from "./support.ts";

const ASKING: readonly (readonly string[])[] = [
  ["scale", "--nodes", "3"],
  ["nodes", "list"],
  ["nodes", "drain", "app1"],
  ["nodes", "ready", "app1"],
  ["nodes", "resync", "app1"],
  ["writes", "list"],
  ["writes", "show", "1"],
  ["writes", "retry", "1"],
  ["verify"],
  ["bench", "--duration", "1s"],
];

/** nodes drain, nodes ready, writes retry: sent, and not answered. */
const CHANGES: ReadonlySet<number> = new Set([2, 3, 7]);

test("a balancer that hangs: no command waits for it without end, each says what to do", async (t) => {
  const cluster = await testCluster(t, 2);
  await cluster.ok("deploy");
  const file = join(cluster.dir, "lbctl.yaml");
  const before = await readFile(file, "utf8");
  const balancer = processOf(cluster, "balancer");
  signal(balancer, "SIGSTOP");
  const asked = await Promise.all(ASKING.map((args) => cluster.lbctl(...args)));
  for (const [index, { code, stdout, stderr }] of asked.entries()) {
    await t.test(`lbctl ${ASKING[index]?.join(" ")}`, () => {
      assert.equal(code, 1, stdout + stderr);
      assert.match(stderr, /^lbctl: expected the balancer at http\S+ to answer within 5 s, got nothing/m);
      if (CHANGES.has(index)) assert.match(stderr, /may still do what it was asked to: look at lbctl status/);
      assert.match(stderr, /\nNext:\n[\s\S]*lbctl logs balancer[\s\S]*lbctl deploy/);
    });
  }
  const [status, deploy] = await Promise.all([cluster.lbctl("status"), cluster.lbctl("deploy")]);
  const { pid } = balancer;
  await t.test("lbctl status", () => {
    assert.equal(status.code, 1);
    assert.match(status.stdout, new RegExp(`the balancer \\(pid ${pid}\\) runs, but does not answer`));
    assert.match(status.stdout, new RegExp(`kill -9 ${pid} `));
  });
  await t.test("lbctl deploy", () => {
    assert.equal(deploy.code, 1);
    assert.match(deploy.stderr, /expected the balancer to answer within 30 s, got nothing/);
    assert.match(deploy.stderr, new RegExp(`\nNext:\n {2}lbctl logs balancer.*\n {2}kill -9 ${pid} `));
  });
  assert.equal(await readFile(file, "utf8"), before, "scale has changed nothing");
  signal(balancer, "SIGKILL");
  await cluster.ok("deploy");
  assert.match(await cluster.ok("status"), /2 of 2 nodes in-sync/);
});

test("deploy with nothing to change waits for a node that is not in-sync", async (t) => {
  const cluster = await testCluster(t, 2);
  await cluster.ok("deploy");
  const node = processOf(cluster, "app2");
  signal(node, "SIGSTOP");
  await until(async () => (await nodeOf(cluster, "app2"))?.state === "down", { timeout: 30_000 });
  const { code, stdout } = await runLbctl(cluster.dir, ["deploy"], {
    started: (child) => {
      child.stdout?.on("data", (text: Buffer) => {
        if (String(text).includes("Wait until the balancer is ready")) signal(node, "SIGCONT");
      });
    },
  });
  assert.equal(code, 0);
  assert.match(stdout, /Wait until 2 nodes in-sync[\s\S]*nothing to do/);
  assert.equal((await nodeOf(cluster, "app2"))?.state, "in-sync");
});

async function nodeOf(cluster: TestCluster, wanted: string): Promise<NodeStatus | undefined> {
  const nodes = await cluster.json<readonly NodeStatus[]>("nodes", "list");
  return nodes.find(({ name }) => name === wanted);
}

function processOf({ state }: TestCluster, wanted: string): ClusterProcess {
  const found = clusterProcesses(state.dir).find(({ name }) => name === wanted);
  assert.ok(found);
  return found;
}
