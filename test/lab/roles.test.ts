/**
 * The roles on real hosts, without lbctl: a balancer and two nodes, from nothing to nothing. The tests of this file go
 * on from one another, in their order. Crashes of hosts, and what only lbctl does: test/hosts.
 */

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { after, test } from "node:test";
import { threeRequests } from "../hosts/cluster.ts";
import { underLoad } from "../hosts/load.ts";
import { until } from "../support/wait.ts";
import { LabCluster } from "./cluster.ts";
import { readLab } from "./lab.ts";
import { Playbooks, type Run } from "./playbook.ts";

const NODES = 2;
const ROOT = dirname(dirname(import.meta.dirname));
const folder = mkdtempSync(join(tmpdir(), "lbctl-roles-"));
after(() => rmSync(folder, { recursive: true, force: true }));
const books = new Playbooks(folder, readLab(), NODES);
const cluster = new LabCluster(NODES);
const { balancer } = cluster;
const hosts = [balancer, ...cluster.nodes];

test("check mode on fresh hosts goes through, says what it would do, and does nothing", async () => {
  const run = await books.play("site", "--check", "--diff");
  succeeded(run);
  assert.ok(run.changed > 0);
  for (const host of hosts) {
    assert.equal(host.shell("ls -d /opt/lbctl /etc/lbctl /etc/systemd/system/lb-* 2>/dev/null || true"), "");
  }
});

test("from nothing: register, login and changePassword work through port 80", async (t) => {
  const begun = performance.now();
  succeeded(await books.play("site"));
  t.diagnostic(`first deploy: ${Math.round((performance.now() - begun) / 1000)} s`);
  await cluster.inSync();
  await threeRequests(cluster.url, "ada");
});

test("a second run changes nothing, and check mode agrees", async (t) => {
  const begun = performance.now();
  const pids = processes();
  const run = await books.play("site");
  succeeded(run);
  t.diagnostic(`second deploy: ${Math.round((performance.now() - begun) / 1000)} s`);
  assert.equal(run.changed, 0, changes(run));
  const check = await books.play("site", "--check", "--diff");
  succeeded(check);
  assert.equal(check.changed, 0, changes(check));
  assert.deepEqual(processes(), pids);
});

test("the units are shut in: systemd-analyze security says at most 2.0", (t) => {
  for (const [host, unit] of [
    [balancer, "lb-proxy"],
    [cluster.nodes[0], "lb-app"],
  ] as const) {
    const said = host?.shell(`systemd-analyze security --no-pager ${unit}.service | tail -n 1`) ?? "";
    const exposure = Number(/: (\d+\.\d+) /.exec(said)?.[1]);
    t.diagnostic(`${unit}: ${exposure}`);
    assert.ok(exposure <= 2, said);
  }
});

test("the journal's key and the passwords can be read by those who need them alone", () => {
  const modes = balancer.shell(
    "stat -c '%n %U %G %a' /etc/lbctl/*.key /etc/lbctl/*.password /var/lib/lb-proxy",
  );
  assert.deepEqual(modes.trim().split("\n"), [
    "/etc/lbctl/journal.key root root 600",
    "/etc/lbctl/admin.password root lb-proxy 640",
    "/etc/lbctl/viewer.password root lb-proxy 640",
    "/var/lib/lb-proxy lb-proxy lb-proxy 700",
  ]);
});

test("the firewall lets in traffic and SSH; the rest only from the hosts that need it", async () => {
  const [node] = cluster.nodes;
  assert.ok(node);
  const open = async (host: { address: string }, ports: readonly number[]) => {
    const answers = await Promise.all(ports.map((port) => takesConnection(host.address, port)));
    return ports.filter((_, index) => answers[index]);
  };
  assert.deepEqual(await open(balancer, [22, 80, 1936, 9090, 9093, 9100, 3000]), [22, 80]);
  assert.deepEqual(await open(node, [22, 4567, 9100]), [22]);
  const fromBalancer = `curl -s -m 3 -o /dev/null -w '%{http_code}' http://${node.address}`;
  assert.equal(balancer.shell(`${fromBalancer}:4567/healthz`), "200");
  assert.equal(balancer.shell(`${fromBalancer}:9100/metrics`), "200");
});

test("Prometheus scrapes the balancer and every host, and knows the rules", async () => {
  const ask = (path: string) => JSON.parse(balancer.shell(`curl -s 'http://127.0.0.1:9090/api/v1/${path}'`));
  interface Target {
    readonly health: string;
    readonly labels: { readonly job: string; readonly instance: string };
  }
  const targets = (): Target[] => ask("targets").data.activeTargets;
  await until(() => targets().every(({ health }) => health === "up"), {
    timeout: 90_000,
    what: "all targets up",
  });
  const found = targets().map(({ labels }) => `${labels.job} ${labels.instance}`);
  const expected = [`lbctl ${balancer.address}:1936`, ...hosts.map(({ address }) => `node ${address}:9100`)];
  assert.deepEqual(found.toSorted(), expected.toSorted());
  const groups = ask("rules").data.groups as { file: string }[];
  assert.deepEqual([...new Set(groups.map(({ file }) => basename(file)))].toSorted(), [
    "lbctl-alerts.yaml",
    "lbctl-recordings.yaml",
  ]);
  assert.equal(ask("alertmanagers").data.activeAlertmanagers.length, 1);
});

/** A stand-in for the package: what Grafana itself makes of the files, no test here can say. */
test("Grafana's files are this repository's, where its package looks for them, and may be read by it", () => {
  const pairs = [
    ["provisioning/datasources/lbctl.yaml", "/etc/grafana/provisioning/datasources/lbctl.yaml"],
    ["provisioning/dashboards/lbctl.yaml", "/etc/grafana/provisioning/dashboards/lbctl.yaml"],
    ["dashboards/lbctl-overview.json", "/etc/grafana/lbctl/dashboards/lbctl-overview.json"],
  ] as const;
  for (const [ours, theirs] of pairs) {
    const text = balancer.shell(`runuser -u grafana -- cat ${theirs}`);
    assert.equal(text, readFileSync(join(ROOT, "grafana", ours), "utf8"), theirs);
  }
  const environment = balancer.shell("systemctl show -P Environment grafana-server");
  assert.match(environment, /LBCTL_DASHBOARDS=\/etc\/grafana\/lbctl\/dashboards/);
  assert.match(environment, /LBCTL_PROMETHEUS_URL=http:\/\/127\.0\.0\.1:9090/);
});

test("a setting that can change while running is reloaded", async () => {
  const before = cluster.pid(balancer, "lb-proxy");
  books.release("1", { lb_proxy_config: config({ health: { path: "/healthz", interval: "700ms" } }) });
  succeeded(await books.play("balancer"));
  assert.equal(cluster.pid(balancer, "lb-proxy"), before);
  assert.equal(cluster.status().reload?.ok, true);
});

test("a config that lb-proxy refuses is not put in place, and the balancer goes on", async () => {
  const before = [cluster.pid(balancer, "lb-proxy"), balancer.shell("sha256sum /etc/lbctl/proxy.yaml")];
  books.release("1", { lb_proxy_config: config({ writes: { sendTimeout: "9s" } }) });
  const run = await books.play("balancer");
  assert.equal(run.ok, false);
  assert.match(run.output, /writes.sendTimeout: expected/);
  assert.deepEqual(
    [cluster.pid(balancer, "lb-proxy"), balancer.shell("sha256sum /etc/lbctl/proxy.yaml")],
    before,
  );
  books.release("1");
});

test("a config that only the running balancer refuses is off the disk again", async () => {
  const onDisk = () =>
    balancer.shell("sha256sum /etc/lbctl/proxy.yaml && cmp /etc/lbctl/proxy.yaml /run/lb-proxy/proxy.yaml");
  const before = [cluster.pid(balancer, "lb-proxy"), onDisk()];
  const nodes = cluster.nodes.map(({ address }, index) => ({
    name: `app${index + 1}`,
    url: `http://${address}:4600`,
    empty: true,
  }));
  books.release("1", { lb_proxy_config: config({ nodes }) });
  const run = await books.play("balancer");
  assert.equal(run.ok, false);
  assert.match(run.output, /keep its name and url/);
  assert.deepEqual([cluster.pid(balancer, "lb-proxy"), onDisk()], before);
  books.release("1");
});

test("a balancer that cannot start fails the run at once, however often, and what mends it is taken", async () => {
  for (const interval of ["1s", "700ms"]) {
    books.release("1", {
      lb_proxy_config: { ...config({ health: { path: "/healthz", interval } }), cluster: "other" },
    });
    const run = await books.play("balancer");
    assert.equal(run.ok, false);
    assert.match(run.output, /Unable to restart service lb-proxy\.service/);
  }
  books.release("1");
  succeeded(await books.play("balancer"));
  await cluster.inSync();
});

test("an upgrade and a rollback under load: no request fails, none is cut, nothing is missing", (t) =>
  underLoad(t, cluster, async () => {
    books.release("2");
    succeeded(await books.play("balancer"));
    assert.equal(cluster.status().version, "0.1.0-2");
    succeeded(await books.play("rollback", "--limit=balancer"));
    assert.equal(cluster.status().version, "0.1.0-1");
  }));

test("the apps are upgraded one after the other under load: no request fails, nothing is missing", async (t) => {
  books.release("2");
  await underLoad(t, cluster, async () => succeeded(await books.play("apps")));
  for (const node of cluster.nodes) {
    assert.equal(
      node.shell("readlink /opt/lbctl/app/current /run/lb-app/current"),
      "releases/2\nreleases/2\n",
    );
  }
});

test("a balancer that hangs is started anew by the watchdog", async () => {
  const before = cluster.pid(balancer, "lb-proxy");
  balancer.shell(`kill -STOP ${before}`);
  const another = () => ![0, before].includes(cluster.pid(balancer, "lb-proxy"));
  await until(another, { timeout: 60_000, what: "another process" });
  await cluster.inSync();
});

test("a full disk is said before anything is changed, and the next run goes on", async () => {
  const [node] = cluster.nodes;
  node?.shell("mount -t tmpfs -o size=50m tmpfs /opt/lbctl");
  const run = await books.play("apps", "--limit=app1", "--tags=preflight");
  node?.shell("umount /opt/lbctl");
  assert.equal(run.ok, false);
  assert.match(
    run.output.replace(/\s+/g, " "),
    /expected 300 MiB free for \/opt\/lbctl, got \d+; make room and deploy again/,
  );
  assert.equal(node?.shell("systemctl is-active lb-app"), "active\n");
  succeeded(await books.play("apps", "--limit=app1", "--tags=preflight"));
});

test("a distribution that the roles don't know is named", async () => {
  const [node] = cluster.nodes;
  node?.shell("rm /etc/os-release; printf 'NAME=Fedora\\nID=fedora\\nVERSION_ID=41\\n' > /etc/os-release");
  const run = await books.play("apps", "--limit=app1", "--tags=preflight");
  node?.shell("ln -sf ../usr/lib/os-release /etc/os-release");
  assert.equal(run.ok, false);
  assert.match(
    run.output.replace(/\s+/g, " "),
    /expected Debian 12 or Ubuntu 24.04 with systemd, got Fedora 41/,
  );
});

test("a run that was cut off halfway is mended by the next: it looks at what is there, and starts anew for a setting", async () => {
  books.release("1", { lb_proxy_config: config({ health: { path: "/healthz" }, writes: { window: 24 } }) });
  succeeded(await books.play("balancer", "--tags=preflight,install,configure"));
  const before = cluster.pid(balancer, "lb-proxy");
  const run = await books.play("balancer");
  succeeded(run);
  assert.match(changes(run), /Compare what the balancer runs with/);
  assert.notEqual(cluster.pid(balancer, "lb-proxy"), before);
  await cluster.inSync();
});

test("a firewall that a run wrote and did not load is loaded by the next", async () => {
  books.release("1", { hardening_admin_addresses: ["192.0.2.9"] });
  succeeded(await books.play("hosts", "--tags=preflight,install,configure"));
  const loaded = () => balancer.shell("nft list table inet lbctl");
  assert.doesNotMatch(loaded(), /192\.0\.2\.9/);
  succeeded(await books.play("hosts"));
  assert.match(loaded(), /192\.0\.2\.9/);
});

test("destroy leaves nothing of lbctl on the hosts; a second one finds nothing to do", async () => {
  succeeded(await books.play("destroy"));
  const places =
    "/opt/lbctl /etc/lbctl /var/lib/lb-proxy /var/lib/lb-app /etc/systemd/system/lb-* /usr/local/bin/lb-proxy";
  for (const host of hosts) {
    assert.equal(host.shell(`ls -d ${places} 2>/dev/null || true`), "", host.name);
    assert.equal(host.shell("nft list tables"), "");
    assert.equal(host.shell("getent passwd lb-proxy lb-app || true"), "");
  }
  const again = await books.play("destroy");
  succeeded(again);
  assert.equal(again.changed, 0, changes(again));
});

function succeeded(run: Run): void {
  assert.ok(run.ok, run.output.slice(-6000));
}

function changes({ output }: Run): string {
  return [...output.matchAll(/^(?:TASK|RUNNING HANDLER) \[(.+)\] \*+\n(?:(?!\n\n)[\s\S])*?^changed: .+$/gm)]
    .map(([all]) => all)
    .join("\n");
}

function processes(): number[] {
  return [cluster.pid(balancer, "lb-proxy"), ...cluster.nodes.map((node) => cluster.pid(node, "lb-app"))];
}

/** The lab's config with other settings. */
function config(settings: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const nodes = cluster.nodes.map(({ address }, index) => ({
    name: `app${index + 1}`,
    url: `http://${address}:4567`,
    empty: true,
  }));
  return { cluster: "lab", nodes, app: { snapshot: "/lb/snapshot", digest: "/lb/digest" }, ...settings };
}

/** Whether something takes a connection there within two seconds. */
function takesConnection(host: string, port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect({ host, port });
  const end = (answer: boolean) => {
    socket.destroy();
    resolve(answer);
  };
  socket.setTimeout(2000, () => end(false));
  socket.once("connect", () => end(true)).once("error", () => end(false));
  return promise;
}
