/**
 * A cluster on real hosts from nothing to nothing: its growth, an upgrade and a rollback, crashes, all under load. One
 * story, whose parts go on from one another.
 */
import assert from "node:assert/strict";
import { copyFileSync, globSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { Status } from "../../proxy/api.ts";
import { LabCluster } from "../lab/cluster.ts";
import { LabHost } from "../lab/host.ts";
import { rootFilesystem } from "../lab/root-filesystem.ts";
import { until } from "../support/wait.ts";
import { anotherBuild, type HostsCluster, hostsCluster, threeRequests } from "./cluster.ts";
import { loadOn, more, report, underLoad } from "./load.ts";

interface Deployed {
  readonly changes: readonly { readonly what: string }[];
}

interface Shown {
  readonly balancer: Status;
  readonly processes: readonly { readonly name: string; readonly state: string }[];
}

interface Pages {
  readonly dashboards: readonly {
    readonly process: string;
    readonly url: string;
    readonly answers: boolean;
  }[];
}

/** Nearly all that any command says is in this. */
interface Failed {
  readonly error: { readonly code: string; readonly message: string };
}

const lab = new LabCluster(3);

test("target hosts, from nothing", { timeout: 3_600_000 }, async (t) => {
  const cluster = hostsCluster(t);
  const other = hostsCluster(t);
  const monitoring = `{ prometheus: artifacts, grafana: artifacts, artifacts: ${packages(cluster)} }`;
  for (const { write } of [cluster, other]) write(3, { monitoring });

  await t.test("plan says what a deploy would do, and does nothing", async () => {
    const changes = await cluster.json<{ what: string }[]>("plan");
    assert.ok(
      ["app1", "app2", "app3", "balancer"].every((host) => changes.some(({ what }) => what.startsWith(host))),
    );
    assert.equal((await cluster.lbctl("status")).code, 1, "nothing is deployed");
    for (const host of [lab.balancer, ...lab.nodes]) {
      assert.equal(host.shell("ls -d /opt/lbctl /etc/lbctl 2>/dev/null || true"), "", host.name);
    }
  });

  await t.test("deploy: register, changePassword and login work; another operator is kept out", async (t) => {
    const started = performance.now();
    const deploy = cluster.ok("deploy");
    await Promise.all([deploy, isRefused(cluster, other)]);
    t.diagnostic(`first deploy: ${Math.round((performance.now() - started) / 1000)} s`);
    await threeRequests(cluster.url, "ada");
    assert.match(await cluster.ok("verify"), /every node holds the same/);
  });

  await t.test("a second deploy changes nothing, whoever does it: the hosts know the cluster", async (t) => {
    const started = performance.now();
    const { changes } = await other.json<Deployed>("deploy");
    t.diagnostic(`second deploy: ${Math.round((performance.now() - started) / 1000)} s`);
    assert.deepEqual(changes, []);
    assert.equal((await other.json<Shown>("status")).balancer.inSync, 3);
  });

  await t.test("status, nodes, logs, writes, dashboard and the audit log tell of the hosts", () =>
    look(cluster),
  );

  await t.test(
    "a node's host and the balancer's crash under load: all comes back by itself, nothing is missing",
    (t) => crashes(t, cluster),
  );

  await t.test("scale from 3 to 5 nodes under load, and back", async (t) => {
    await underLoad(t, new LabCluster(5), () => cluster.ok("scale", "--nodes", "5"));
    assert.equal((await cluster.json<Shown>("status")).balancer.inSync, 5);
    assert.match(readFileSync(join(cluster.dir, "lbctl.yaml"), "utf8"), /^nodes: 5 # kept$/m);
    await underLoad(t, lab, () => cluster.ok("scale", "--nodes", "3"));
    const left = new LabHost(6).shell(
      "systemctl is-active lb-app || true; ls -A /var/lib/lb-app 2>&1 || true",
    );
    assert.match(left, /inactive[\s\S]*No such/);
  });

  const before = cluster.record()?.releases;
  const [build, broken] = [await anotherBuild(t), await anotherBuild(t, "process.exit(1);")];
  await t.test(
    "an upgrade under load: to an app that does not start, then to a better one, with Ctrl-C in its middle",
    async (t) => {
      await underLoad(t, lab, async () => {
        cluster.use(broken);
        await stopsAtTheFirstNode(cluster);
        cluster.use(build);
        const { child, ended } = cluster.start("deploy");
        const running = await child;
        // The first one is out since the release before.
        await until(() => cluster.record()?.takenOut.includes("app2") ?? false, {
          timeout: 600_000,
          what: "a node being upgraded",
        });
        running.kill("SIGINT");
        const { code, stderr } = await ended;
        assert.equal(code, 1);
        assert.match(stderr, /stopped by SIGINT/);
        await cluster.ok("deploy");
      });
      assert.notDeepEqual(cluster.record()?.releases, before);
      assert.deepEqual(running(), Array(4).fill(true), "every host runs the release that is the current one");
      assert.match(await cluster.ok("verify"), /every node holds the same/);
    },
  );

  await t.test("and back under load: the release before reads the journal that this one wrote", async (t) => {
    await underLoad(t, lab, () => cluster.ok("rollback"));
    assert.deepEqual(cluster.record()?.releases, before);
    assert.deepEqual(running(), Array(4).fill(true));
  });

  await t.test("destroy leaves no unit, no data and no state directory", async () => {
    await cluster.ok("destroy", "--yes");
    for (const host of [lab.balancer, ...lab.nodes]) {
      const said = host.shell(
        "ls -d /opt/lbctl /etc/lbctl /var/lib/lb-proxy /var/lib/lb-app /etc/systemd/system/lb-* 2>/dev/null || true",
      );
      assert.equal(said, "", host.name);
    }
    assert.equal((await cluster.lbctl("status")).code, 1);
  });
});

/** The packages of Prometheus and of the stand-in for Grafana, as a user whose hosts have no way out has them. */
function packages({ dir }: HostsCluster): string {
  const folder = join(dir, "packages");
  mkdirSync(folder);
  const baked = join(rootFilesystem(), "srv/packages");
  copyFileSync(join(baked, "grafana.deb"), join(folder, "grafana_1_amd64.deb"));
  for (const name of globSync("prometheus_*.deb", { cwd: baked })) {
    copyFileSync(join(baked, name), join(folder, name));
  }
  return folder;
}

/** While one deploys. */
async function isRefused(cluster: HostsCluster, other: HostsCluster): Promise<void> {
  await until(() => (cluster.record()?.installing ?? null) !== null, {
    timeout: 60_000,
    what: "the deploy having the lock",
  });
  const { code, stdout } = await other.lbctl("deploy", "--json");
  assert.equal(code, 1, stdout);
  const { error } = JSON.parse(stdout) as Failed;
  assert.equal(error.code, "host_locked");
  assert.match(
    error.message,
    /^expected to be alone on the balancer's host .*, got "lbctl deploy" by \S+@\S+/,
  );
}

async function look(cluster: HostsCluster): Promise<void> {
  const { balancer, processes } = await cluster.json<Shown>("status");
  assert.equal(balancer.inSync, 3);
  assert.deepEqual(
    processes.map(({ name, state }) => `${name} ${state}`),
    ["balancer running", "app1 running", "app2 running", "app3 running"],
  );
  assert.match(await cluster.ok("logs", "balancer", "--lines", "500"), /app1/);
  assert.match(await cluster.ok("writes", "list"), /changePassword/);
  assert.equal((await cluster.lbctl("nodes", "drain", "app2")).code, 0);
  assert.match(await cluster.ok("nodes", "list"), /app2 +draining/);
  assert.equal((await cluster.lbctl("nodes", "ready", "app2")).code, 0);
  assert.match(await cluster.ok("nodes", "list"), /app2 +in-sync/);
  const log = lab.balancer.shell("cat /var/lib/lbctl/audit.log").trim().split("\n");
  const entries = log.map((line) => JSON.parse(line) as { command: string; user: string });
  assert.ok(entries.some(({ command }) => command === "nodes drain app2"));
  assert.ok(entries.every(({ user }) => user.includes("@")));
  const { dashboards } = await cluster.json<Pages>("dashboard");
  assert.deepEqual(
    dashboards.map(({ process, answers }) => `${process} ${answers}`),
    // No Grafana is in the stand-in.
    ["grafana false", "prometheus true"],
  );
  const [password = ""] = readFileSync(join(cluster.dir, ".lbctl/lab/admin.password"), "utf8").split("\n");
  const authorization = `Basic ${Buffer.from(`admin:${password}`).toString("base64")}`;
  const page = await fetch(`${cluster.url}:1936/`, { headers: { authorization } });
  assert.equal(page.status, 200, "this machine is one of adminAddresses");
}

/** SIGKILL to all that runs on the host: a crash, not a loss of power. */
async function crashes(t: TestContext, cluster: HostsCluster): Promise<void> {
  const load = loadOn(t, lab);
  await more(load, 40);
  const [node] = lab.nodes;
  assert.ok(node);
  await node.crash();
  await more(load, 40);
  await node.start();
  await lab.inSync();
  await load.outage(async () => {
    await lab.balancer.crash();
    await lab.balancer.start();
    await lab.inSync();
  });
  await more(load, 40);
  await lab.audit(load);
  report(t, load);
  assert.deepEqual(load.failedReads, []);
  assert.match(lab.balancer.shell("nft list table inet lbctl"), /dport 1936/);
  assert.match(await cluster.ok("verify"), /every node holds the same/);
}

/** The roll; the other nodes go on serving. */
async function stopsAtTheFirstNode(cluster: HostsCluster): Promise<void> {
  const { code, stdout } = await cluster.lbctl("deploy", "--json");
  assert.equal(code, 1, stdout);
  const { error } = JSON.parse(stdout) as Failed;
  assert.equal(error.code, "node_not_back");
  assert.match(error.message, /^app1 did not come back, so the roll stopped here: /);
  assert.equal((await cluster.json<Shown>("status")).balancer.inSync, 2);
}

/** Of each host: whether its process was started from the release that is the current one. */
function running(): boolean[] {
  const same = (kind: "proxy" | "app") =>
    `[ "$(readlink /run/lb-${kind}/current)" = "$(readlink /opt/lbctl/${kind}/current)" ] && echo same`;
  return [lab.balancer.shell(same("proxy")), ...lab.nodes.map((node) => node.shell(same("app")))].map(
    (said) => said === "same\n",
  );
}
