import {
  CERTIFICATE_LEFT,
  ERROR_BUDGET,
  EVENT_LOOP_P99,
  FSYNC_P99,
  JOB,
  JOURNAL_FULL,
  OLDEST_UNDELIVERED,
  READ_P99,
  WRITE_P99,
} from "./objectives.ts";
import { failedShare, latency, type Window } from "./recordings.ts";
import type { Time } from "./time.ts";

/** Every alert, in one table. Each has a page of its name in docs/runbooks/, and tests in test/grafana/. */

export interface Alert {
  readonly name: string;
  /**
   * critical: wake someone: clients are failed, or will be, or nodes disagree. warning: today, at work; one node that
   * is missing is a warning, since the others serve.
   */
  readonly severity: "critical" | "warning";
  /** Seconds that it must hold. */
  readonly for: number;
  readonly expr: (time: Time) => string;
  /** One line, as Prometheus' templates write it; names the node where it is about one. */
  readonly summary: string;
}

const MINUTE = 60;
const BALANCER = "{{ $labels.instance }}";
const NODE = "{{ $labels.node }}";
const PERCENT = "{{ $value | humanizePercentage }}";
const DURATION = "{{ $value | humanizeDuration }}";

/** Who is missing, in the summary of an alert about all of them: asked for when it fires. */
const MISSING =
  `{{ range printf "lb_node_state{instance='%s',state!='in-sync'} == 1" $labels.instance | query | sortByLabel "node" }}` +
  " {{ .Labels.node }} is {{ .Labels.state }};{{ end }}";

/** The Google SRE workbook's pairs: the long window says that it matters, the short one that it still goes on. */
function burns(times: number, long: Window, short: Window): string {
  const limit = Number((times * ERROR_BUDGET).toPrecision(6));
  return `(${failedShare(long)} > ${limit} and ${failedShare(short)} > ${limit})`;
}

function slowRoutes(to: "one" | "all", limit: number): string {
  return `${latency("p99")} * on (job, instance, route) group_left (to) lb_route_info{to="${to}"} > ${limit}`;
}

export const ALERTS: readonly Alert[] = [
  {
    name: "LbNoNodeInSync",
    severity: "critical",
    for: 30,
    expr: () => "lb_in_sync_nodes == 0",
    summary: `${BALANCER} has no node in-sync, every request gets a 503:${MISSING}`,
  },
  {
    name: "LbBelowQuorum",
    severity: "critical",
    for: 30,
    expr: () => "lb_in_sync_nodes <= lb_members / 2 and lb_in_sync_nodes > 0",
    summary: `${BALANCER} has {{ $value }} in-sync, no more than half of its members:${MISSING}`,
  },
  {
    name: "LbBelowMinInSync",
    severity: "critical",
    for: 30,
    expr: () => "lb_in_sync_nodes < lb_min_in_sync_nodes and lb_in_sync_nodes > 0",
    summary: `${BALANCER} refuses writes, {{ $value }} in-sync is fewer than writes.minInSync:${MISSING}`,
  },
  {
    name: "LbNodeDown",
    severity: "warning",
    for: MINUTE,
    expr: () => 'lb_node_state{state="down"} == 1',
    summary: `${NODE} of ${BALANCER} is down: its health checks fail`,
  },
  {
    name: "LbNodeStuck",
    severity: "warning",
    for: 30,
    expr: () =>
      "lb_node_lag_records > 0 and lb_node_catch_up_records_per_second == 0" +
      ' unless on (job, instance, node) lb_node_state{state=~"down|maint|quarantined"} == 1',
    summary: `${NODE} of ${BALANCER} is up and makes no progress, {{ $value }} writes behind`,
  },
  {
    name: "LbNodeWithoutHistory",
    severity: "warning",
    for: 10 * MINUTE,
    expr: () => 'lb_node_state{state="joining"} == 1',
    summary: `${NODE} of ${BALANCER} has not been given the state of the others and stays out`,
  },
  {
    name: "LbOldestUndelivered",
    severity: "warning",
    for: MINUTE,
    expr: ({ age }) => `lb_node_oldest_undelivered_seconds > ${age(OLDEST_UNDELIVERED)}`,
    summary: `${NODE} of ${BALANCER} still lacks a write from ${DURATION} ago`,
  },
  {
    name: "LbDivergence",
    severity: "critical",
    for: 0,
    expr: ({ duration }) =>
      `sum by (job, instance, node) (increase(lb_node_divergent_answers_total[${duration(15 * MINUTE)}])) > 0`,
    summary: `${NODE} of ${BALANCER} answered a write otherwise than the majority`,
  },
  {
    name: "LbNodeQuarantined",
    severity: "warning",
    for: 0,
    expr: () => 'lb_node_state{state="quarantined"} == 1',
    summary: `${NODE} of ${BALANCER} is quarantined: no reads, no writes, until someone resyncs it`,
  },
  {
    name: "LbWriteSetAside",
    severity: "critical",
    for: 0,
    expr: () => "lb_set_aside_writes > 0",
    summary: `${BALANCER} has {{ $value }} set aside: no node could carry them out, their keys wait`,
  },
  {
    name: "LbJournalNearLimit",
    severity: "warning",
    for: 5 * MINUTE,
    expr: () => `lb_journal_size_bytes / lb_journal_limit_bytes > ${JOURNAL_FULL}`,
    summary: `The journal of ${BALANCER} takes ${PERCENT} of journal.maxSize`,
  },
  {
    name: "LbJournalDisk",
    severity: "critical",
    for: 5 * MINUTE,
    expr: () => "lb_journal_disk_free_bytes < lb_journal_limit_bytes - lb_journal_size_bytes",
    summary: `The disk of ${BALANCER} has {{ $value | humanize1024 }}B left, less than its journal may still take`,
  },
  {
    name: "LbFsyncSlow",
    severity: "warning",
    for: 5 * MINUTE,
    expr: ({ duration }) =>
      "histogram_quantile(0.99, sum by (job, instance, file, le)" +
      ` (rate(lb_journal_fsync_duration_seconds_bucket[${duration(5 * MINUTE)}]))) > ${FSYNC_P99}`,
    summary: `fsync of {{ $labels.file }} takes ${DURATION} (p99) on the disk of ${BALANCER}`,
  },
  {
    name: "LbErrorBudgetBurnsFast",
    severity: "critical",
    for: MINUTE,
    expr: () => `${burns(14.4, "1h", "5m")} or ${burns(6, "6h", "30m")}`,
    summary: `${PERCENT} of the requests to ${BALANCER} fail: 30 days' error budget is gone within days`,
  },
  {
    name: "LbErrorBudgetBurnsSlowly",
    severity: "warning",
    for: 15 * MINUTE,
    expr: () => `${burns(3, "1d", "2h")} or ${burns(1, "3d", "6h")}`,
    summary: `${PERCENT} of the requests to ${BALANCER} fail: more than the error budget allows`,
  },
  {
    name: "LbReadsSlow",
    severity: "warning",
    for: 5 * MINUTE,
    expr: () => slowRoutes("one", READ_P99),
    summary: `Reads of {{ $labels.route }} at ${BALANCER} take ${DURATION} (p99)`,
  },
  {
    name: "LbWritesSlow",
    severity: "warning",
    for: 5 * MINUTE,
    expr: () => slowRoutes("all", WRITE_P99),
    summary: `Writes of {{ $labels.route }} at ${BALANCER} take ${DURATION} (p99)`,
  },
  {
    name: "LbEventLoopLag",
    severity: "warning",
    for: 5 * MINUTE,
    expr: ({ duration }) =>
      `avg_over_time(nodejs_eventloop_lag_p99_seconds{job="${JOB}"}[${duration(5 * MINUTE)}]) > ${EVENT_LOOP_P99}`,
    summary: `The event loop of ${BALANCER} is late by ${DURATION} (p99)`,
  },
  {
    name: "LbScrapeMissing",
    severity: "critical",
    for: MINUTE,
    expr: () => `up{job="${JOB}"} == 0 or absent(up{job="${JOB}"})`,
    summary: `Prometheus has no metrics of {{ or $labels.instance "any balancer" }}: it is down, or not scraped`,
  },
  {
    name: "LbCertificateExpires",
    severity: "warning",
    for: 60 * MINUTE,
    expr: () => `lb_tls_certificate_expiry_timestamp_seconds - time() < ${CERTIFICATE_LEFT}`,
    summary: `The certificate of ${BALANCER} ({{ $labels.listener }}) expires in ${DURATION}`,
  },
  {
    name: "LbReloadRefused",
    severity: "warning",
    for: 5 * MINUTE,
    expr: () => "lb_config_last_reload_ok == 0",
    summary: `${BALANCER} refused its new config and goes on with the old one`,
  },
];
