/** From nothing to a cluster on real hosts, its growth, an upgrade and a rollback, all under load; one story. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { BenchReport } from "../../cli/bench/report.ts";
import type { Status } from "../../proxy/api.ts";
import { LabHost } from "../lab/host.ts";
import { until } from "../support/wait.ts";
import { anotherBuild, type HostsCluster, hostsCluster } from "./cluster.ts";
import { underLoad } from "./load.ts";

interface Deployed {
  readonly changes: readonly { readonly what: string }[];
}

interface Shown {
  readonly balancer: Status;
  readonly processes: readonly { readonly name: string; readonly state: string }[];
}

test("target hosts, from nothing", async (t) => {
  const cluster = hostsCluster(t);
  cluster.write(3);

  await t.test("plan says what a deploy would do, and does nothing", async () => {
    const changes = await cluster.json<{ what: string }[]>("plan");
    assert.ok(
      ["app1", "app2", "app3", "balancer"].every((host) => changes.some(({ what }) => what.startsWith(host))),
    );
    assert.equal((await cluster.lbctl("status")).code, 1, "nothing is deployed");
  });

  await t.test("deploy: register, changePassword and login work through port 80", async (t) => {
    const started = performance.now();
    await cluster.ok("deploy");
    t.diagnostic(`a first deploy took ${Math.round((performance.now() - started) / 1000)} s`);
    await threeRequests(cluster.url);
    assert.match(await cluster.ok("verify"), /every node holds the same/);
  });

  await t.test("a second deploy changes nothing", async (t) => {
    const started = performance.now();
    const { changes } = await cluster.json<Deployed>("deploy");
    t.diagnostic(`a second deploy took ${Math.round((performance.now() - started) / 1000)} s`);
    assert.deepEqual(changes, []);
  });

  await t.test("status, nodes, logs and writes tell of the hosts", () => look(cluster));

  await t.test("two operators: the lock, the record and the log are on the balancer's host", () =>
    otherOperator(t, cluster),
  );

  await t.test(
    "a node's host and the balancer's crash under load: all comes back, nothing acknowledged is missing",
    (t) => crashes(t, cluster),
  );

  await t.test("scale from 3 to 5 under load: no request fails, nothing is missing", async (t) => {
    await underLoad(t, cluster, () => cluster.ok("scale", "--nodes", "5"));
    assert.equal((await cluster.json<Shown>("status")).balancer.inSync, 5);
    assert.match(readFileSync(join(cluster.dir, "lbctl.yaml"), "utf8"), /^nodes: 5 # kept$/m);
  });

  await t.test(
    "an upgrade of balancer and app under load: no request fails, nothing is missing",
    async (t) => {
      const before = releases(cluster);
      cluster.use(await anotherBuild(t));
      await underLoad(t, cluster, () => cluster.ok("deploy"));
      assert.notDeepEqual(releases(cluster), before);

      await t.test(
        "and back under load: the release before reads the journal that this one wrote",
        async (t) => {
          await underLoad(t, cluster, () => cluster.ok("rollback"));
          assert.deepEqual(releases(cluster), before);
        },
      );
    },
  );

  await t.test("scale down: drained, removed from the balancer, then stopped and wiped", async () => {
    await cluster.ok("scale", "--nodes", "3");
    const [, , , , left] = cluster.lab.hosts;
    assert.ok(left);
    const host = hostAt(cluster, left.address);
    assert.match(
      host.shell("systemctl is-active lb-app || true; ls /var/lib/lb-app 2>&1 || true"),
      /inactive[\s\S]*No such/,
    );
    assert.match(await cluster.ok("verify"), /every node holds the same/);
  });

  await t.test("destroy leaves no unit, no data and no state directory", async () => {
    await cluster.ok("destroy", "--yes");
    for (const { address } of cluster.lab.hosts.slice(0, 4)) {
      const said = hostAt(cluster, address).shell(
        "ls -d /opt/lbctl /var/lib/lb-proxy /var/lib/lb-app 2>/dev/null || true",
      );
      assert.equal(said, "", address);
    }
    assert.equal((await cluster.lbctl("status")).code, 1);
  });
});

async function threeRequests(url: string): Promise<void> {
  const post = (path: string, fields: Record<string, string>) =>
    fetch(`${url}${path}`, { method: "POST", body: new URLSearchParams(fields) });
  assert.equal((await post("/register", { username: "ada", password: "first" })).status, 201);
  const change = { username: "ada", password: "first", newPassword: "second" };
  assert.equal((await post("/changePassword", change)).status, 200);
  const authorization = `Basic ${Buffer.from("ada:second").toString("base64")}`;
  assert.equal((await fetch(`${url}/login`, { headers: { authorization } })).status, 200);
}

async function look(cluster: HostsCluster): Promise<void> {
  const { balancer, processes } = await cluster.json<Shown>("status");
  assert.equal(balancer.inSync, 3);
  assert.deepEqual(
    processes.map(({ name, state }) => `${name} ${state}`),
    ["balancer running", "app1 running", "app2 running", "app3 running"],
  );
  assert.match(await cluster.ok("nodes", "list"), /app3 +in-sync/);
  assert.match(await cluster.ok("logs", "balancer", "--lines", "500"), /app1/);
  assert.match(await cluster.ok("writes", "list"), /changePassword/);
  assert.equal((await cluster.lbctl("nodes", "drain", "app2")).code, 0);
  assert.match(await cluster.ok("nodes", "list"), /app2 +draining/);
  assert.equal((await cluster.lbctl("nodes", "ready", "app2")).code, 0);
}

/** Another directory knows nothing of the cluster but lbctl.yaml. */
async function otherOperator(t: TestContext, cluster: HostsCluster): Promise<void> {
  const other = hostsCluster(t);
  other.write(3);
  const [first, second] = await Promise.all([
    cluster.lbctl("deploy", "--json"),
    other.lbctl("deploy", "--json"),
  ]);
  const refused = [first, second].filter(({ code }) => code !== 0);
  for (const { stdout } of refused)
    assert.equal((JSON.parse(stdout) as { error: { code: string } }).error.code, "host_locked");
  assert.ok(refused.length <= 1);
  if (second.code !== 0) await other.ok("deploy");
  assert.equal((await other.json<Shown>("status")).balancer.inSync, 3, "it has found record and password");
  const log = hostAt(cluster, cluster.lab.hosts[0]?.address ?? "").shell("cat /var/lib/lbctl/audit.log");
  const lines = log
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { command: string; user: string });
  assert.ok(
    lines.some(({ command }) => command === "nodes drain app2"),
    log,
  );
  assert.ok(
    lines.every(({ user }) => user.includes("@")),
    log,
  );
}

/** SIGKILL to all that runs on the host: a crash, not a loss of power. While the balancer is away requests fail. */
async function crashes(t: TestContext, cluster: HostsCluster): Promise<void> {
  const [balancer, node] = cluster.lab.hosts.map(({ address }) => hostAt(cluster, address));
  assert.ok(balancer && node);
  const load = cluster.lbctl(
    "bench",
    "--reads",
    "100",
    "--writes",
    "10",
    "--duration",
    "90s",
    "--retry",
    "--json",
  );
  for (const host of [node, balancer]) {
    await host.crash();
    await host.start();
    await until(async () => (await inSyncNow(cluster)) === 3, {
      timeout: 120_000,
      what: "3 nodes in-sync again",
    });
  }
  const { stdout, stderr } = await load;
  const report = JSON.parse(stdout) as BenchReport;
  assert.ok("audit" in report, stdout + stderr);
  t.diagnostic(
    `${report.reads.errors} reads and ${report.writes.errors} writes failed while the balancer was away`,
  );
  assert.equal(report.audit?.missing, 0, JSON.stringify(report.audit));
  assert.match(await cluster.ok("verify"), /every node holds the same/);
}

async function inSyncNow(cluster: HostsCluster): Promise<number> {
  const { stdout } = await cluster.lbctl("status", "--json");
  return (JSON.parse(stdout) as Partial<Shown>).balancer?.inSync ?? 0;
}

function releases({ dir }: HostsCluster): unknown {
  const record = JSON.parse(readFileSync(join(dir, ".lbctl/lab/cluster.json"), "utf8")) as {
    releases: unknown;
  };
  return record.releases;
}

function hostAt({ lab }: HostsCluster, address: string): LabHost {
  return new LabHost(lab.hosts.findIndex((host) => host.address === address) + 1);
}
