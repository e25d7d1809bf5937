import { METRICS, type MetricRow } from "../proxy/metrics/metrics-table.ts";

/** docs/metrics.md, out of the table of metrics. */
export function metricsDoc(): string {
  const rows: readonly MetricRow[] = Object.values(METRICS);
  const part = (type: MetricRow["type"]) => rows.filter((row) => row.type === type);
  return `# Metrics

Generated from proxy/metrics/metrics-table.ts by \`node scripts/generate-metrics-doc.ts\`; don't edit.

\`GET /metrics\` on the admin listener (user and password; the viewer's will do), in Prometheus' text format.
Names begin with \`lb_\`, units are base units (seconds, bytes), counters end in \`_total\`. Labels are bounded:
their values come from the config or from the lists below, never from a request. Every counter is exported from the
start, so that one that is missing means a balancer that isn't scraped. Counters start at 0 with the process;
the series of nodes and routes that were removed disappear.

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
collection, heap, active resources, version).
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
