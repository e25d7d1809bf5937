/**
 * The balancer over apps that know nothing of it. What they can't do: drop a write that comes a second time,
 * because the answer to the first attempt was lost. What still holds is what these tests say.
 */

import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { lastPasswords, noFindings } from "../support/audit.ts";
import { startBalancer } from "../support/balancer.ts";
import { acknowledged, BED_CONFIG } from "../support/bed.ts";
import { type Load, startLoad } from "../support/load.ts";
import { LoadClient } from "../support/load-client.ts";
import { startNode, type TestNode } from "../support/nodes.ts";
import { PlainApp } from "../support/plain-app.ts";
import type { TestProcess } from "../support/process.ts";
import { sinatraAvailable, startSinatra } from "../support/sinatra.ts";

const CONFIG = { health: BED_CONFIG.health, log: BED_CONFIG.log };
/** Ruby takes its time on a busy machine. */
const PATIENT = {
  ...CONFIG,
  routes: [
    { match: { methods: ["POST"], paths: ["/register", "/changePassword"] }, to: "all", orderBy: "username" },
    { match: { methods: ["GET"] }, to: "one", firstByteTimeout: "10s" },
  ],
  writes: { sendTimeout: "10s", ackTimeout: "15s" },
};

test("bare node:http apps: a node restarts under load, and every user's writes are on each in their order", async (t) => {
  const apps = Array.from({ length: 3 }, () => new PlainApp());
  const nodes = await Promise.all(apps.map((app) => startNode(t, app.behaviour)));
  const balancer = await startBalancer(t, { nodes: listed(nodes), config: CONFIG });
  const load = startLoad(t, { url: balancer.url, seed: 5 });
  await acknowledged(load, 30);
  await nodes[1]?.stop();
  await acknowledged(load, 30);
  await nodes[1]?.restart();
  await balancer.reached("app2", "in-sync");
  await acknowledged(load, 30);
  await load.stop();
  noFindings(load);
  await balancer.settled();
  for (const [index, app] of apps.entries()) {
    assert.deepEqual(sorted(app.users), sorted(expectedUsers(load)), `app${index + 1}`);
    inOrder(nodes[index], load);
  }
  t.diagnostic(JSON.stringify(load.counts));
});

const sinatra = sinatraAvailable();

test("the brief's Sinatra app: register, changePassword and login go through, by the users' order on each node", {
  skip: sinatra.ok ? false : sinatra.reason,
}, async (t) => {
  const { nodes, balancer } = await overSinatra(t);
  const load = startLoad(t, { url: balancer.url, seed: 6, formsOnly: true, writes: 30, reads: 60 });
  await acknowledged(load, 100);
  await load.stop();
  noFindings(load);
  await balancer.settled();
  for (const node of nodes) await lastPasswords(load, node);
  t.diagnostic(JSON.stringify(load.counts));
});

test("Sinatra restarts and has lost its memory: removed and taken in again as empty, it gets every write anew", {
  skip: sinatra.ok ? false : sinatra.reason,
}, async (t) => {
  const { nodes, processes, balancer } = await overSinatra(t);
  const [first, second] = nodes as [Named, Named];
  const client = new LoadClient(balancer.url);
  t.after(() => client.close());
  await register(client, "ann");
  await gone(processes[1]);
  await balancer.reached("app2", "down");
  await register(client, "bob");
  const forgetful = await startSinatra(t, { name: "app2", port: portOf(second) });
  await balancer.reached("app2", "in-sync");
  // An app without a state id: nothing tells the balancer that what app2 had before is gone.
  assert.deepEqual(await known(second), { ann: false, bob: true });

  await balancer.reload({ nodes: [first], config: PATIENT });
  await gone(forgetful);
  await startSinatra(t, { name: "app2", port: portOf(second) });
  await balancer.reload({ nodes, config: PATIENT });
  await balancer.reached("app2", "in-sync");
  assert.deepEqual(await known(second), { ann: true, bob: true });
});

interface Named {
  readonly name: string;
  readonly url: string;
}

async function overSinatra(t: TestContext) {
  const processes = await Promise.all([startSinatra(t, { name: "app1" }), startSinatra(t, { name: "app2" })]);
  const nodes: Named[] = processes.map(({ url }, index) => ({ name: `app${index + 1}`, url }));
  return { processes, nodes, balancer: await startBalancer(t, { nodes, config: PATIENT }) };
}

async function gone(process: TestProcess | undefined): Promise<void> {
  process?.signal("SIGKILL");
  await process?.wait();
}

function portOf({ url }: Named): number {
  return Number(new URL(url).port);
}

async function register(client: LoadClient, username: string): Promise<void> {
  const fields = { username, password: `${username}-v1` };
  const reply = await client.write({ path: "/register", fields, idempotencyKey: username, form: true });
  assert.equal(reply.status, 201, reply.body);
}

/** Asked directly. */
async function known({ url }: Named): Promise<{ ann: boolean; bob: boolean }> {
  const client = new LoadClient(url);
  try {
    const knows = async (user: string) => (await client.login(user, `${user}-v1`)).status === 200;
    return { ann: await knows("ann"), bob: await knows("bob") };
  } finally {
    await client.close();
  }
}

function listed(nodes: readonly TestNode[]): Named[] {
  return nodes.map(({ url }, index) => ({ name: `app${index + 1}`, url }));
}

function sorted(users: ReadonlyMap<string, string>): [string, string][] {
  return [...users].sort();
}

function expectedUsers(load: Load): Map<string, string> {
  return new Map(load.accounts.map(({ name, password }) => [name, password ?? ""]));
}

/** Each user's writes as they arrived: the acknowledged ones in their order; one may come again at once, none later. */
function inOrder(node: TestNode | undefined, load: Load): void {
  for (const { name, acknowledged: expected } of load.accounts) {
    const ofUser = (node?.log ?? []).filter(({ method, body }) => method === "POST" && userOf(body) === name);
    const seqs = ofUser.map(({ headers }) => Number(headers["lb-seq"]));
    const once = seqs.filter((seq, index) => seq !== seqs[index - 1]);
    assert.deepEqual(
      once,
      expected.map(({ seq }) => seq),
      `the writes of ${name}`,
    );
  }
}

function userOf(body: string): string {
  return body.startsWith("{")
    ? String(JSON.parse(body).username)
    : (new URLSearchParams(body).get("username") ?? "");
}
