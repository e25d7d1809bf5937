import { METRICS, type MetricRow } from "../proxy/metrics/metrics-table.ts";

/** docs/metrics.md, out of the table of metrics. */
export function metricsDoc(): string {
  const rows: readonly MetricRow[] = Object.values(METRICS);
  const part = (type: MetricRow["type"]) => rows.filter((row) => row.type === type);
  return `# Metrics

Generated from proxy/metrics/metrics-table.ts by \`node scripts/generate-metrics-doc.ts\`; don't edit.

\`GET /metrics\` on the admin listener (user and password; the viewer's will do), in Prometheus' text format, or in
OpenMetrics for a scraper that asks for it (\`Accept: application/openmetrics-text\`), as Prometheus does:

\`\`\`yaml
scrape_configs:
  - job_name: lbctl
    basic_auth: { username: admin, password_file: /path/to/admin.password }
    static_configs: [{ targets: ["127.0.0.1:1936"] }]
\`\`\`

Names begin with \`lb_\`, units are base units (seconds, bytes), counters end in \`_total\`. Labels are bounded:
their values come from the config or from the lists below, never from a request. Everything is exported from the
start, so that a counter that is missing means a balancer that isn't scraped. Counters start at 0 with the process;
the series of nodes and routes that were removed disappear.

- Routes to one node have no \`lb_writes_total\`, routes to all no \`lb_read_retries_total\`; a listener without tls
  has no \`lb_tls_certificate_expiry_timestamp_seconds\`.
- Writes by outcome: \`lb_writes_total\`, by ack policy. What a write's client is not told any more is counted apart:
  \`lb_writes_late_total\` and \`lb_node_late_acks_total\` (with \`quorum\` and \`one\` some acks are always late).
- A node that makes no progress: \`lb_node_lag_records > 0 and lb_node_catch_up_records_per_second == 0\`; its
  \`lb_node_catch_up_eta_seconds\` is \`+Inf\`.
- Utilisation of a thread, 0 to 1: \`rate(lb_event_loop_active_seconds_total[1m])\`.
- Exemplars (OpenMetrics; Prometheus keeps them with \`--enable-feature=exemplar-storage\`): \`seq\`, the number of a
  write, on the durations of writes and of the journal. \`lbctl writes show SEQ\` shows what became of it.

## Counters

${table(part("counter"))}

## Gauges

${table(part("gauge"))}

## Histograms

${table(part("histogram"))}

Buckets (upper bounds):

${part("histogram").map(bucketLine).join("\n")}

## Node.js

prom-client's defaults: \`process_*\` (CPU, memory, open files, start time) and \`nodejs_*\` (event loop lag, garbage
collection, heap, active resources, version). The event loop's lag is that of a timer of 10 ms, which is what an idle
process shows; its longest, mean and percentiles begin anew at each scrape.
`;
}

function table(rows: readonly MetricRow[]): string {
  const lines = rows.map(({ name, labels, help }) => `| \`${name}\` | ${labelCell(labels)} | ${help} |`);
  return ["| name | labels | meaning |", "|---|---|---|", ...lines].join("\n");
}

function labelCell(labels: MetricRow["labels"]): string {
  const shown = Object.entries(labels).map(([name, values]) => {
    return `\`${name}\`: ${typeof values === "string" ? values : values.join(", ")}`;
  });
  return shown.join("<br>");
}

function bucketLine({ name, buckets = [] }: MetricRow): string {
  return `- \`${name}\`: ${buckets.join(", ")}`;
}
