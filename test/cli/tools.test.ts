import assert from "node:assert/strict";
import { test } from "node:test";
import { stripVTControlCharacters } from "node:util";
import { awsSchema } from "../../cli/aws/aws-config.ts";
import type { ClusterConfig } from "../../cli/cluster-config.ts";
import { backoff } from "../../cli/local/backoff.ts";
import { type ClusterRecord, digest, type Goal, goalOf, type Programs } from "../../cli/local/goal.ts";
import type { Observed } from "../../cli/local/observed.ts";
import { planChanges } from "../../cli/local/plan.ts";
import { appSpec, balancerSpec, supervisorArgv } from "../../cli/local/specs.ts";
import { differences } from "../../cli/operations/verify.ts";
import { startTimeOf } from "../../cli/proc.ts";
import { statePaths } from "../../cli/state.ts";
import { bytes, count, duration, plural, shellWord } from "../../cli/tools/format.ts";
import { renderLogLine } from "../../cli/tools/log-lines.ts";
import { renderProxyConfig } from "../../cli/tools/proxy-config.ts";
import { table } from "../../cli/tools/table.ts";
import { checkConfig } from "../../proxy/config/config.ts";

const state = statePaths("/a dir", "blue");
const program = (file: string) => ({ node: "/node", file, revision: "b1" });
const programs: Programs = { proxy: program("/proxy.mjs"), app: program("/app.mjs") };
const config: ClusterConfig = {
  file: null,
  dir: "/a dir",
  name: "blue",
  target: "local",
  nodes: 2,
  ports: {
    traffic: 8080,
    admin: 1936,
    apps: 4567,
    prometheus: null,
    nodeExporter: null,
    grafana: null,
  },
  admin: { user: "admin" },
  tls: null,
  monitoring: "off",
  proxy: {},
  hosts: null,
  app: { kind: "reference" },
  aws: awsSchema.parse({}),
};

test("the balancer's command line", () => {
  assert.deepEqual(balancerSpec(programs.proxy, state, 20_000), {
    name: "balancer",
    argv: ["/node", "/proxy.mjs", "run", "--config", "/a dir/.lbctl/blue/proxy.json"],
    revision: "b1",
    stopTimeout: 25_000,
  });
});

test("the balancer gets the time to drain that lbctl.yaml gives it", () => {
  const { processes } = goalFor({ ...config, proxy: { drainTimeout: "1m" } });
  assert.equal(processes.at(-1)?.stopTimeout, 65_000);
});

test("a node's command line", () => {
  assert.deepEqual(appSpec(programs.app, state, "app2", 4568), {
    name: "app2",
    argv: [
      "/node",
      "/app.mjs",
      "--name",
      "app2",
      "--port",
      "4568",
      "--data",
      "/a dir/.lbctl/blue/nodes/app2/data.sqlite",
    ],
    revision: "b1",
    stopTimeout: 10_000,
  });
});

test("the supervisor's command line", () => {
  assert.deepEqual(supervisorArgv(program("/s.mjs"), "/a dir", "blue"), [
    "/node",
    "/s.mjs",
    "/a dir",
    "blue",
  ]);
});

test("lb-proxy's config is what lb-proxy takes", () => {
  const rendered = goalOf(config, null, programs, state).proxyConfig;
  const taken = checkConfig(rendered, "/");
  assert.equal(taken.cluster, "blue");
  assert.equal(taken.health.path, "/healthz");
  assert.deepEqual(rendered.nodes, [
    { name: "app1", url: "http://127.0.0.1:4567", empty: true },
    { name: "app2", url: "http://127.0.0.1:4568", empty: true },
  ]);
});

test("overrides are merged by section, and ack goes to the default routes", () => {
  const rendered = renderProxyConfig({ ...config, proxy: { ack: "quorum", health: { rise: 5 } } }, state, []);
  assert.deepEqual(rendered.health, { path: "/healthz", rise: 5 });
  assert.ok(!("ack" in rendered));
  assert.equal((rendered.routes as { ack?: string }[])[0]?.ack, "quorum");
});

test("plan: nothing deployed: all is made", () => {
  assert.deepEqual(
    changed(goalFor(config), { record: null, proxyConfig: null, wanted: null, supervisor: null }),
    ["create app1", "create app2", "create balancer"],
  );
});

test("plan: as it is wanted: nothing", () => {
  assert.deepEqual(changed(goalFor(config), deployed(config)), []);
});

test("plan: more nodes, fewer nodes", () => {
  assert.deepEqual(changed(goalFor({ ...config, nodes: 3 }), deployed(config)), ["add app3"]);
  assert.deepEqual(changed(goalFor({ ...config, nodes: 1 }), deployed(config)), ["remove app2"]);
});

test("plan: a setting that is reloaded names its path and both values", () => {
  const changes = planChanges(
    goalFor({ ...config, proxy: { health: { interval: "2s" } } }),
    deployed(config),
  );
  assert.deepEqual(changes, [{ action: "change", what: "health/interval", detail: "(default) → 2s" }]);
});

test("plan: another port restarts the balancer", () => {
  const moved = { ...config, ports: { ...config.ports, traffic: 8081 } };
  assert.deepEqual(changed(goalFor(moved), deployed(config)), ["change listen", "restart balancer"]);
});

test("plan: other ports of the apps restart everything, the balancer, too, and say what that means", () => {
  const moved = { ...config, ports: { ...config.ports, apps: 4800 } };
  const changes = planChanges(goalFor(moved), deployed(config));
  assert.deepEqual(
    changes.map(({ action, what }) => `${action} ${what}`),
    ["change app1", "change app2", "restart balancer", "restart app1", "restart app2"],
  );
  assert.match(changes[2]?.detail ?? "", /requests fail meanwhile/);
});

test("plan: another build restarts every process", () => {
  const rebuilt = { ...programs.app, revision: "b2" };
  const goal = goalOf(config, null, { ...programs, app: rebuilt }, state);
  assert.deepEqual(changed(goal, deployed(config)), ["restart app1", "restart app2"]);
});

test("plan: a supervisor that was killed is started", () => {
  assert.deepEqual(changed(goalFor(config), { ...deployed(config), supervisor: null }), ["start supervisor"]);
});

test("plan: what an interrupted command left is finished", () => {
  const before = deployed(config);
  assert.ok(before.record);
  const unloaded = { ...before, record: { ...before.record, loaded: null } };
  assert.deepEqual(changed(goalFor(config), unloaded), ["reload balancer"]);
  const draining = { ...before, record: { ...before.record, leaving: ["app2"] } };
  assert.deepEqual(changed(goalFor(config), draining), ["add app2"]);
});

test("the number that was scaled to counts where lbctl.yaml says none", () => {
  const record: ClusterRecord = {
    format: 1,
    name: "blue",
    target: "local",
    nodes: 5,
    loaded: null,
    leaving: [],
  };
  assert.equal(goalOf({ ...config, nodes: null }, record, programs, state).nodes.length, 5);
  assert.equal(goalOf({ ...config, nodes: null }, null, programs, state).nodes.length, 3);
  assert.equal(goalOf({ ...config, nodes: 4 }, record, programs, state).nodes.length, 4);
});

test("backoff grows from 100 ms to 10 s", () => {
  assert.deepEqual([1, 2, 3, 7, 8, 50].map(backoff), [100, 200, 400, 6400, 10_000, 10_000]);
});

test("verify names every difference, and every node that was not compared", () => {
  const node = { name: "app1", state: "in-sync", cursor: 7, digest: "a", error: null } as const;
  const other = { ...node, name: "app2" };
  const third = { ...node, name: "app3", digest: "b" };
  const same = { seq: { app1: 7, app2: 7, app3: 7 }, nodes: [node, other], equal: true, head: 7 };
  assert.deepEqual(differences(same), []);
  assert.deepEqual(differences({ ...same, nodes: [third, node, other], equal: false }), [
    "expected the same digest of every node, got 2: app1, app2 | app3",
  ]);
  assert.deepEqual(differences({ ...same, seq: { app1: 7, app2: 6 } }), [
    "expected every digest at the same write, got app1 7, app2 6",
  ]);
  const out = {
    ...third,
    digest: null,
    state: "maint",
    error: "it gets no writes: maint (by an operator)",
  } as const;
  assert.deepEqual(differences({ ...same, nodes: [node, other, out], equal: null }), [
    "app3 is not comparable: it gets no writes: maint (by an operator)",
  ]);
  const drained = { ...other, state: "draining" } as const;
  assert.deepEqual(differences({ ...same, nodes: [node, drained] }), [], "it gets every write");
});

test("values as people read them", () => {
  assert.deepEqual([0, 850, 4200, 12_000, 200_000, 18_180_000, 187_200_000].map(duration), [
    "0 ms",
    "850 ms",
    "4.2 s",
    "12 s",
    "3 min 20 s",
    "5 h 3 min",
    "2 d 4 h",
  ]);
  assert.deepEqual([bytes(412), bytes(1536), bytes(1024 ** 3)], ["412 B", "1.5 KiB", "1.0 GiB"]);
  assert.deepEqual([count(12_345), plural(1, "node"), plural(2, "node")], ["12,345", "1 node", "2 nodes"]);
});

test("a path with a space or a quote can be pasted", () => {
  assert.equal(shellWord("/a/b.txt"), "/a/b.txt");
  assert.equal(shellWord("/a dir/it's"), `'/a dir/it'\\''s'`);
});

test("a table is as wide as its widest cells", () => {
  const text = table(
    [{ title: "A" }, { title: "B", right: true }],
    [
      ["long cell", "1"],
      ["x", "22"],
    ],
  );
  assert.equal(stripVTControlCharacters(text), "A           B\nlong cell   1\nx          22");
});

test("log lines: pino's JSON and anything else", () => {
  const line = JSON.stringify({
    level: 40,
    time: 0,
    pid: 7,
    node: "app 1",
    msg: "node state",
    err: { message: "x" },
  });
  assert.match(
    stripVTControlCharacters(renderLogLine(line, "balancer")),
    /^\d\d:\d\d:\d\d\.000 balancer {3}warn {2}node state node="app 1" error=x$/,
  );
  assert.match(stripVTControlCharacters(renderLogLine("listening", "app1")), /^ +app1 +listening$/);
  assert.match(stripVTControlCharacters(renderLogLine('{"half', "app1")), /\{"half$/);
});

function goalFor(wanted: ClusterConfig): Goal {
  return goalOf(wanted, null, programs, state);
}

/** As if `wanted` ran; this test's own process stands for all of them. */
function deployed(wanted: ClusterConfig): Observed {
  const { proxyConfig, processes, nodes } = goalFor(wanted);
  const self = { pid: process.pid, startTime: ownStartTime() };
  return {
    record: {
      format: 1,
      name: "blue",
      target: "local",
      nodes: nodes.length,
      loaded: digest(proxyConfig),
      leaving: [],
    },
    proxyConfig,
    wanted: { serial: 1, processes },
    supervisor: {
      ...self,
      serial: 1,
      build: "b1",
      processes: processes.map(({ name, revision }) => ({
        ...self,
        name,
        revision,
        state: "running",
        restarts: 0,
        failures: 0,
        lastExit: null,
      })),
    },
  };
}

function ownStartTime(): number {
  return startTimeOf(process.pid) ?? 0;
}

function changed(goal: Goal, observed: Observed): string[] {
  return planChanges(goal, observed).map(({ action, what }) => `${action} ${what}`);
}
