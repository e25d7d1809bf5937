/** What Prometheus itself makes of the metrics: its linter, and a real scrape with exemplars. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { METRICS } from "../../../proxy/metrics/metrics-table.ts";
import { startCluster } from "../../support/bare-cluster.ts";
import { read, register } from "../../support/client.ts";
import { scrape } from "../../support/metrics.ts";
import { startPrometheus, withoutPrometheus } from "../../support/prometheus.ts";
import { until } from "../../support/wait.ts";

const skip = withoutPrometheus();

test("promtool finds nothing to say about the text format", { skip }, async (t) => {
  const { balancer } = await startCluster(t, 2);
  await register(balancer, "ada");
  const { body } = await scrape(balancer);
  const { status, stdout, stderr } = spawnSync("promtool", ["check", "metrics"], { input: body });
  assert.deepEqual([status, String(stdout), String(stderr)], [0, "", ""]);
});

interface Exemplars {
  readonly seriesLabels: Readonly<Record<string, string>>;
  readonly exemplars: readonly { readonly labels: { readonly seq: string }; readonly value: string }[];
}

test("a real scrape stores every metric of the table, and the seq of a write as exemplar", {
  skip,
}, async (t) => {
  const { balancer } = await startCluster(t, 2);
  const begun = Date.now() / 1000;
  const prometheus = await startPrometheus(t, balancer);
  await read(balancer);
  const { seq } = await register(balancer, "ada");
  const query = 'lb_requests_total{route="all-1",class="2xx"}';
  await until(async () => {
    const [series] = await prometheus.query(query);
    return series?.value[1] === "1";
  });
  const names = new Set(await prometheus.ask<readonly string[]>("/api/v1/label/__name__/values"));
  const missing = Object.values(METRICS).flatMap(({ name, type }) => {
    const stored = type === "histogram" ? ["_bucket", "_sum", "_count"].map((end) => name + end) : [name];
    return stored.filter((one) => !names.has(one));
  });
  assert.deepEqual(missing, [METRICS.certificates.name], "all but what there is only with tls");
  for (const name of [
    METRICS.requestSeconds.name,
    METRICS.nodeWriteSeconds.name,
    METRICS.appendSeconds.name,
  ]) {
    const found = await prometheus.ask<readonly Exemplars[]>("/api/v1/query_exemplars", {
      query: `${name}_bucket`,
      start: String(begun - 60),
      end: String(begun + 600),
    });
    assert.ok(found.length > 0, `exemplars of ${name}`);
    for (const { exemplars } of found) {
      for (const { labels } of exemplars) assert.deepEqual(labels, { seq: String(seq) });
    }
  }
});
