import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import type { StatePaths } from "../../cli/state.ts";
import type { WriteStory } from "../../proxy/api.ts";
import { seqOf, seqsAt, startCluster, userOf, writesAt } from "../support/bare-cluster.ts";
import { register } from "../support/client.ts";
import { startWithSetAside } from "../support/poison.ts";
import { lbctlOver } from "./scripted.ts";

interface JsonError {
  readonly error: { readonly message: string; readonly next: readonly string[] };
}

test("writes list: the last ones in order; --pending: those that a node still lacks; never what is in them", async (t) => {
  const cluster = await startWithSetAside(t, 2);
  const { ok, json } = await lbctlOver(t, cluster);
  const { head } = await cluster.balancer.status();
  const all = await json<WriteStory[]>("writes", "list");
  assert.deepEqual(
    all.map(({ seq }) => seq),
    Array.from({ length: head }, (_, index) => index + 1),
  );
  const last = await json<WriteStory[]>("writes", "list", "--limit", "1");
  assert.deepEqual(last, [all.at(-1)]);
  const pending = await json<WriteStory[]>("writes", "list", "--pending");
  assert.deepEqual(pending, [all[0]]);
  assert.deepEqual([all[0]?.setAside, all[0]?.outcome, all[0]?.acks], [true, null, []]);
  const shown = await ok("writes", "list");
  assert.match(shown, /^ +1 +.+ POST \/register +set aside +- +app1=set-aside app2=set-aside$/m);
  assert.match(shown, /^ +2 +.+ POST \/register +delivered +200 +app1=200 app2=200\b/m);
  assert.match(await ok("writes", "list", "--pending"), /^SEQ .*\n +1 +.* set aside .*\n$/);
  for (const text of [shown, JSON.stringify(all)]) assert.doesNotMatch(text, /ada|secret/);
});

test("writes show: what each node answered, after how many attempts", async (t) => {
  const cluster = await startCluster(t, 2, {}, { status: 201 });
  const { ok, json } = await lbctlOver(t, cluster);
  await cluster.nodes[1]?.behave(({ headers }) => ({ status: headers["lb-attempt"] === "1" ? 503 : 201 }));
  assert.equal((await register(cluster.balancer, "ada")).status, 201);
  await cluster.balancer.settled();
  const { seq, outcome, acks, method, path } = await json<WriteStory>("writes", "show", "1");
  assert.deepEqual([seq, outcome, method, path], [1, 201, "POST", "/register"]);
  const told = acks.map(({ node, status, attempts }) => [node, status, attempts]).sort();
  assert.deepEqual(told, [
    ["app1", 201, 1],
    ["app2", 201, 2],
  ]);
  assert.deepEqual(
    cluster.nodes.map((node) => writesAt(node).length),
    [1, 2],
    "as many as arrived",
  );
  const shown = await ok("writes", "show", "1");
  assert.match(shown, /^Write 1 {2}POST \/register {2}delivered\b/);
  assert.match(shown, /^order key +\w{16}$/m);
  assert.match(shown, /^client got +201 after /m);
  assert.match(shown, /^app2 +in-sync +acked +201 +2 +/m);
  assert.doesNotMatch(shown, /ada|secret/);
});

test("writes show: a write that is not there is refused, with the next step", async (t) => {
  const { lbctl } = await lbctlOver(t, await startCluster(t, 1));
  const { code, stdout, stderr } = await lbctl("writes", "show", "7", "--json");
  assert.equal(code, 1);
  const { error } = JSON.parse(stdout) as JsonError;
  assert.match(error.message, /\(unknown_write\)$/);
  assert.match(error.next.join(), /lbctl writes list/);
  assert.match(stderr, /\nNext:\n {2}.*lbctl writes list/);
});

test("writes retry: every node gets the write, and then those that it held back", async (t) => {
  const cluster = await startWithSetAside(t, 2, { behind: true });
  const { balancer, nodes } = cluster;
  const { ok, json, state } = await lbctlOver(t, cluster);
  for (const node of nodes) node.behave({ status: 201 });
  const before = await json<WriteStory>("writes", "retry", "1");
  assert.deepEqual([before.seq, before.setAside], [1, false]);
  await balancer.settled();
  for (const node of nodes) {
    const adas = writesAt(node).filter((arrival) => userOf(arrival) === "ada");
    assert.deepEqual(adas.slice(-2).map(seqOf), [1, 2]);
  }
  const { outcome, acks } = await json<WriteStory>("writes", "show", "1");
  assert.equal(outcome, 201);
  assert.deepEqual(acks.map(({ node, status }) => `${node}=${status}`).sort(), ["app1=201", "app2=201"]);
  assert.deepEqual(await json("writes", "list", "--pending"), []);
  assert.equal(await ok("writes", "list", "--pending"), "no writes\n");
  assert.deepEqual(await audited(state), ["writes retry 1: started", "writes retry 1: done"]);
});

test("writes skip: no node gets the write any more, and those that it held back go on", async (t) => {
  const cluster = await startWithSetAside(t, 2, { behind: true });
  const { balancer, nodes } = cluster;
  const { ok, json, state } = await lbctlOver(t, cluster);
  for (const node of nodes) {
    node.clearLog();
    node.behave({ status: 201 });
  }
  const skipped = await json<WriteStory>("writes", "skip", "1");
  assert.deepEqual([skipped.seq, skipped.setAside], [1, false]);
  await balancer.settled();
  assert.deepEqual(
    nodes.map((node) => seqsAt(node)),
    [[2], [2]],
  );
  assert.match(
    await ok("writes", "show", "1"),
    /^outcome +skipped by an operator: no node gets it any more$/m,
  );
  assert.match(await ok("writes", "list"), /^ +1 .* skipped +- +app1=skipped app2=skipped$/m);
  assert.deepEqual(await json("writes", "list", "--pending"), []);
  assert.equal((await balancer.status()).setAside, 0);
  assert.deepEqual(await audited(state), ["writes skip 1: started", "writes skip 1: done"]);
});

for (const decision of ["retry", "skip"]) {
  test(`writes ${decision}: one that is not set aside is refused, and stays as it is`, async (t) => {
    const cluster = await startCluster(t, 2);
    const { lbctl, json, state } = await lbctlOver(t, cluster);
    await register(cluster.balancer, "ada");
    await cluster.balancer.settled();
    const before = await json("writes", "show", "1");
    const { code, stdout, stderr } = await lbctl("writes", decision, "1", "--json");
    assert.equal(code, 1);
    const { error } = JSON.parse(stdout) as JsonError;
    assert.match(error.message, /expected a write that is set aside, got write 1, .*\(not_set_aside\)$/);
    assert.match(stderr, /\nNext:\n {2}.*lbctl writes list --pending/);
    assert.deepEqual(await json("writes", "show", "1"), before);
    for (const node of cluster.nodes) assert.deepEqual(seqsAt(node), [1]);
    assert.deepEqual(await audited(state), [`writes ${decision} 1: started`, `writes ${decision} 1: failed`]);
  });
}

/** What the audit log says was done. */
async function audited({ auditLog }: StatePaths): Promise<string[]> {
  const lines = (await readFile(auditLog, "utf8")).trim().split("\n");
  const entries = lines.map((line) => JSON.parse(line) as { command: string; outcome: string });
  return entries.map(({ command, outcome }) => `${command}: ${outcome}`);
}
