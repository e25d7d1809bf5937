import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { portState } from "../../cli/ports.ts";
import { clusterProcesses, signal } from "../../cli/proc.ts";
import type { Change, Dashboards } from "../../cli/target.ts";
import type { ClusterStatus } from "../../cli/tools/render.ts";
import { ALERTS } from "../../grafana/alerts.ts";
import { BOARDS } from "../../grafana/files.ts";
import { RECORDINGS } from "../../grafana/recordings.ts";
import { grafanaStandIn, type Seen } from "../support/grafana-stand-in.ts";
import { withoutNodeExporter } from "../support/node-exporter.ts";
import { withoutPrometheus } from "../support/prometheus.ts";
import { until } from "../support/wait.ts";
import { type Ran, runLbctl } from "./lbctl.ts";
import { type TestCluster, testCluster } from "./support.ts";

/** A Prometheus of the system beside a local cluster; a stand-in for Grafana, which no distribution has. */

const skip = withoutPrometheus() || withoutNodeExporter();

interface DeployedJson {
  readonly changes: readonly Change[];
  readonly dashboards: Dashboards["dashboards"];
}

interface Target {
  readonly labels: { readonly job: string };
  readonly health: string;
}

interface Rule {
  readonly name: string;
  readonly health: string;
}

test("a Prometheus runs beside the cluster, sees it, and outlives scale, deploy and kill -9", {
  skip,
}, async (t) => {
  const cluster = await watchedCluster(t);
  // As a service of the system would.
  await listen(t, 9090, "0.0.0.0");
  const shown = await cluster.ok("deploy");
  const url = await prometheusOf(cluster);
  assert.notEqual(new URL(url).port, "9090");
  assert.match(shown, /Wait for Prometheus \(/);
  for (const text of [shown, await cluster.ok("status"), await cluster.ok("dashboard")])
    assert.ok(text.includes(`Prometheus   ${url}/alerts\n`), text);
  assert.match(await cluster.ok("plan"), /nothing to do/);

  await until(async () => allUp(await targets(url)), { timeout: 60_000, what: "targets up" });
  const rules = (await groups(url)).flatMap((group) => group.rules.map(({ name }) => name));
  assert.deepEqual(
    rules.toSorted(),
    [...ALERTS, ...RECORDINGS].map(({ name }) => name).toSorted(),
    "each rule, once",
  );

  const before = await pidOf(cluster, "prometheus");
  await cluster.ok("scale", "--nodes", "2");
  assert.deepEqual((await cluster.json<DeployedJson>("deploy")).changes, []);
  assert.equal(await pidOf(cluster, "prometheus"), before);
  // The new node is seen, with the targets as they were.
  await until(async () => (await query(url, 'lb_node_lag_records{node="app2"}')).length === 1, {
    timeout: 60_000,
    what: "app2 in Prometheus",
  });

  const balancer = await pidOf(cluster, "balancer");
  kill(cluster, "supervisor");
  assert.deepEqual(await groups(url).then((found) => found.length > 0), true);
  await cluster.ok("deploy");
  assert.equal(await pidOf(cluster, "prometheus"), before);
  assert.equal(await pidOf(cluster, "balancer"), balancer);

  const first = await oldest(url);
  kill(cluster, "prometheus");
  await until(async () => (await pidOf(cluster, "prometheus").catch(() => before)) !== before);
  await until(async () =>
    (await cluster.json<Dashboards>("dashboard")).dashboards.every(({ answers }) => answers),
  );
  assert.equal(await oldest(url), first, "its data is still there");
  await until(async () => allUp(await targets(url)), { timeout: 60_000, what: "targets up again" });

  const password = readFileSync(cluster.state.adminPassword, "utf8").trim();
  const config = readFileSync(join(cluster.state.monitoring, "prometheus/prometheus.yml"), "utf8");
  assert.ok(config.includes(cluster.state.adminPassword) && !config.includes(password));
  await cluster.ok("destroy", "--yes");
  assert.deepEqual(clusterProcesses(cluster.state.dir), []);
  assert.equal(await portState(Number(new URL(url).port)), "free");
  assert.deepEqual(readdirSync(cluster.dir), ["lbctl.yaml"]);
});

test("Grafana starts with the files of grafana/ (a stand-in looks at them); monitoring: off ends it", {
  skip,
}, async (t) => {
  const cluster = await watchedCluster(t);
  const grafana = grafanaStandIn(t);
  const shown = await ok(cluster, grafana.bin, "deploy");
  const url = await prometheusOf(cluster);
  const [board] = (await cluster.json<Dashboards>("dashboard")).dashboards;
  assert.match(board?.url ?? "", /^http:\/\/127\.0\.0\.1:\d+\/d\/lbctl-overview$/);
  assert.equal(board?.answers, true);
  assert.ok(shown.includes(`Grafana      ${board?.url}\n`), shown);
  assert.equal((await fetch(board?.url ?? "")).status, 200);

  const seen = (await (await fetch(new URL("/seen", board?.url))).json()) as Seen;
  assert.equal(seen.argv[1], `--homepath=${grafana.home}`);
  assert.deepEqual(
    seen.datasources.map((one) => one.url),
    [url],
  );
  assert.deepEqual(seen.boards.toSorted(), BOARDS.map(({ uid }) => uid).toSorted());
  const { GF_AUTH_ANONYMOUS_ORG_ROLE: role, GF_SERVER_HTTP_ADDR: address } = seen.env;
  assert.deepEqual([role, address], ["Viewer", "127.0.0.1"]);
  const password = readFileSync(cluster.state.adminPassword, "utf8").trim();
  assert.ok(!JSON.stringify(seen).includes(password));

  // Without it on the PATH, too: what runs is kept. A killed supervisor's successor knows it again.
  const before = await pidOf(cluster, "grafana");
  assert.deepEqual((await cluster.json<DeployedJson>("deploy")).changes, []);
  kill(cluster, "supervisor");
  await cluster.ok("deploy");
  assert.equal(await pidOf(cluster, "grafana"), before);

  const balancer = await pidOf(cluster, "balancer");
  await cluster.write("monitoring: off\n");
  const { changes, dashboards } = await cluster.json<DeployedJson>("deploy");
  assert.deepEqual(
    changes.map(({ action, what }) => `${action} ${what}`),
    ["remove prometheus", "remove nodeExporter", "remove grafana"],
  );
  assert.deepEqual(dashboards, []);
  const left = clusterProcesses(cluster.state.dir).map(({ name }) => name);
  assert.deepEqual(left.toSorted(), ["app1", "balancer", "supervisor"]);
  assert.equal(await pidOf(cluster, "balancer"), balancer);
  assert.match(await cluster.ok("deploy"), /nothing to do/);
});

test("a Grafana that does not come up holds up nothing, and is told of", { skip }, async (t) => {
  const cluster = await watchedCluster(t);
  const { bin } = grafanaStandIn(t, 'console.log("no database"); process.exit(1);');
  const deployed = await ok(cluster, bin, "deploy");
  assert.match(deployed, /Grafana +\S+ {3}does not answer: lbctl logs grafana\n/);
  assert.match(await cluster.ok("logs", "grafana"), /no database/);
  assert.match(await cluster.ok("status"), /grafana keeps ending \(exit code 1/);
  await cluster.ok("scale", "--nodes", "2");
  assert.equal((await cluster.json<ClusterStatus>("status")).balancer?.inSync, 2);
});

test("a port that lbctl.yaml names for Prometheus is its port, or the deploy says who has it", {
  skip,
}, async (t) => {
  const cluster = await watchedCluster(t);
  const port = cluster.ports.apps + 9;
  const server = await listen(t, port, "127.0.0.1");
  const ports = `ports: { traffic: ${cluster.ports.traffic}, admin: ${cluster.ports.admin}, apps: ${cluster.ports.apps}, prometheus: ${port} }`;
  await writeFile(join(cluster.dir, "lbctl.yaml"), `nodes: 1\n${ports}\n`);
  const refused = await cluster.lbctl("deploy");
  assert.equal(refused.code, 1);
  assert.match(
    refused.stderr,
    new RegExp(`ports/prometheus: expected port ${port} to be free, got pid ${process.pid}`),
  );
  assert.ok(!existsSync(cluster.state.processes));
  await new Promise((resolve) => server?.close(resolve));
  await cluster.ok("deploy");
  assert.equal(await prometheusOf(cluster), `http://127.0.0.1:${port}`);
});

async function watchedCluster(t: TestContext): Promise<TestCluster> {
  const cluster = await testCluster(t, 1);
  await cluster.write("monitoring: auto\n");
  return cluster;
}

/** With one more folder on the PATH. */
async function ok(cluster: TestCluster, bin: string, ...args: string[]): Promise<string> {
  const ran: Ran = await runLbctl(cluster.dir, args, { env: { PATH: `${bin}:${process.env.PATH}` } });
  assert.equal(ran.code, 0, ran.stdout + ran.stderr);
  return ran.stdout;
}

async function prometheusOf(cluster: TestCluster): Promise<string> {
  const { dashboards } = await cluster.json<Dashboards>("dashboard");
  const found = dashboards.find(({ process }) => process === "prometheus");
  assert.equal(found?.answers, true);
  return new URL(found.url).origin;
}

async function pidOf(cluster: TestCluster, name: string): Promise<number> {
  const { processes } = await cluster.json<ClusterStatus>("status");
  const found = processes.find((one) => one.name === name);
  assert.equal(found?.state, "running", name);
  return found.pid ?? assert.fail(name);
}

function kill({ state }: TestCluster, name: string): void {
  const found = clusterProcesses(state.dir).find((one) => one.name === name);
  assert.ok(found && signal(found, "SIGKILL"), name);
}

/** @returns null where somebody else listens there already: just as well */
async function listen(t: TestContext, port: number, host: string): Promise<Server | null> {
  const server = createServer();
  const listening = await new Promise<boolean>((resolve) => {
    server.once("error", () => resolve(false));
    server.listen({ port, host, exclusive: true }, () => resolve(true));
  });
  t.after(() => server.close());
  return listening ? server : null;
}

async function ask<T>(url: string, path: string): Promise<T> {
  const { data } = (await (await fetch(url + path)).json()) as { data: T };
  return data;
}

async function targets(url: string): Promise<readonly Target[]> {
  return (await ask<{ activeTargets: readonly Target[] }>(url, "/api/v1/targets")).activeTargets;
}

function allUp(found: readonly Target[]): boolean {
  return found.length === 2 && found.every(({ health }) => health === "up");
}

async function groups(url: string): Promise<readonly { readonly rules: readonly Rule[] }[]> {
  const found = await ask<{ groups: readonly { rules: readonly Rule[] }[] }>(url, "/api/v1/rules");
  assert.ok(found.groups.flatMap(({ rules }) => rules).every(({ health }) => health !== "err"));
  return found.groups;
}

async function query(url: string, text: string): Promise<readonly { value: [number, string] }[]> {
  const path = `/api/v1/query?${new URLSearchParams({ query: text })}`;
  return (await ask<{ result: readonly { value: [number, string] }[] }>(url, path)).result;
}

/** When the balancer was first seen, in s. */
async function oldest(url: string): Promise<string> {
  const [found] = await query(url, 'min_over_time(timestamp(up{job="lbctl"})[1h:1s])');
  return found?.value[1] ?? assert.fail("no sample of up");
}
