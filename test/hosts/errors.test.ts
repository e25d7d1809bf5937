/** What can be wrong with hosts: a code and a next step each, and the next deploy goes through. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { LabHost } from "../lab/host.ts";
import { run } from "../lab/network.ts";
import { until } from "../support/wait.ts";
import { type HostsChanges, type HostsCluster, hostsCluster } from "./cluster.ts";

interface Failed {
  readonly error: {
    readonly message: string;
    readonly code: string;
    readonly problems: readonly string[];
    readonly next: readonly string[];
  };
}

/** A host that no other test uses. */
const LAST = (cluster: HostsCluster) => cluster.lab.hosts.at(-1)?.address ?? "";

test("a host that does not answer", async (t) => {
  const error = await refused(t, { apps: [LAST(hostsCluster(t)).replace(/\d+$/, "250")] });
  assert.equal(error.code, "host_unreachable");
  assert.match(error.message, /^expected to reach app1 \([\d.]+250\) by SSH, got no connection$/);
});

test("a key that the hosts do not take", async (t) => {
  const key = join(hostsCluster(t).dir, "other key");
  run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key);
  const error = await refused(t, { key: JSON.stringify(key) });
  assert.equal(error.code, "ssh_refused");
});

test("a host whose key is not known, and one that shows another key than before", async (t) => {
  const cluster = lastHostOnly(t);
  const file = join(cluster.dir, ".lbctl/lab/known_hosts");
  writeFileSync(file, "");
  assert.equal((await refusal(cluster)).code, "host_key_unknown");
  const other = join(cluster.dir, "other");
  run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", other);
  const [type, key] = run("cat", `${other}.pub`).split(" ");
  writeFileSync(file, cluster.lab.hosts.map(({ address }) => `${address} ${type} ${key}\n`).join(""));
  assert.equal((await refusal(cluster)).code, "host_key_changed");
});

test("a distribution that the roles are not for", async (t) => {
  const cluster = lastHostOnly(t);
  const host = lastHost(cluster);
  host.shell(
    "cp --remove-destination /usr/lib/os-release /etc/os-release && sed -i s/^ID=.*/ID=plan9/ /etc/os-release",
  );
  t.after(() => host.shell("ln -sf ../usr/lib/os-release /etc/os-release"));
  const error = await refusal(cluster);
  assert.equal(error.code, "unknown_distribution");
  assert.match(error.message, /^expected Debian 12 or Ubuntu 24\.04 on app1 .*, got plan9 12$/);
});

test("a full disk", async (t) => {
  const cluster = lastHostOnly(t);
  const host = lastHost(cluster);
  host.shell("mount -t tmpfs -o size=64m none /opt");
  t.after(() => host.shell("umount /opt || true"));
  const error = await refusal(cluster);
  assert.equal(error.code, "disk_full");
  assert.match(error.message, /^expected 512\.0 MiB free in \/opt and \/var\/lib on app1 .*, got 64\.0 MiB$/);
});

test("more nodes than hosts listed", async (t) => {
  const cluster = hostsCluster(t);
  cluster.write(9);
  const { code, stderr } = await cluster.lbctl("deploy");
  assert.equal(code, 2);
  assert.match(stderr, /nodes: expected at most the \d listed in hosts\/apps, got 9/);
});

test("an app's data of unknown origin is neither joined nor deleted", async (t) => {
  const cluster = lastHostOnly(t);
  const host = lastHost(cluster);
  host.shell("mkdir -p /var/lib/lb-app && touch /var/lib/lb-app/precious");
  t.after(() => host.shell("rm -rf /var/lib/lb-app"));
  assert.equal((await refusal(cluster)).code, "host_has_data");
  assert.match(host.shell("ls /var/lib/lb-app"), /precious/);
});

test("Ctrl-C in the middle of a deploy: it says so, and the next one goes on from there", async (t) => {
  const cluster = lastHostOnly(t);
  t.after(() => cluster.lbctl("destroy", "--yes"));
  const { child, ended } = cluster.start("deploy");
  const running = await child;
  const host = lastHost(cluster);
  await until(() => host.shell("ls -d /opt/lbctl 2>/dev/null || true").includes("/opt/lbctl"), {
    timeout: 300_000,
    what: "the deploy having begun on the app's host",
  });
  running.kill("SIGINT");
  const { code, stderr } = await ended;
  assert.equal(code, 1);
  assert.match(stderr, /stopped by SIGINT/);
  assert.match(await cluster.ok("deploy"), /runs with 1 node/);
  assert.match(await cluster.ok("verify"), /every node holds the same/);
});

async function refused(t: TestContext, changes: HostsChanges): Promise<Failed["error"]> {
  const cluster = hostsCluster(t);
  cluster.write(1, changes);
  return refusal(cluster);
}

async function refusal(cluster: HostsCluster): Promise<Failed["error"]> {
  const { code, stdout } = await cluster.lbctl("deploy", "--json");
  assert.equal(code, 1, stdout);
  const { error } = JSON.parse(stdout) as Failed;
  assert.ok(error.next.length > 0, stdout);
  return error;
}

function lastHostOnly(t: TestContext): HostsCluster {
  const cluster = hostsCluster(t);
  cluster.write(1, { apps: [LAST(cluster)] });
  return cluster;
}

function lastHost({ lab }: HostsCluster): LabHost {
  return new LabHost(lab.hosts.length);
}
