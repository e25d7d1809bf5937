import assert from "node:assert/strict";
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { loadClusterConfig } from "../../cli/config-file.ts";
import { chooseMonitoring } from "../../cli/local/monitoring/choice.ts";
import { monitoringFindings } from "../../cli/local/monitoring/doctor.ts";
import { monitoringOf } from "../../cli/local/monitoring/files.ts";
import { findProgram } from "../../cli/local/monitoring/programs.ts";
import { monitoringSpecs } from "../../cli/local/monitoring/specs.ts";
import { statePaths } from "../../cli/state.ts";
import { renderProxyConfig } from "../../cli/tools/proxy-config.ts";
import { renderFindings } from "../../cli/tools/render.ts";
import { withoutPrometheus } from "../support/prometheus.ts";
import { tempFolder } from "../support/temp-folder.ts";

const state = statePaths("/a dir [1]", "blue");
const CHOICE = {
  prometheus: { executable: "/usr/bin/prometheus", home: null, port: 9091 },
  nodeExporter: { executable: "/usr/bin/node_exporter", home: null, port: 9101 },
  grafana: { executable: "/usr/share/grafana/bin/grafana", home: "/usr/share/grafana", port: 3001 },
};

async function configIn(folder: string, text: string) {
  writeFileSync(join(folder, "lbctl.yaml"), text);
  return await loadClusterConfig(join(folder, "lbctl.yaml"));
}

async function files(admin = 1936) {
  const config = await loadClusterConfig();
  const proxyConfig = renderProxyConfig({ ...config, ports: { ...config.ports, admin } }, state, []);
  return monitoringOf(CHOICE, proxyConfig, state).files;
}

test("the command lines: loopback, bounded, and nothing that other pages in a browser could read", async () => {
  const dir = "/a dir [1]/.lbctl/blue/monitoring";
  const [prometheus, nodeExporter, grafana] = monitoringSpecs(CHOICE, await files(), state);
  assert.deepEqual(prometheus?.argv, [
    "/usr/bin/prometheus",
    `--config.file=${dir}/prometheus/prometheus.yml`,
    `--storage.tsdb.path=${dir}/prometheus/data`,
    "--storage.tsdb.retention.time=31d",
    "--storage.tsdb.retention.size=1GB",
    "--web.listen-address=127.0.0.1:9091",
    "--web.cors.origin=http://127\\.0\\.0\\.1:9091",
    "--enable-feature=exemplar-storage",
    "--log.format=json",
  ]);
  assert.equal(nodeExporter?.argv[1], "--web.listen-address=127.0.0.1:9101");
  assert.deepEqual(grafana?.argv, [
    "/usr/share/grafana/bin/grafana",
    "server",
    "--homepath=/usr/share/grafana",
    `--config=${dir}/grafana/lbctl.ini`,
  ]);
  assert.equal(grafana?.env?.LBCTL_PROMETHEUS_URL, "http://127.0.0.1:9091");
  assert.equal(grafana?.env?.GF_SERVER_HTTP_ADDR, "127.0.0.1");
});

test("an older Grafana has a program for the server alone", async () => {
  const old = { ...CHOICE, grafana: { ...CHOICE.grafana, executable: "/usr/sbin/grafana-server" } };
  const grafana = monitoringSpecs(old, {}, state).at(-1);
  assert.equal(grafana?.argv[1], "--homepath=/usr/share/grafana");
});

test("Prometheus' config: this cluster's addresses, the password by its file, the folder taken literally", async () => {
  const text = (await files())["prometheus/prometheus.yml"] ?? "";
  for (const line of [
    "password_file: /a dir [1]/.lbctl/blue/admin.password",
    "/a dir \\[1\\]/.lbctl/blue/monitoring/prometheus/rules/*.yaml",
    "- 127.0.0.1:1936",
    "- 127.0.0.1:9101",
  ])
    assert.ok(text.includes(line), `${line}\n${text}`);
});

test("what is read at start makes another revision, so it is started anew; the number of nodes is none of it", async () => {
  const revisions = async (admin: number) =>
    monitoringSpecs(CHOICE, await files(admin), state).map(({ revision }) => revision);
  const [before, same, moved] = [await revisions(1936), await revisions(1936), await revisions(1937)];
  assert.deepEqual(same, before);
  assert.notEqual(moved[0], before[0], "Prometheus");
  assert.deepEqual(moved.slice(1), before.slice(1), "not the others");
});

test("Grafana is found through the script of a package: the binary in its home is what runs", (t) => {
  const folder = tempFolder(t);
  const [sbin, home] = [join(folder, "sbin"), join(folder, "home")];
  for (const dir of [sbin, join(home, "bin"), join(home, "conf")]) mkdirSync(dir, { recursive: true });
  writeFileSync(join(home, "conf/defaults.ini"), "");
  writeFileSync(join(home, "bin/grafana"), "#!/bin/sh\n");
  chmodSync(join(home, "bin/grafana"), 0o755);
  symlinkSync(join(home, "bin/grafana"), join(sbin, "grafana"));
  assert.deepEqual(findProgram("grafana", sbin), { executable: join(home, "bin/grafana"), home });
});

test("something else that is called grafana, and a file that can't be run, are passed over", (t) => {
  const folder = tempFolder(t);
  writeFileSync(join(folder, "grafana"), "#!/bin/sh\n");
  chmodSync(join(folder, "grafana"), 0o755);
  writeFileSync(join(folder, "prometheus"), "");
  for (const name of ["grafana", "prometheus"] as const)
    assert.ok(!findProgram(name, folder)?.executable.startsWith(folder), name);
});

test("ports: none of the cluster's own, nor those kept for nodes to come, nor one named for another", {
  skip: withoutPrometheus(),
}, async (t) => {
  const folder = tempFolder(t);
  const config = await configIn(folder, "ports: { apps: 9090, grafana: 9099, traffic: 9100 }\n");
  const { prometheus } = await chooseMonitoring(config, statePaths(folder, "default"));
  assert.ok(prometheus && prometheus.port > 9100, String(prometheus?.port));
});

test("monitoring: off chooses nothing", async (t) => {
  const folder = tempFolder(t);
  const config = await configIn(folder, "monitoring: off\n");
  assert.deepEqual(await chooseMonitoring(config, statePaths(folder, "default")), {});
});

test("doctor: what is not installed is no fault; it says how to get it, unless monitoring is off", () => {
  const findings = monitoringFindings({ monitoring: "auto" }, (name) =>
    name === "prometheus" ? { executable: "/usr/bin/prometheus", home: null } : null,
  );
  const shown = renderFindings("local", findings);
  assert.match(shown, /✔ {2}Prometheus +\/usr\/bin\/prometheus/);
  assert.match(shown, /- {2}Grafana +not installed/);
  assert.match(shown, /nothing is missing for target local\n\nNot needed, but good to have:\n/);
  assert.match(shown, / {2}Grafana: .*https:\/\/grafana\.com\/.*lbctl deploy/);
  assert.deepEqual(monitoringFindings({ monitoring: "off" }), []);
});
