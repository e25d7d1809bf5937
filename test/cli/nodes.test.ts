import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeStatus, ResyncStarted, VerifyReport } from "../../proxy/api.ts";
import { startCluster, userOf, writesAt } from "../support/bare-cluster.ts";
import { ask, type Reply, register } from "../support/client.ts";
import { until } from "../support/wait.ts";
import type { Lbctl } from "./lbctl.ts";
import { lbctlOver } from "./scripted.ts";
import { type TestCluster, testCluster } from "./support.ts";

type Verified = VerifyReport & { readonly problems: readonly string[] };

test("nodes drain: no read goes to the node, every write does; nodes ready: it is read again", async (t) => {
  const cluster = await testCluster(t, 3);
  await cluster.ok("deploy");
  await register(cluster, "ada");
  const drained = await cluster.json<NodeStatus>("nodes", "drain", "app2");
  assert.deepEqual([drained.name, drained.state], ["app2", "draining"]);
  assert.deepEqual(await readersOf(cluster, "ada"), ["app1", "app3"]);
  await register(cluster, "bob");
  await until(() => holds(cluster, "app2", "bob"), { what: "the write at app2" });
  assert.match(await cluster.ok("nodes", "list"), /^app2 +draining /m);
  assert.match(await cluster.ok("verify"), /every node holds the same/, "it gets every write");
  assert.match(await cluster.ok("nodes", "ready", "app2"), /^app2 +(catching-up|in-sync) /m);
  await allInSync(cluster);
  assert.deepEqual(await readersOf(cluster, "ada"), ["app1", "app2", "app3"]);
  assert.equal((await cluster.json<Verified>("verify")).equal, true);
});

test("nodes resync: what the node held is gone, and it holds what the others hold", async (t) => {
  const cluster = await testCluster(t, 3);
  await cluster.ok("deploy");
  for (const user of ["ada", "bob"]) await register(cluster, user);
  // Behind the balancer's back.
  await register({ url: nodeUrl(cluster, "app3") }, "eve");
  const before = await cluster.lbctl("verify", "--json");
  assert.equal(before.code, 1);
  const { equal: same, problems: found } = JSON.parse(before.stdout) as Verified;
  assert.equal(same, false);
  assert.deepEqual(found, ["expected the same digest of every node, got 2: app1, app2 | app3"]);
  const shown = await cluster.lbctl("verify");
  assert.equal(shown.code, 1);
  assert.match(shown.stdout, /app1, app2 \| app3\n\nNext:\n {2}lbctl nodes resync NAME --from DONOR/);

  const { next, ...started } = await cluster.json<ResyncStarted>("nodes", "resync", "app3");
  assert.deepEqual(started, { node: "app3", from: "app1", manual: false, seq: null });
  assert.match(next, /lbctl status/);
  await allInSync(cluster);
  const { equal, problems } = await cluster.json<Verified>("verify");
  assert.deepEqual([equal, problems], [true, []]);
  assert.ok(!(await holds(cluster, "app3", "eve")));
  for (const user of ["ada", "bob"]) assert.ok(await holds(cluster, "app3", user));

  assert.match(await cluster.ok("nodes", "resync", "app3", "--from", "app2"), /^app3 from app2\n/);
  await allInSync(cluster);
  await register(cluster, "cleo");
  assert.ok(await holds(cluster, "app3", "cleo"), "it gets writes as the others do");
});

test("nodes resync --manual: the donor is held until --done, then both get what came meanwhile", async (t) => {
  const cluster = await testCluster(t, 3);
  await cluster.ok("deploy");
  await register(cluster, "ada");
  const held = await cluster.json<ResyncStarted>("nodes", "resync", "app3", "--from", "app1", "--manual");
  assert.deepEqual([held.node, held.from, held.manual, held.seq], ["app3", "app1", true, 1]);
  assert.match(held.next, /lbctl nodes resync app3 --done/);
  assert.match(await cluster.ok("nodes", "list"), /^app3 +maint /m);
  const meanwhile = await cluster.lbctl("verify");
  assert.equal(meanwhile.code, 1);
  assert.match(meanwhile.stdout, /^app3 is not comparable: it gets no writes: maint/m);
  assert.doesNotMatch(meanwhile.stdout, /every node holds the same|expected the same digest/);

  assert.equal((await register(cluster, "bob")).status, 201);
  assert.ok(await holds(cluster, "app2", "bob"));
  await copyByHand(cluster, "app1", "app3");
  const withBob = await Promise.all(["app1", "app3"].map((node) => holds(cluster, node, "bob")));
  assert.deepEqual(withBob, [false, false]);

  assert.equal((await cluster.json<NodeStatus>("nodes", "resync", "app3", "--done")).name, "app3");
  await allInSync(cluster);
  for (const node of ["app1", "app2", "app3"]) assert.ok(await holds(cluster, node, "bob"), node);
  assert.equal((await cluster.json<Verified>("verify")).equal, true);
});

test("nodes resync that cannot be is refused with the next step, and changes nothing", async (t) => {
  const bare = await startCluster(t, 2);
  const { lbctl, json } = await lbctlOver(t, bare);
  const before = await statesOf(json);
  const refused: readonly (readonly [readonly string[], number, RegExp])[] = [
    [["app1"], 1, /\(no_bootstrap\)\n\nNext:\n {2}.*--manual/],
    [["app1", "--from", "app1"], 1, /\(no_donor\)\n\nNext:\n {2}\S/],
    [["app1", "--done"], 1, /\(not_resyncing\)\n\nNext:\n {2}.*--manual/],
    [["app1", "--from", "app9"], 2, /--from: expected one of app1, app2, got "app9"\n\nNext:\n {2}\S/],
    [["app9"], 2, /NAME: expected one of app1, app2, got "app9"\n\nNext:\n {2}\S/],
  ];
  for (const [args, code, said] of refused) {
    const ran = await lbctl("nodes", "resync", ...args);
    assert.equal(ran.code, code, ran.stderr);
    assert.match(ran.stderr, said);
  }
  assert.deepEqual(await statesOf(json), before);
});

test("nodes ready: a quarantined node needs --force, and then gets what it lacks", async (t) => {
  const bare = await startCluster(t, 3);
  const { balancer } = bare;
  const sick = bare.nodes[2];
  sick?.behave({ status: 409 });
  await register(balancer, "ada");
  await balancer.reached("app3", "quarantined");
  const { lbctl, json } = await lbctlOver(t, bare);
  const refused = await lbctl("nodes", "ready", "app3");
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /\(quarantined\)\n\nNext:\n {2}.*lbctl nodes ready NAME --force/);
  assert.equal((await balancer.node("app3")).state, "quarantined");
  await register(balancer, "bob");
  sick?.behave({});
  assert.equal((await json<NodeStatus>("nodes", "ready", "app3", "--force")).name, "app3");
  await balancer.settled();
  assert.deepEqual(sick && writesAt(sick).map(userOf), ["ada", "bob"]);
});

function nodeUrl({ ports }: TestCluster, node: string): string {
  return `http://127.0.0.1:${ports.apps + Number(node.slice("app".length)) - 1}`;
}

function login(url: string, user: string): Promise<Reply> {
  const credentials = Buffer.from(`${user}:secret of ${user}`).toString("base64");
  return ask(url, { path: "/login", headers: { authorization: `Basic ${credentials}` } });
}

/** Whether the user can log in at the node itself. */
async function holds(cluster: TestCluster, node: string, user: string): Promise<boolean> {
  return (await login(nodeUrl(cluster, node), user)).status === 200;
}

/** The nodes that answer logins through the balancer. */
async function readersOf({ url }: TestCluster, user: string): Promise<string[]> {
  const names = new Set<string>();
  for (let turn = 0; turn < 9; turn++) {
    names.add((JSON.parse((await login(url, user)).body) as { node: string }).node);
  }
  return [...names].sort();
}

async function allInSync({ json }: TestCluster): Promise<void> {
  await until(
    async () => {
      const nodes = await json<readonly NodeStatus[]>("nodes", "list");
      return nodes.every(({ state, lag }) => state === "in-sync" && lag === 0);
    },
    { timeout: 30_000, what: "every node in-sync without lag" },
  );
}

async function statesOf(json: Lbctl["json"]): Promise<string[]> {
  return (await json<readonly NodeStatus[]>("nodes", "list")).map(({ name, state }) => `${name} ${state}`);
}

/** What an operator does. */
async function copyByHand(cluster: TestCluster, from: string, to: string): Promise<void> {
  const copy = await fetch(`${nodeUrl(cluster, from)}/lb/snapshot`);
  const body = await copy.arrayBuffer();
  const taken = await fetch(`${nodeUrl(cluster, to)}/lb/snapshot`, { method: "PUT", body });
  assert.deepEqual([copy.status, taken.status], [200, 200]);
}
