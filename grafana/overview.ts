import type { Board } from "./board.ts";
import { nodeStates } from "./node-states.ts";
import { APDEX_READ, APDEX_WRITE, AVAILABILITY, ERROR_BUDGET, READ_P99, WRITE_P99 } from "./objectives.ts";
import { above, below, lines, type SizedPanel, stat } from "./panel.ts";
import { AT, now, quantiles, rate } from "./query.ts";
import { failedShare } from "./recordings.ts";

/** Is it well? What was promised first, then the golden signals, then the nodes. */

const FAILED = 'class="5xx"';
const COUNTED = 'class!="aborted"';

const promised: readonly SizedPanel[] = [
  stat({
    title: "Ready",
    description: "1 while enough nodes are in-sync for requests (/readyz). 0: every request gets a 503.",
    unit: "none",
    thresholds: below(1, 0.5),
    queries: { ready: now("lb_ready") },
    width: 3,
  }),
  stat({
    title: "Nodes in-sync",
    description: "Share of the nodes in the config that answer reads. Below half, quorum writes fail.",
    unit: "percentunit",
    thresholds: below(1, 0.5),
    queries: { "in-sync": `${now("lb_in_sync_nodes")} / ${now("lb_nodes")}` },
    width: 3,
  }),
  stat({
    title: "Alerts that fire",
    description: "Alerts about this balancer; their pages are in docs/runbooks/.",
    unit: "none",
    thresholds: above(1, 3),
    queries: { firing: `count(ALERTS{alertstate="firing",${AT}}) or vector(0)` },
    width: 3,
  }),
  stat({
    title: "Availability, 30 days",
    description: `Share of requests without a 5xx; promised: ${AVAILABILITY}.`,
    unit: "percentunit",
    thresholds: below(1 - ERROR_BUDGET / 2, AVAILABILITY),
    queries: {
      availability: `1 - ${increase30d(FAILED)} / ${increase30d(COUNTED)}`,
    },
    width: 3,
  }),
  stat({
    title: "Error budget left",
    description:
      "Of what may fail in 30 days. Below 0 the promise is broken: mend before anything new is deployed.",
    unit: "percentunit",
    thresholds: below(0.5, 0.1),
    queries: { left: `1 - ${increase30d(FAILED)} / ${increase30d(COUNTED)} / ${budget()}` },
    width: 3,
  }),
  stat({
    title: "Apdex of reads",
    description: `1: all are content (within ${APDEX_READ} s). Half counts what takes up to four times as long.`,
    unit: "none",
    thresholds: below(0.94, 0.85),
    queries: { apdex: apdex("one", APDEX_READ) },
    width: 3,
  }),
  stat({
    title: "Apdex of writes",
    description: `1: all are content (within ${APDEX_WRITE} s). Half counts what takes up to four times as long.`,
    unit: "none",
    thresholds: below(0.94, 0.85),
    queries: { apdex: apdex("all", APDEX_WRITE) },
    width: 3,
  }),
  stat({
    title: "Oldest undelivered",
    description: "Age of the oldest write that some node still lacks.",
    unit: "s",
    thresholds: above(10, 300),
    queries: { age: `max(${now("lb_node_oldest_undelivered_seconds")})` },
    width: 3,
  }),
];

const goldenSignals: readonly SizedPanel[] = [
  lines({
    title: "Requests",
    description: "Requests that each route took. The lines: twice and four times what it is made for.",
    unit: "reqps",
    thresholds: above(2200, 4400),
    queries: { "{{route}}": rate("lb_requests_total", { by: "route" }) },
    width: 8,
    min: 0,
  }),
  lines({
    title: "Failed requests",
    description:
      "Replies by class that are not a success. 5xx count against the error budget; 4xx are the clients'.",
    unit: "reqps",
    thresholds: above(1, 10),
    queries: {
      "{{route}} {{class}}": rate("lb_requests_total", {
        by: "route, class",
        where: 'class=~"4xx|5xx|aborted"',
      }),
    },
    width: 8,
    min: 0,
  }),
  lines({
    title: "Error budget burn",
    description: "How many times faster than allowed the budget goes: 1 lasts 30 days, 14.4 two days.",
    unit: "none",
    thresholds: above(1, 14.4),
    queries: Object.fromEntries(
      (["5m", "1h", "6h", "3d"] as const).map((window) => [
        window,
        `${now(failedShare(window))} / ${budget()}`,
      ]),
    ),
    width: 8,
    min: 0,
  }),
  lines({
    title: "Latency of reads",
    description: "From the request's head to the end of the reply, by route.",
    unit: "s",
    thresholds: above(READ_P99 / 2, READ_P99),
    queries: latencies("one"),
    width: 8,
    min: 0,
  }),
  lines({
    title: "Latency of writes",
    description: "The journal's fsync and the acks that the route's policy asks for are in it.",
    unit: "s",
    thresholds: above(WRITE_P99 / 2, WRITE_P99),
    queries: latencies("all"),
    exemplars: true,
    width: 8,
    min: 0,
  }),
  lines({
    title: "Saturation",
    description:
      "Requests under way, and open connections; limits.readsOpen (4,096) and limits.connections (10,000).",
    unit: "none",
    thresholds: above(2000, 4096),
    queries: { "{{route}}": now("lb_requests_in_flight"), connections: now("lb_connections") },
    width: 8,
    min: 0,
  }),
];

const nodes: readonly SizedPanel[] = [
  nodeStates("Node states", 8),
  lines({
    title: "Nodes in-sync and needed",
    description: "Writes are refused below min; those with ack: quorum need more than half of the members.",
    unit: "none",
    thresholds: below(2, 1),
    queries: {
      "in config": now("lb_nodes"),
      members: now("lb_members"),
      "in-sync": now("lb_in_sync_nodes"),
      min: now("lb_min_in_sync_nodes"),
    },
    width: 8,
    min: 0,
  }),
  lines({
    title: "Reads by node",
    description: "Attempts at reads: alike where all are in-sync, none at a node that is not.",
    unit: "reqps",
    thresholds: above(500, 1000),
    queries: { "{{node}}": rate("lb_node_reads_total", { by: "node" }) },
    width: 8,
    min: 0,
  }),
];

const refused: readonly SizedPanel[] = [
  lines({
    title: "Problems by code",
    description: "Replies that the balancer made itself; docs/errors.md tells what each code means.",
    unit: "reqps",
    thresholds: above(0.1, 1),
    queries: { "{{code}}": rate("lb_problems_total", { by: "code" }) },
    width: 8,
    min: 0,
  }),
  lines({
    title: "Refused by limits",
    description: "Requests refused at the door, by the limit of the config that did it.",
    unit: "reqps",
    thresholds: above(0.1, 1),
    queries: { "{{limit}}": rate("lb_admission_refusals_total", { by: "limit" }) },
    width: 8,
    min: 0,
  }),
  lines({
    title: "Reads tried again",
    description:
      "Reads that went to another node after the first had failed them; limits.retryBudget bounds them.",
    unit: "reqps",
    thresholds: above(1, 10),
    queries: { "{{route}}": rate("lb_read_retries_total", { by: "route" }) },
    width: 8,
    min: 0,
  }),
  lines({
    title: "Bytes",
    description: "From and to clients, heads and TLS included.",
    unit: "binBps",
    thresholds: above(50 * 1024 ** 2, 100 * 1024 ** 2),
    queries: { received: rate("lb_client_received_bytes_total"), sent: rate("lb_client_sent_bytes_total") },
    width: 8,
    min: 0,
  }),
  lines({
    title: "Connections accepted",
    description:
      "New connections of clients; many a second for few requests: clients that don't keep theirs.",
    unit: "cps",
    thresholds: above(500, 2000),
    queries: { accepted: rate("lb_connections_accepted_total") },
    width: 8,
    min: 0,
  }),
  lines({
    title: "Requests by method",
    description: "All that came in, also those that no route took.",
    unit: "reqps",
    thresholds: above(2200, 4400),
    queries: { "{{method}}": rate("lb_received_requests_total", { by: "method" }) },
    width: 8,
    min: 0,
  }),
];

export const OVERVIEW: Board = {
  uid: "lbctl-overview",
  title: "lbctl / Overview",
  description: "Is it well: what was promised, the golden signals, who is in-sync.",
  variables: [],
  rows: [
    { title: "What was promised", height: 4, panels: promised },
    { title: "Golden signals", height: 8, panels: goldenSignals },
    { title: "Nodes", height: 8, panels: nodes },
    { title: "Refused and repeated", height: 7, panels: refused },
  ],
};

function increase30d(where: string): string {
  return `sum(increase(${now("lb_requests_total", where)}[30d]))`;
}

function budget(): number {
  return Number(ERROR_BUDGET.toPrecision(6));
}

/** (content + tolerating) / 2: what is within `limit` counts twice, in both buckets. */
function apdex(to: "one" | "all", limit: number): string {
  const of = (query: string) =>
    `sum(${query} * on (route) group_left () ${now("lb_route_info", `to="${to}"`)})`;
  const within = (le: number) =>
    `sum by (route) (rate(${now("lb_request_duration_seconds_bucket", `class!~"5xx|aborted",le="${le}"`)}[$__rate_interval]))`;
  const all = `sum by (route) (rate(${now("lb_request_duration_seconds_count", COUNTED)}[$__rate_interval]))`;
  return `(${of(within(limit))} + ${of(within(4 * limit))}) / 2 / ${of(all)}`;
}

/** The routes of one kind alone. */
function latencies(to: "one" | "all"): Record<string, string> {
  const kind = ` * on (route) group_left () ${now("lb_route_info", `to="${to}"`)}`;
  const all = quantiles(
    "lb_request_duration_seconds",
    { by: "route", where: COUNTED, legend: "{{route}}" },
    0.5,
    0.9,
    0.99,
  );
  return Object.fromEntries(Object.entries(all).map(([legend, query]) => [legend, query + kind]));
}
