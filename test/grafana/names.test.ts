/** Whatever panels, variables, annotations and rules ask for is exported, by the table of metrics. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { ALERTS } from "../../grafana/alerts.ts";
import { RECORDINGS } from "../../grafana/recordings.ts";
import { REAL_TIME } from "../../grafana/time.ts";
import { createMetrics } from "../../proxy/metrics/metrics.ts";
import { METRICS, type MetricRow } from "../../proxy/metrics/metrics-table.ts";
import { FakeControl, node } from "../proxy/admin/fake-control.ts";
import { panelsOf, readBoards } from "../support/boards.ts";
import { parseSamples } from "../support/metrics.ts";
import { type Selector, selectorsOf } from "../support/promql.ts";

const TABLE = new Map<string, MetricRow>(
  (Object.values(METRICS) as MetricRow[]).flatMap((row) => {
    const ends = row.type === "histogram" ? ["_bucket", "_sum", "_count"] : [""];
    return ends.map((end) => [row.name + end, row] as const);
  }),
);
const RECORDED = RECORDINGS.map(({ name }) => name);
/** Made by Prometheus, and by node_exporter; those are proven to be there by dashboards-live.test.ts. */
const OTHERS = /^(up|ALERTS|node_\w+)$/;
/** Its series appear with the first collection of a kind. */
const GC = "nodejs_gc_duration_seconds";

async function defaults(): Promise<Set<string>> {
  const control = new FakeControl([node("app1")]);
  const metrics = createMetrics({ routes: control.status().routes, nodes: ["app1"], codes: [] });
  metrics.watch(control);
  const { body } = await metrics.scrape();
  const names = [...parseSamples(body).keys()].map((sample) => sample.replace(/\{.*/, ""));
  return new Set([
    ...names.filter((name) => !name.startsWith("lb_")),
    `${GC}_sum`,
    `${GC}_bucket`,
    `${GC}_count`,
  ]);
}

const exported = await defaults();

function check(selector: Selector): void {
  const { metric, labels, text } = selector;
  if (RECORDED.includes(metric) || OTHERS.test(metric) || exported.has(metric)) return;
  const row = TABLE.get(metric);
  assert.ok(row !== undefined, `${metric} is in no table`);
  for (const [label, value] of Object.entries(labels)) {
    if (["instance", "job"].includes(label)) continue;
    if (label === "le") {
      assert.ok(row.buckets?.includes(Number(value)), `${text}: ${value} is a bucket`);
      continue;
    }
    const known: string | readonly string[] | undefined = row.labels[label];
    assert.ok(known !== undefined, `${text}: ${label} is a label`);
    if (typeof known === "string" || value.startsWith("$")) continue;
    for (const one of value.split("|")) assert.ok(known.includes(one), `${text}: ${one} is a value`);
  }
}

for (const board of readBoards()) {
  test(`${board.uid}: every metric, label and value that it names is exported`, () => {
    const variables = board.templating.list.map(({ definition = "" }) =>
      definition.replace(/^label_values\((.*),.*\)$/, "$1"),
    );
    const queries = [
      ...panelsOf(board).flatMap(({ targets = [] }) => targets.map(({ expr }) => expr)),
      ...board.annotations.list.map(({ expr }) => expr),
      ...variables,
    ];
    for (const query of queries) for (const selector of selectorsOf(query)) check(selector);
  });
}

for (const { name, expr } of [...RECORDINGS, ...ALERTS]) {
  test(`${name}: every metric, label and value that it names is exported`, () => {
    const selectors = selectorsOf(expr(REAL_TIME));
    assert.ok(selectors.length > 0);
    for (const selector of selectors) check(selector);
  });
}

test("every metric of the table is on some board", () => {
  const boards = JSON.stringify(readBoards().map(({ panels }) => panels));
  const rules = RECORDINGS.map(({ expr }) => expr(REAL_TIME)).join();
  const absent = [...TABLE.values()]
    .map(({ name }) => name)
    .filter((name) => !`${boards}${rules}`.includes(name));
  assert.deepEqual([...new Set(absent)], []);
});

test("a query's selectors are found, its functions, groupings, strings and numbers are not", () => {
  const query =
    'sum by (node, le) (rate(a_total{x="by (b)",y=~"p|q"}[5m])) / on (job) group_left (to) b{z!=\'1\'} > 1e3 or up offset 5m';
  assert.deepEqual(selectorsOf(query), [
    { text: 'a_total{x="by (b)",y=~"p|q"}', metric: "a_total", labels: { x: "by (b)", y: "p|q" } },
    { text: "b{z!='1'}", metric: "b", labels: { z: "1" } },
    { text: "up", metric: "up", labels: {} },
  ]);
});
