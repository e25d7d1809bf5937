/** What can be wrong with hosts: a code and a next step each, and the next deploy goes through. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, globSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { connect } from "node:tls";
import type { BenchReport } from "../../cli/bench/report.ts";
import type { HostsRecord } from "../../cli/hosts/record.ts";
import { answers } from "../../cli/monitoring-pages.ts";
import type { Status } from "../../proxy/api.ts";
import { LabHost } from "../lab/host.ts";
import { run } from "../lab/network.ts";
import { certificateIn, makeCertificate } from "../support/certificate.ts";
import { until } from "../support/wait.ts";
import { type HostsChanges, type HostsCluster, hostsCluster, threeRequests } from "./cluster.ts";

interface Failed {
  readonly error: {
    readonly message: string;
    readonly code: string;
    readonly problems: readonly string[];
    readonly next: readonly string[];
  };
}

/** lbctl knows these of the reference app alone. */
const LIKE_THE_REFERENCE =
  "{ health: { path: /healthz }, app: { snapshot: /lb/snapshot, digest: /lb/digest } }";

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

test("once all is mended a deploy goes through, here with an app of one's own in a directory", async (t) => {
  const cluster = hostsCluster(t);
  const proxy = LIKE_THE_REFERENCE;
  cluster.write(1, { apps: [LAST(cluster)], app: ownApp(cluster, "an older"), proxy, adminAddresses: [] });
  await t.test(
    "no password is ever in an argument, in the output or in a log; --verbose shows Ansible's",
    (t) => keepsSecrets(t, cluster),
  );
  await threeRequests(cluster.url, "ada");
  const host = lastHost(cluster);
  const process = () =>
    host.shell("systemctl show -P MainPID lb-app; cat /opt/lbctl/app/current/app/own.txt");
  assert.match(process(), /^[1-9]\d*\nan older\n$/);

  await t.test(
    "dashboard: where nobody is let in to the stats page, a way by SSH is said, and leads there",
    async (t) => {
      const { url, way } = await cluster.json<{ url: string; way: string }>("dashboard");
      assert.equal(await answers(`${url}/healthz`), false);
      const ssh = spawn("sh", ["-c", `exec ${way}`], { stdio: "ignore" });
      t.after(() => ssh.kill());
      await until(() => answers("http://127.0.0.1:1936/healthz"), {
        what: "the stats page at the port of the way",
      });
    },
  );

  await t.test("a scale that is refused leaves lbctl.yaml as it was", async () => {
    const silent = LAST(cluster).replace(/\d+$/, "250");
    const app = ownApp(cluster, "an older");
    cluster.write(1, { apps: [LAST(cluster), silent], app, proxy, adminAddresses: [] });
    const { code, stderr } = await cluster.lbctl("scale", "--nodes", "2");
    assert.equal(code, 1);
    assert.match(stderr, /expected to reach app2 .* by SSH, got no connection/);
    assert.match(readFileSync(join(cluster.dir, "lbctl.yaml"), "utf8"), /^nodes: 1 # kept$/m);
  });

  await t.test(
    "the only node's app does not start: a rollback brings it back, whatever its folder holds",
    async () => {
      const app = ownApp(cluster, "a broken", "ls /no/such/file");
      cluster.write(1, { apps: [LAST(cluster)], app, proxy, adminAddresses: [] });
      const { error } = JSON.parse((await cluster.lbctl("deploy", "--json")).stdout) as Failed;
      assert.equal(error.code, "node_not_back");
      assert.match(
        error.problems.join("\n"),
        /to listen on port 4567 and not to end at once[\s\S]*\/no\/such\/file/,
      );
      await cluster.ok("rollback");
      assert.match(process(), /^[1-9]\d*\nan older\n$/);
      assert.match(host.shell("cat /opt/lbctl/app/current/start"), /server\.mjs/);
    },
  );

  await t.test(
    "a disk that is full in the middle of a deploy: said, and the next deploy mends it",
    async () => {
      const app = ownApp(cluster, "one more");
      cluster.write(1, { apps: [LAST(cluster)], app, proxy, adminAddresses: [] });
      const releases = "/opt/lbctl/app/releases";
      // With what is there, and room for less than the app.
      const size = "$(($(du -sk /run/r | cut -f 1) + 12))k";
      host.shell(
        `cp -a ${releases} /run/r && mount -t tmpfs -o size=${size} none ${releases} && cp -a /run/r/. ${releases}`,
      );
      const error = await refusal(cluster).finally(() => host.shell(`umount ${releases}; rm -r /run/r`));
      assert.equal(error.code, "disk_full");
      assert.match(error.problems.join("\n"), /No space left on device|Wrote only \d+ of \d+ bytes/);
      await cluster.ok("deploy");
      assert.match(process(), /^[1-9]\d*\none more\n$/);
    },
  );

  const tls = certificateIn(cluster.dir, "first");
  await t.test("another version of it, in the same directory, and HTTPS from now on", async () => {
    const before = process();
    const app = ownApp(cluster, "a newer");
    cluster.write(1, { apps: [LAST(cluster)], app, proxy, adminAddresses: [], tls });
    assert.match(await cluster.ok("plan"), /app1/);
    assert.equal(process(), before);
    await killedIn(cluster, ["deploy"], ({ installing }) => installing !== null);
    await cluster.ok("deploy");
    assert.match(process(), /^[1-9]\d*\na newer\n$/);
    assert.equal(await shownAt(cluster), "CN=first");
    await assert.rejects(fetch(cluster.url), "nothing listens on port 80 any more");
    await everyWriteArrives(cluster);
  });

  await t.test("app: none leaves what runs there alone; a renewed certificate needs no restart", async () => {
    const before = [process(), balancerPid()];
    makeCertificate(tls, "renewed");
    cluster.write(1, { apps: [LAST(cluster)], app: "none", proxy, adminAddresses: [], tls });
    await cluster.ok("deploy");
    assert.equal(await shownAt(cluster), "CN=renewed");
    await everyWriteArrives(cluster);
    assert.deepEqual([process(), balancerPid()], before);
    const { processes } = await cluster.json<{ processes: { name: string }[] }>("status");
    assert.deepEqual(
      processes.map(({ name }) => name),
      ["balancer"],
    );
  });

  await t.test("destroy --keep-data stops all of it; the next deploy goes on with the data", async () => {
    const app = ownApp(cluster, "a newer");
    cluster.write(1, { apps: [LAST(cluster)], app, proxy, adminAddresses: [] });
    await cluster.ok("destroy", "--yes", "--keep-data");
    assert.equal(host.shell("systemctl is-active lb-app || true"), "inactive\n");
    host.shell("mkdir -p /etc/lbctl && echo '# Owner: shop 00' > /etc/lbctl/firewall.nft");
    const error = await refusal(cluster);
    assert.equal(error.code, "other_cluster");
    assert.match(error.problems.join(), /is of cluster "shop"/);
    host.shell("rm /etc/lbctl/firewall.nft");
    await cluster.ok("deploy");
    assert.match(host.shell("cat /etc/lbctl/firewall.nft"), /^# Owner: lab [0-9a-f]{16}$/m);
    assert.equal(await login(cluster.url, "ada", "second"), 200);
  });

  await t.test(
    "scale down, killed twice in its middle: a node that is to stay is brought back, and of one that goes nothing is left",
    async () => {
      const second = cluster.lab.hosts.at(-2)?.address ?? "";
      const other = new LabHost(cluster.lab.hosts.length - 1);
      const app = ownApp(cluster, "a newer");
      const write = (nodes: number) =>
        cluster.write(nodes, { apps: [LAST(cluster), second], app, proxy, adminAddresses: [] });
      const states = async () => {
        const { balancer } = await cluster.json<{ balancer: Status }>("status");
        return balancer.nodes.map(({ name, state }) => `${name} ${state}`);
      };
      write(1);
      await cluster.ok("scale", "--nodes", "2");
      await killedIn(cluster, ["scale", "--nodes", "1"], ({ takenOut }) => takenOut.includes("app2"));
      write(2);
      await cluster.ok("deploy");
      assert.deepEqual(await states(), ["app1 in-sync", "app2 in-sync"]);
      const runs = () => other.shell("systemctl is-active lb-app || true") === "active\n";
      await killedIn(cluster, ["scale", "--nodes", "1"], () => !runs());
      write(1);
      // As another operator's state directory is, which knows nothing of all this.
      const file = join(cluster.dir, ".lbctl/lab/cluster.json");
      const [first] = cluster.record()?.nodes ?? [];
      const old = { ...cluster.record(), nodes: [first], entering: [], leaving: [], takenOut: [] };
      writeFileSync(file, JSON.stringify(old));
      await cluster.ok("deploy");
      assert.deepEqual(await states(), ["app1 in-sync"]);
      const left = "ls -d /opt/lbctl /etc/systemd/system/lb-app.service /var/lib/lb-app 2>/dev/null || true";
      assert.equal(other.shell(left), "");
      assert.equal(await login(cluster.url, "ada", "second"), 200);
    },
  );

  await t.test(
    "a destroy that was killed is gone on with by destroy, from elsewhere too, and by no deploy",
    async (t) => {
      const [balancer, somebodys] = [new LabHost(1), "/etc/prometheus/prometheus.yml"];
      balancer.shell(`mkdir -p /etc/prometheus && echo 'global: {}' > ${somebodys}`);
      t.after(() => balancer.shell("rm -r /etc/prometheus"));
      const deleted = () => host.shell("ls -d /var/lib/lb-app 2>/dev/null || true") === "";
      await killedIn(cluster, ["destroy", "--yes"], deleted);
      assert.equal((await refusal(cluster)).code, "half_destroyed");
      const elsewhere = hostsCluster(t);
      elsewhere.write(1, { apps: [LAST(cluster)], adminAddresses: [] });
      assert.equal((await refusal(elsewhere)).code, "half_destroyed");
      await elsewhere.ok("destroy", "--yes");
      for (const place of [balancer, host]) {
        const left =
          "ls -d /opt/lbctl /etc/lbctl /var/lib/lb-* /var/lib/lbctl/cluster.json /etc/systemd/system/lb-*";
        assert.equal(place.shell(`${left} 2>/dev/null || true`), "");
      }
      assert.equal(balancer.shell(`cat ${somebodys}`), "global: {}\n", "Prometheus is not lbctl's here");
      const { code } = await cluster.lbctl("destroy", "--yes");
      assert.equal(code, 0, "its own state directory is left, and goes");
    },
  );
});

/** Deploys; what all processes of this machine, the lab's hosts among them, have as arguments meanwhile is looked at. */
async function keepsSecrets(t: TestContext, cluster: HostsCluster): Promise<void> {
  const seen = new Set<string>();
  const watch = setInterval(() => {
    for (const file of globSync("/proc/[0-9]*/cmdline")) {
      try {
        seen.add(readFileSync(file, "utf8"));
      } catch {
        // It has ended meanwhile.
      }
    }
  }, 100);
  t.after(() => clearInterval(watch));
  const { code, stdout, stderr } = await cluster.lbctl("deploy", "--verbose");
  clearInterval(watch);
  assert.equal(code, 0, stderr);
  assert.match(stdout + stderr, /TASK \[lb_app : /);
  assert.ok(
    [...seen].some((argv) => argv.includes("ansible-playbook")),
    "the run was watched",
  );
  const secret = readFileSync(join(cluster.dir, ".lbctl/lab/admin.password"), "utf8").trim();
  const logs = globSync(join(cluster.dir, ".lbctl/lab/ansible/{logs,.}/*.{log,yml}")).map((file) =>
    readFileSync(file, "utf8"),
  );
  assert.ok(logs.length > 1);
  for (const text of [...seen, ...logs, stdout, stderr])
    assert.ok(!text.includes(secret), text.slice(0, 2000));
}

/** @param at when it has come so far it is killed, so that it cleans nothing up */
async function killedIn(
  cluster: HostsCluster,
  args: readonly string[],
  at: (record: HostsRecord) => boolean,
): Promise<void> {
  const { child, ended } = cluster.start(...args);
  const running = await child;
  await until(
    () => {
      const record = cluster.record();
      return record !== null && at(record);
    },
    { timeout: 300_000, what: `lbctl ${args.join(" ")} in its middle` },
  );
  running.kill("SIGKILL");
  await ended;
}

async function login(url: string, username: string, password: string): Promise<number> {
  const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
  return (await fetch(`${url}/login`, { headers: { authorization } })).status;
}

function balancerPid(): string {
  return new LabHost(1).shell("systemctl show -P MainPID lb-proxy");
}

/** @returns the subject of the certificate that the balancer shows on port 443 */
async function shownAt({ lab }: HostsCluster): Promise<string | undefined> {
  const socket = connect({ host: lab.hosts[0]?.address, port: 443, rejectUnauthorized: false });
  await once(socket, "secureConnect");
  const shown = socket.getPeerX509Certificate()?.subject;
  socket.destroy();
  return shown;
}

/** By a load so small that no machine is too slow for it. */
async function everyWriteArrives(cluster: HostsCluster): Promise<void> {
  const load = ["--reads", "5", "--writes", "5", "--duration", "2s"];
  const { stdout, stderr } = await cluster.lbctl("bench", ...load, "--json");
  const { outcomes, audit, settings } = JSON.parse(stdout) as BenchReport;
  assert.match(settings.url, /^https:/);
  assert.ok(outcomes.acknowledged > 0, stderr);
  assert.deepEqual([audit?.missing, audit?.unexpected, audit?.method], [0, 0, "digest"]);
}

/** The reference app as if it were another's: a folder, and what starts it there. */
function ownApp(
  { dir }: HostsCluster,
  version: string,
  command = 'node server.mjs --host 0.0.0.0 --port "$PORT" --data "$STATE_DIRECTORY/data.sqlite"',
): string {
  const folder = join(dir, "own");
  mkdirSync(folder, { recursive: true });
  copyFileSync(join(import.meta.dirname, "../../dist/app.mjs"), join(folder, "server.mjs"));
  writeFileSync(join(folder, "own.txt"), `${version}\n`);
  return `{ directory: ${JSON.stringify(folder)}, command: ${JSON.stringify(command)} }`;
}

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

function lastHostOnly(t: TestContext, changes: HostsChanges = {}): HostsCluster {
  const cluster = hostsCluster(t);
  cluster.write(1, { apps: [LAST(cluster)], ...changes });
  return cluster;
}

function lastHost({ lab }: HostsCluster): LabHost {
  return new LabHost(lab.hosts.length);
}
