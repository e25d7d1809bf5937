/** Each alert is brought about in a real cluster, fires in a real Prometheus, and clears when it is mended. */

import assert from "node:assert/strict";
import { statfsSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { ALERTS } from "../../grafana/alerts.ts";
import { keepAsking, watch } from "../support/alarms.ts";
import { startBalancer } from "../support/balancer.ts";
import { startCluster } from "../support/bare-cluster.ts";
import { makeCertificate } from "../support/certificate.ts";
import { ask, register } from "../support/client.ts";
import { metricValue } from "../support/metrics.ts";
import { startNode, type TestNode } from "../support/nodes.ts";
import { startWithSetAside } from "../support/poison.ts";
import { withoutPrometheus } from "../support/prometheus.ts";
import { slowFsync, straceAvailable } from "../support/strace.ts";
import { tempFolder } from "../support/temp-folder.ts";

const skip = withoutPrometheus();
const strace = straceAvailable();

/** Alerts that the tests below cause; the last one checks that none was left out. */
const CAUSED = new Set<string>();
function causes(...names: string[]): string {
  for (const name of names) CAUSED.add(name);
  return names.join(", ");
}

const PATIENT = { sendTimeout: "20s", ackTimeout: "30s", attemptTimeout: "40s", maxAttempts: 1000 };

suite("alerts", { concurrency: 3, skip }, () => {
  const away = [
    "LbNodeDown",
    "LbOldestUndelivered",
    "LbBelowQuorum",
    "LbBelowMinInSync",
    "LbNoNodeInSync",
    "LbErrorBudgetBurnsFast",
    "LbErrorBudgetBurnsSlowly",
  ];
  test(`nodes go away, one after another: ${causes(...away)}`, async (t) => {
    const { balancer, nodes } = await startCluster(t, 3, { writes: { minInSync: 2 } });
    const alarms = await watch(t, balancer);
    keepAsking(t, balancer);
    await nodes[2]?.stop();
    assert.match(await alarms.fires("LbNodeDown", { node: "app3" }), /^app3 of \S+ is down/);
    assert.match(await alarms.fires("LbOldestUndelivered", { node: "app3" }), /^app3 /);
    await nodes[1]?.stop();
    assert.match(await alarms.fires("LbBelowQuorum"), /app2 is down; app3 is down/);
    await alarms.fires("LbBelowMinInSync");
    await nodes[0]?.stop();
    assert.match(await alarms.fires("LbNoNodeInSync"), /app1 is down; app2 is down; app3 is down/);
    await alarms.fires("LbErrorBudgetBurnsFast");
    await alarms.fires("LbErrorBudgetBurnsSlowly");
    for (const node of nodes) await node.restart();
    for (const name of away) await alarms.clears(name);
  });

  test(`a node disagrees: ${causes("LbDivergence", "LbNodeQuarantined")}`, async (t) => {
    const { balancer, nodes } = await startCluster(t, 3);
    const alarms = await watch(t, balancer);
    const app3 = { node: "app3" };
    await alarms.caused(
      "LbNodeQuarantined",
      app3,
      async () => {
        nodes[2]?.behave({ status: 409 });
        await register(balancer, "ada");
        assert.match(await alarms.fires("LbDivergence", app3), /^app3 /);
      },
      async () => {
        nodes[2]?.behave({});
        await balancer.admin("/api/nodes/app3/ready?force=1", "POST");
      },
    );
    await alarms.clears("LbDivergence", app3);
  });

  test(`a node takes writes and never answers: ${causes("LbNodeStuck")}`, async (t) => {
    const { balancer, nodes } = await startCluster(t, 3, { writes: { maxAttempts: 1000 } });
    const alarms = await watch(t, balancer);
    keepAsking(t, balancer);
    await alarms.caused(
      "LbNodeStuck",
      { node: "app2" },
      () => nodes[1]?.behave(({ method }) => (method === "POST" ? { fault: "hang" } : {})),
      () => nodes[1]?.behave({}),
    );
  });

  test(`a write that no node can carry out: ${causes("LbWriteSetAside")}`, async (t) => {
    const { balancer } = await startWithSetAside(t, 2);
    const alarms = await watch(t, balancer);
    await alarms.fires("LbWriteSetAside");
    await balancer.admin("/api/writes/1/skip", "POST");
    await alarms.clears("LbWriteSetAside");
  });

  const config = ["LbNodeWithoutHistory", "LbReloadRefused", "LbCertificateExpires"];
  test(`what is in the config: ${causes(...config)}`, async (t) => {
    const folder = tempFolder(t);
    const tls = { cert: join(folder, "cert.pem"), key: join(folder, "key.pem") };
    makeCertificate(tls, "old", 2);
    const config = { listen: { address: "127.0.0.1:0", tls } };
    const { balancer, listed } = await startCluster(t, 1, config);
    const alarms = await watch(t, balancer);
    await alarms.fires("LbCertificateExpires", { listener: "traffic" });
    makeCertificate(tls, "new", 30);
    await alarms.caused(
      "LbReloadRefused",
      {},
      () => {
        writeFileSync(join(balancer.folder, "lb.json"), "{");
        balancer.signal("SIGHUP");
      },
      () => balancer.reload({ nodes: listed, config }),
    );
    await alarms.clears("LbCertificateExpires");
    const { url } = await startNode(t);
    await alarms.caused(
      "LbNodeWithoutHistory",
      { node: "app2" },
      () => balancer.reload({ nodes: [...listed, { name: "app2", url, empty: false }], config }),
      () => balancer.reload({ nodes: listed, config }),
    );
  });

  test(`a journal fills up: ${causes("LbJournalNearLimit")}`, async (t) => {
    const { balancer, nodes } = await startCluster(t, 2, {
      journal: { maxSize: "4MiB", retention: "1s" },
      limits: { body: "256KiB" },
      writes: { idempotencyWindow: "1s" },
    });
    const alarms = await watch(t, balancer);
    await nodes[1]?.stop();
    await balancer.reached("app2", "down");
    const body = "x".repeat(64 * 1024);
    const share = async () => (await metricValue(balancer, "journalBytes")) / (4 * 1024 ** 2);
    while ((await share()) < 0.85) await ask(balancer.url, { method: "POST", path: "/register", body });
    await alarms.fires("LbJournalNearLimit");
    await nodes[1]?.restart();
    await alarms.clears("LbJournalNearLimit");
  });

  const { bavail, bsize } = statfsSync(tmpdir());
  const tooLarge = bavail * bsize >= 1024 ** 4 && "more than the largest journal.maxSize, 1 TiB, is free";
  test(`the disk can't hold the journal: ${causes("LbJournalDisk")}`, { skip: tooLarge }, async (t) => {
    const { balancer, listed } = await startCluster(t, 1, { journal: { maxSize: "1024GiB" } });
    const alarms = await watch(t, balancer);
    await alarms.fires("LbJournalDisk");
    await balancer.stop();
    const admin = { listen: new URL(balancer.adminUrl).host };
    await startBalancer(t, {
      nodes: listed,
      folder: balancer.folder,
      config: { admin, journal: { maxSize: "8MiB" } },
    });
    await alarms.clears("LbJournalDisk");
  });

  const slowness = ["LbReadsSlow", "LbWritesSlow", "LbEventLoopLag", "LbScrapeMissing"];
  test(`slower and slower, and gone: ${causes(...slowness)}`, async (t) => {
    const { balancer, nodes } = await startCluster(t, 1, { writes: PATIENT });
    const [node] = nodes as [TestNode];
    const alarms = await watch(t, balancer);
    keepAsking(t, balancer);
    const slow = (wanted: string, delay: number) => () =>
      node.behave(({ method }) => (method === wanted ? { delay } : {}));
    const quick = () => node.behave({});
    await alarms.caused("LbReadsSlow", { route: "one-2" }, slow("GET", 300), quick);
    await alarms.caused("LbWritesSlow", { route: "all-1" }, slow("POST", 900), quick);
    const stalling = new AbortController();
    t.after(() => stalling.abort());
    await alarms.caused(
      "LbEventLoopLag",
      {},
      () => void stall(balancer, stalling.signal),
      () => stalling.abort(),
    );
    await alarms.caused(
      "LbScrapeMissing",
      { job: "lbctl" },
      () => balancer.kill9(),
      () => balancer.start(),
    );
  });

  const noStrace = !strace.ok && strace.reason;
  test(`a slow disk: ${causes("LbFsyncSlow")}`, { skip: noStrace }, async (t) => {
    const { balancer } = await startCluster(t, 1, { writes: PATIENT });
    const alarms = await watch(t, balancer);
    keepAsking(t, balancer);
    await alarms.clears("LbFsyncSlow", { file: "journal" });
    const disk = await slowFsync(t, balancer.pid, 200);
    await alarms.fires("LbFsyncSlow", { file: "journal" });
    await disk.letGo();
    await alarms.clears("LbFsyncSlow", { file: "journal" });
  });
});

test("no alert of the table was left out above", { skip }, () => {
  const left = ALERTS.map(({ name }) => name).filter((name) => !CAUSED.has(name));
  assert.deepEqual(left, []);
});

/** Stops the process for 200 of every 300 ms, as a machine does that has too much to do. */
async function stall(balancer: { signal(name: NodeJS.Signals): void }, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    balancer.signal("SIGSTOP");
    await pause(200);
    balancer.signal("SIGCONT");
    await pause(100);
  }
}
