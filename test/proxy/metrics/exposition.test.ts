import assert from "node:assert/strict";
import { test } from "node:test";
import { prefersOpenMetrics } from "../../../proxy/metrics/exposition.ts";
import { createMetrics } from "../../../proxy/metrics/metrics.ts";
import { METRICS, type MetricRow } from "../../../proxy/metrics/metrics-table.ts";
import { parseSamples } from "../../support/metrics.ts";
import { FakeControl, node } from "../admin/fake-control.ts";

const OPEN = "application/openmetrics-text";

for (const [accept, wanted] of [
  // Prometheus 2 and 3 as they ask by default, and with the order turned around
  [`${OPEN};version=1.0.0,${OPEN};version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1`, true],
  [
    `${OPEN};version=1.0.0;escaping=allow-utf-8;q=0.6,${OPEN};version=0.0.1;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.2`,
    true,
  ],
  [`text/plain;version=0.0.4;q=0.6,${OPEN};version=1.0.0;q=0.5`, false],
  [OPEN, true],
  [OPEN.toUpperCase(), true],
  [`${OPEN}; version=2.0.0`, false],
  [`${OPEN};q=0`, false],
  [`${OPEN};q=nonsense`, false],
  ["text/html,application/xhtml+xml,*/*;q=0.8", false],
  ["*/*", false],
  ["", false],
] as const) {
  test(`Accept: ${accept}: ${wanted ? "OpenMetrics" : "the text format"}`, () => {
    assert.equal(prefersOpenMetrics(accept), wanted);
  });
}

function create() {
  const control = new FakeControl([node("app1")]);
  const metrics = createMetrics({ routes: control.status().routes, nodes: ["app1"], codes: [] });
  metrics.watch(control);
  return metrics;
}

test("OpenMetrics names counters without _total, and ends with # EOF", async () => {
  const { type, body } = await create().scrape(OPEN);
  assert.equal(type, `${OPEN}; version=1.0.0; charset=utf-8`);
  for (const { name, type } of Object.values(METRICS) as MetricRow[]) {
    const family = type === "counter" ? name.replace(/_total$/, "") : name;
    assert.match(body, new RegExp(`^# TYPE ${family} ${type}$`, "m"));
  }
  assert.match(body, /[^\n]\n# EOF\n$/);
  assert.ok(!body.includes("\n\n"), "no empty line");
  assert.ok(!/le="\d+"/.test(body), "no whole number as a bound");
});

test("no two metrics are one in OpenMetrics, where a counter's name has no _total", async () => {
  const { body } = await create().scrape(OPEN);
  const families = [...body.matchAll(/^# TYPE (\S+) /gm)].map(([, name]) => name);
  assert.deepEqual(families.toSorted(), [...new Set(families)].toSorted());
});

test("both formats hold the same samples, also when they are asked for at the same time", async () => {
  const metrics = create();
  const [text, open, again] = await Promise.all([metrics.scrape(), metrics.scrape(OPEN), metrics.scrape()]);
  const ours = (body: string) => [...parseSamples(body)].filter(([name]) => name.startsWith("lb_"));
  assert.deepEqual(ours(open.body), ours(text.body));
  assert.deepEqual(ours(again.body), ours(text.body));
  const names = (body: string) => [...parseSamples(body).keys()];
  assert.deepEqual(names(open.body), names(text.body));
});

test("a write leaves its seq in the bucket that it falls into, and in OpenMetrics alone; a read leaves none", async () => {
  const metrics = create();
  const before = Date.now() / 1000;
  metrics.readDone("one-2", 200, 0.004);
  metrics.writeDone("all-1", { policy: "all", outcome: "ok", status: 201, seconds: 0.004, seq: 41 });
  metrics.writeDone("all-1", { policy: "all", outcome: "ok", status: 201, seconds: 0.0045, seq: 42 });
  metrics.writeDone("all-1", { policy: "all", outcome: "ok", status: 201, seconds: 0.6, seq: 43 });
  metrics.writeDone("all-1", {
    policy: "all",
    outcome: "refused",
    status: 503,
    seconds: 0.1,
    seq: undefined,
  });
  const lines = (await metrics.scrape(OPEN)).body.split("\n").filter((line) => line.includes(" # "));
  const found = lines.map((line) =>
    /^(\w+)\{le="([\d.]+)".*\} \d+ # \{seq="(\d+)"\} ([\d.]+) ([\d.]+)$/.exec(line),
  );
  assert.deepEqual(
    found.map((match) => match?.slice(1, 5)),
    [
      ["lb_request_duration_seconds_bucket", "0.005", "42", "0.0045"],
      ["lb_request_duration_seconds_bucket", "0.75", "43", "0.6"],
    ],
  );
  for (const match of found) assert.ok(Math.abs(Number(match?.[5]) - before) < 60, "seconds since the epoch");
  assert.doesNotMatch((await metrics.scrape()).body, / # /);
});
