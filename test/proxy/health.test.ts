import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { Health, type HealthOptions } from "../../proxy/health.ts";
import { UpstreamNode } from "../../proxy/node.ts";
import { gate } from "../support/bare-cluster.ts";
import { startNode, type TestNode } from "../support/nodes.ts";
import { until } from "../support/wait.ts";

interface Watched {
  readonly node: UpstreamNode;
  readonly health: Health;
  /** "state reason" of each change. */
  readonly changes: string[];
  /** Results of checks so far. */
  readonly checks: boolean[];
}

/** A node with history, watched. */
function watch(t: TestContext, target: TestNode, options: Partial<HealthOptions> = {}): Watched {
  const [changes, checks] = [[] as string[], [] as boolean[]];
  const node = new UpstreamNode({ name: "app1", url: target.url, empty: true }, (changed, _, to) =>
    changes.push(`${to}: ${changed.reason}`),
  );
  node.history = true;
  const full = { interval: 20, timeout: 500, rise: 2, fall: 3, path: null, ...options };
  const health = new Health(node, full, (_, { ok }) => checks.push(ok));
  t.after(() => health.stop());
  health.start();
  return { node, health, changes, checks };
}

test("the first check decides at once; later ones only in a row", async (t) => {
  const target = await startNode(t);
  const { node, checks, changes } = watch(t, target, { path: "/healthz" });
  await until(() => node.healthy);
  assert.deepEqual([checks, changes], [[true], ["catching-up: health check passed"]]);
  target.behave({ status: 503 });
  await until(() => !node.healthy);
  const bad = checks.filter((ok) => !ok).length;
  assert.ok(bad === 2 || bad === 3, `${bad} failed checks, fall 3; the last is judged before it is listed`);
  target.behave({});
  const before = checks.length;
  await until(() => node.healthy);
  assert.ok(checks.slice(before).filter((ok) => ok).length >= 1);
  assert.equal(node.state, "catching-up");
});

test("with a path the status decides", async (t) => {
  const target = await startNode(t, { status: 302 });
  const { node, health, changes } = watch(t, target, { path: "/healthz", fall: 1 });
  await until(() => node.healthy);
  target.behave({ status: 503 });
  await until(() => !node.healthy);
  assert.match(String(changes.at(-1)), /down: health check failed: GET \/healthz answered 503/);
  assert.deepEqual([target.log[0]?.method, target.log[0]?.url], ["GET", "/healthz"]);
  assert.equal(health.last?.ok, false);
});

test("an answer that does not come in time is a failed check", async (t) => {
  const target = await startNode(t, { fault: "hang" });
  const { node, health } = watch(t, target, { path: "/healthz", timeout: 50 });
  await until(() => health.last !== null);
  assert.deepEqual([node.healthy, health.last?.detail], [false, "no answer in time"]);
});

test("what the app tells of itself on its health path is there to be looked at", async (t) => {
  const target = await startNode(t, { body: '{"stateId":"s1","lastSeq":7}' });
  const { health } = watch(t, target, { path: "/healthz" });
  await until(() => health.last !== null);
  assert.deepEqual(health.last?.body, { stateId: "s1", lastSeq: 7 });
  target.behave({ body: "not json" });
  await until(() => health.last?.body === null);
  assert.equal(health.last?.ok, true);
});

test("a check that finds nobody listening decides alone", async (t) => {
  const target = await startNode(t);
  const { node, checks, changes } = watch(t, target, { fall: 100 });
  await until(() => node.healthy);
  await target.stop();
  await until(() => !node.healthy);
  assert.equal(checks.filter((ok) => !ok).length, 1);
  assert.match(String(changes.at(-1)), /^down: .*ECONNREFUSED/);
});

test("a connection that broke makes the next check come at once, also when one was under way", async (t) => {
  const target = await startNode(t);
  const { node, health, checks } = watch(t, target, { path: "/healthz", interval: 3_600_000 });
  await until(() => node.healthy);
  health.broke();
  health.broke();
  await until(() => checks.length === 2);
  const { open, answers } = gate();
  target.behave(answers());
  health.broke();
  await until(() => target.begun === 3);
  health.broke();
  open();
  await until(() => checks.length === 4);
});

test("a refused connection needs no further proof", async (t) => {
  const target = await startNode(t);
  const { node, health, changes } = watch(t, target, { interval: 60_000 });
  await until(() => node.healthy);
  health.refused("connection refused");
  assert.deepEqual([node.healthy, node.state, changes.at(-1)], [false, "down", "down: connection refused"]);
});

test("a connection that broke is looked into at once", async (t) => {
  const target = await startNode(t);
  const { node, health, checks } = watch(t, target, { interval: 60_000 });
  await until(() => node.healthy);
  health.broke();
  await until(() => checks.length === 2);
  assert.equal(node.healthy, true, "it is there");
});

test("three requests in a row without an answer: down, and only an answer brings it back", async (t) => {
  const target = await startNode(t, { fault: "hang" });
  const { node, health, checks } = watch(t, target, { timeout: 50 });
  await until(() => node.healthy);
  for (let n = 0; n < 2; n++) health.timedOut(performance.now());
  assert.equal(node.healthy, true);
  health.timedOut(performance.now());
  assert.equal(node.healthy, false);
  const before = checks.length;
  await until(() => checks.length > before + 2);
  assert.equal(node.healthy, false, "it takes connections, and that is not enough");
  target.behave({ status: 404 });
  await until(() => node.healthy);
});

test("an answer in between shows that the node runs", async (t) => {
  const target = await startNode(t);
  const { node, health } = watch(t, target);
  await until(() => node.healthy);
  for (let n = 0; n < 6; n++) {
    health.timedOut(performance.now());
    if (n % 2 === 1) node.aliveAt = performance.now() + 1;
  }
  assert.equal(node.healthy, true);
});

test("nothing is checked any more after stop", async (t) => {
  const target = await startNode(t, { fault: "hang" });
  const { health, checks, changes } = watch(t, target, { path: "/", timeout: 100 });
  await until(() => target.begun === 1);
  health.stop();
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual([checks, changes], [[], []]);
});

test("a shorter interval counts from now on, not only after the check that was due by the longer one", async (t) => {
  const target = await startNode(t);
  const { health, checks } = watch(t, target, { interval: 3_600_000 });
  await until(() => checks.length === 1);
  health.configure({ interval: 20, timeout: 500, rise: 2, fall: 3, path: null });
  await until(() => checks.length > 3);
});
