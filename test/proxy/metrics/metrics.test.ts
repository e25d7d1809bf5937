import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { createMetrics } from "../../../proxy/metrics/metrics.ts";
import { LIMITS, METRICS, type MetricRow } from "../../../proxy/metrics/metrics-table.ts";
import { metricsDoc } from "../../../scripts/metrics-doc.ts";
import { parseSamples } from "../../support/metrics.ts";
import { FakeControl, node } from "../admin/fake-control.ts";

const ROWS: readonly MetricRow[] = Object.values(METRICS);

const ROUTES = [
  { name: "all-1", to: "all" },
  { name: "one-2", to: "one" },
] as const;

function create({ nodes = ["app1", "app2"] } = {}) {
  const control = new FakeControl(nodes.map((name) => node(name)));
  const metrics = createMetrics({ routes: ROUTES, nodes, codes: ["ack_timeout", "no_route"] });
  metrics.watch(control);
  return { control, metrics };
}

test("every metric of the table is exported, with its type and help", async () => {
  const text = (await create().metrics.scrape()).body;
  for (const { name, type, help } of ROWS) {
    assert.ok(text.includes(`# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${name}`), name);
  }
});

test("every series has exactly the labels that the table names", async () => {
  const samples = parseSamples((await create().metrics.scrape()).body);
  for (const { name, type, labels } of ROWS) {
    const suffix = type === "histogram" ? "(?:_bucket|_sum|_count)" : "";
    const own = [...samples.keys()].filter((key) => new RegExp(`^${name}${suffix}(?:\\{|$)`).test(key));
    assert.ok(own.length > 0, `${name} has no series`);
    for (const key of own) {
      const found = [...key.matchAll(/(\w+)="/g)].map(([, label]) => label).filter((label) => label !== "le");
      assert.deepEqual(found.sort(), Object.keys(labels).sort(), key);
    }
  }
});

test("every value of a bounded label is exported from the start, so that rare events are zero and not absent", async () => {
  const text = (await create().metrics.scrape()).body;
  for (const { name, labels } of ROWS.filter(({ type, read }) => type === "counter" && !read)) {
    for (const [label, values] of Object.entries(labels)) {
      if (typeof values === "string") continue;
      for (const value of values) {
        assert.match(text, new RegExp(`^${name}\\{[^}]*\\b${label}="${value}"[^}]*\\} 0$`, "m"));
      }
    }
  }
});

test("names have the prefix, counters end in _total, and units are base units", () => {
  for (const { name, type } of ROWS) {
    assert.match(name, /^lb_[a-z_]+$/);
    assert.equal(name.endsWith("_total"), type === "counter", name);
    assert.doesNotMatch(name, /_(ms|milliseconds|kib|mib)(_|$)/);
  }
  assert.equal(new Set(ROWS.map(({ name }) => name)).size, ROWS.length);
});

test("a read counts for its route by class, and its duration falls into the right bucket", async () => {
  const { metrics } = create();
  metrics.readDone("one-2", 200, 0.004);
  metrics.readDone("one-2", 206, 0.005);
  metrics.readDone("one-2", 404, 0.5);
  metrics.readDone("one-2", 503, 20);
  metrics.readDone("one-2", 0, 0.1);
  const samples = parseSamples((await metrics.scrape()).body);
  const requests = (name: string) => samples.get(`lb_requests_total{route="one-2",class="${name}"}`);
  assert.deepEqual(["2xx", "3xx", "4xx", "5xx", "aborted"].map(requests), [2, 0, 1, 1, 1]);
  const bucket = (le: string, name: string) =>
    samples.get(`lb_request_duration_seconds_bucket{le="${le}",route="one-2",class="${name}"}`);
  assert.equal(bucket("0.003", "2xx"), 0);
  assert.equal(bucket("0.005", "2xx"), 2, "a bound belongs to its own bucket");
  assert.equal(bucket("+Inf", "2xx"), 2);
  assert.equal(bucket("10.0", "5xx"), 0);
  assert.equal(bucket("+Inf", "5xx"), 1);
  assert.equal(samples.get('lb_request_duration_seconds_sum{route="one-2",class="4xx"}'), 0.5);
  assert.equal(samples.get('lb_request_duration_seconds_count{route="one-2",class="2xx"}'), 2);
});

test("a write counts by outcome and as a request", async () => {
  const { metrics } = create();
  const write = { policy: "quorum", seconds: 0.01, seq: 1 } as const;
  metrics.writeDone("all-1", { ...write, outcome: "ok", status: 201 });
  metrics.writeDone("all-1", { ...write, outcome: "ack_timeout", status: 504 });
  metrics.problem("ack_timeout");
  metrics.idempotency("repeat");
  const samples = parseSamples((await metrics.scrape()).body);
  assert.equal(samples.get('lb_writes_total{route="all-1",policy="quorum",outcome="ok"}'), 1);
  assert.equal(samples.get('lb_writes_total{route="all-1",policy="quorum",outcome="ack_timeout"}'), 1);
  assert.equal(samples.get('lb_requests_total{route="all-1",class="5xx"}'), 1);
  assert.equal(samples.get('lb_problems_total{code="ack_timeout"}'), 1);
  assert.equal(samples.get('lb_idempotency_hits_total{outcome="repeat"}'), 1);
});

test("what happens at a node counts for that node alone", async () => {
  const { metrics } = create();
  metrics.readLeg("app1", "timeout", 1);
  metrics.readRetry("one-2", "app1");
  metrics.writeLeg("app1", "ok", 0.002, 1);
  metrics.writeRetry("app1");
  metrics.ack("app1", 409, "one", true);
  metrics.divergence("app1", "all");
  metrics.ambiguous("app1", "all");
  metrics.quarantined("app1");
  metrics.healthCheck("app1", false, 0.5);
  metrics.bootstrap("app1", "snapshot", true);
  metrics.nodeState("app1", "quarantined");
  const samples = parseSamples((await metrics.scrape()).body);
  for (const series of [
    'lb_node_reads_total{node="NODE",outcome="timeout"}',
    'lb_node_read_duration_seconds_count{node="NODE"}',
    'lb_node_writes_total{node="NODE",outcome="ok"}',
    'lb_node_write_duration_seconds_count{node="NODE"}',
    'lb_node_write_retries_total{node="NODE"}',
    'lb_node_read_retries_total{node="NODE"}',
    'lb_node_acks_total{node="NODE",class="4xx"}',
    'lb_node_late_acks_total{node="NODE",policy="one"}',
    'lb_node_divergent_answers_total{node="NODE",policy="all"}',
    'lb_node_ambiguous_answers_total{node="NODE",policy="all"}',
    'lb_node_health_check_duration_seconds_count{node="NODE"}',
    'lb_node_quarantines_total{node="NODE"}',
    'lb_node_health_checks_total{node="NODE",outcome="failed"}',
    'lb_node_bootstraps_total{node="NODE",kind="snapshot",outcome="ok"}',
    'lb_node_state_changes_total{node="NODE",state="quarantined"}',
  ]) {
    assert.equal(samples.get(series.replace("NODE", "app1")), 1, series);
    assert.equal(samples.get(series.replace("NODE", "app2")), 0, series);
  }
});

test("the journal's commits, appends and purges are counted", async () => {
  const { metrics } = create();
  metrics.journalAppend(0.4, 1);
  metrics.journalCommit({ records: 3, bytes: 900, ms: 0.5, syncMs: 0.3, markMs: 0.1, head: 3 });
  metrics.journalCommit({ records: 0, bytes: 0, ms: 0.5, syncMs: 0.3, markMs: 0.1, head: 3 });
  metrics.journalPurged(2);
  metrics.setAside();
  const samples = parseSamples((await metrics.scrape()).body);
  assert.equal(samples.get("lb_journal_appends_total"), 3);
  assert.equal(samples.get("lb_journal_appended_bytes_total"), 900);
  assert.equal(samples.get("lb_journal_append_duration_seconds_count"), 1);
  assert.equal(samples.get("lb_journal_commit_duration_seconds_count"), 2);
  for (const file of ["journal", "head_mark"]) {
    assert.equal(samples.get(`lb_journal_fsync_duration_seconds_count{file="${file}"}`), 2);
  }
  assert.equal(
    samples.get("lb_journal_batch_records_count"),
    1,
    "a commit of acks alone is no batch of records",
  );
  assert.equal(samples.get("lb_journal_purged_records_total"), 2);
  assert.equal(samples.get("lb_writes_set_aside_total"), 1);
});

test("a refusal counts for the limit that the error names, or that its code stands for, and for no other word", async () => {
  const { metrics } = create();
  metrics.problem("too_many_requests_open", "limits.readsOpen");
  metrics.problem("header_too_large");
  for (const limit of ["limits.none", "constructor", 7]) metrics.problem("no_route", limit);
  metrics.refused("limits.connections");
  const samples = parseSamples((await metrics.scrape()).body);
  const refused = [...samples].filter(([name]) => name.startsWith("lb_admission_refusals_total"));
  const counted = refused.flatMap(([name, value]) => (value > 0 ? /"(.*)"/.exec(name)?.[1] : []));
  assert.deepEqual(counted, ["limits.connections", "limits.header", "limits.readsOpen"]);
  assert.equal(refused.length, LIMITS.length);
});

test("log lines that nobody read are counted", async () => {
  const { metrics } = create();
  metrics.logDropped(3);
  assert.equal(parseSamples((await metrics.scrape()).body).get("lb_log_dropped_lines_total"), 3);
});

test("a route that is another kind of route after a reload starts anew", async () => {
  const { metrics } = create();
  metrics.readDone("one-2", 200, 0.1);
  metrics.setRoutes([{ name: "one-2", to: "all" }]);
  const text = (await metrics.scrape()).body;
  assert.match(text, /^lb_requests_total\{route="one-2",class="2xx"\} 0$/m);
  assert.match(text, /^lb_writes_total\{route="one-2",policy="all",outcome="ok"\} 0$/m);
  assert.doesNotMatch(text, /^lb_read_retries_total\{/m);
});

test("methods that nobody knows are counted as OTHER, so that a client cannot make series", async () => {
  const { metrics } = create();
  for (const method of ["GET", "PROPFIND", "constructor", "__proto__", ""]) metrics.requestIn(method);
  const samples = parseSamples((await metrics.scrape()).body);
  assert.equal(samples.get('lb_received_requests_total{method="GET"}'), 1);
  assert.equal(samples.get('lb_received_requests_total{method="OTHER"}'), 4);
  assert.equal([...samples.keys()].filter((key) => key.startsWith("lb_received_requests_total")).length, 8);
});

test("the state of a node is 1 for the state it is in and 0 for all others", async () => {
  const { control, metrics } = create();
  const [first] = control.nodes;
  assert.ok(first);
  first.state = "quarantined";
  first.lag = 12;
  first.oldestUndelivered = 3.5;
  const samples = parseSamples((await metrics.scrape()).body);
  const state = (name: string) => samples.get(`lb_node_state{node="app1",state="${name}"}`);
  assert.deepEqual([state("quarantined"), state("in-sync"), state("down")], [1, 0, 0]);
  assert.equal(samples.get('lb_node_lag_records{node="app1"}'), 12);
  assert.equal(samples.get('lb_node_oldest_undelivered_seconds{node="app1"}'), 3.5);
  assert.equal(samples.get("lb_in_sync_nodes"), 1);
});

test("nodes and routes come and go: their series appear and disappear, the others keep their numbers", async () => {
  const { control, metrics } = create();
  metrics.readLeg("app1", "ok", 0.001);
  metrics.readLeg("app2", "ok", 0.001);
  metrics.setNodes(["app1", "app3"]);
  metrics.setRoutes([
    { name: "one-2", to: "one" },
    { name: "one-3", to: "one" },
  ]);
  control.nodes = [node("app1"), node("app3")];
  metrics.readLeg("app2", "ok", 0.001);
  metrics.readDone("all-1", 200, 0.001);
  const text = (await metrics.scrape()).body;
  const samples = parseSamples(text);
  assert.equal(samples.get('lb_node_reads_total{node="app1",outcome="ok"}'), 1);
  assert.equal(samples.get('lb_node_reads_total{node="app3",outcome="ok"}'), 0);
  assert.ok(samples.has('lb_requests_total{route="one-3",class="2xx"}'));
  assert.doesNotMatch(text, /"app2"/);
  assert.doesNotMatch(text, /^lb_requests_total\{route="all-1"/m);
});

test("a scrape before there is a balancer gives counters and no gauges", async () => {
  const metrics = createMetrics({ routes: [{ name: "one-2", to: "one" }], nodes: ["app1"], codes: [] });
  const samples = parseSamples((await metrics.scrape()).body);
  assert.equal(samples.get('lb_node_reads_total{node="app1",outcome="ok"}'), 0);
  assert.equal(samples.has("lb_ready"), false);
});

test("Node's own metrics are there, and those that list every socket are not", async () => {
  const text = (await create().metrics.scrape()).body;
  for (const name of [
    "process_resident_memory_bytes",
    "nodejs_eventloop_lag_seconds",
    "nodejs_gc_duration_seconds",
    "process_start_time_seconds",
    "nodejs_heap_size_used_bytes",
  ]) {
    assert.match(text, new RegExp(`^# TYPE ${name} `, "m"));
  }
  assert.doesNotMatch(text, /nodejs_active_handles/);
  for (const kind of ["major", "minor", "incremental", "weakcb"]) {
    assert.match(text, new RegExp(`^nodejs_gc_duration_seconds_count\\{kind="${kind}"\\} \\d`, "m"));
  }
});

test("docs/metrics.md is what the table says", () => {
  const written = readFileSync(new URL("../../../docs/metrics.md", import.meta.url), "utf8");
  assert.equal(written, metricsDoc(), "run: node scripts/generate-metrics-doc.ts");
});
