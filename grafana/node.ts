import { type Board, nodeVariable } from "./board.ts";
import { nodeStates } from "./node-states.ts";
import { OLDEST_UNDELIVERED, READ_P99, WRITE_P99 } from "./objectives.ts";
import { above, below, lines, type SizedPanel, stat } from "./panel.ts";
import { grown, now, quantiles, rate } from "./query.ts";

/** One node, from the balancer's side: is it asked, does it answer, has it everything? */

const NODE = 'node="$node"';

const state: readonly SizedPanel[] = [
  nodeStates("State", 12, NODE),
  stat({
    title: "In this state for",
    description: "Seconds since it entered its state. Long is good in-sync, and bad in any other.",
    unit: "s",
    thresholds: below(60, 10),
    queries: { since: `time() - ${now("lb_node_state_since_timestamp_seconds", NODE)}` },
    width: 4,
  }),
  stat({
    title: "Member",
    description: "1 from its first time in-sync on: quorums count it, and the journal keeps what it lacks.",
    unit: "none",
    thresholds: below(1, 0.5),
    queries: { member: now("lb_node_member", NODE) },
    width: 4,
  }),
  stat({
    title: "Changes of state",
    description: "Times that it entered each state. Many: it flaps; look at its health checks.",
    unit: "none",
    thresholds: above(3, 10),
    queries: { "{{state}}": grown("lb_node_state_changes_total", { by: "state", where: NODE }) },
    width: 4,
  }),
];

const reads: readonly SizedPanel[] = [
  lines({
    title: "Reads by how they ended",
    description:
      "Attempts. connect: refused; timeout: no first byte in time; reset: cut; aborted: the client left.",
    unit: "reqps",
    thresholds: above(500, 1000),
    queries: { "{{outcome}}": rate("lb_node_reads_total", { by: "outcome", where: NODE }) },
    width: 8,
    min: 0,
  }),
  lines({
    title: "Time of a read",
    description: "One attempt, until it ended.",
    unit: "s",
    thresholds: above(READ_P99 / 2, READ_P99),
    queries: quantiles("lb_node_read_duration_seconds", { where: NODE }, 0.5, 0.9, 0.99),
    width: 8,
    min: 0,
  }),
  lines({
    title: "Tried again",
    description:
      "Reads that it got since another node had failed them, and its own writes after a first attempt.",
    unit: "reqps",
    thresholds: above(1, 10),
    queries: {
      reads: rate("lb_node_read_retries_total", { where: NODE }),
      writes: rate("lb_node_write_retries_total", { where: NODE }),
    },
    width: 8,
    min: 0,
  }),
];

const writes: readonly SizedPanel[] = [
  lines({
    title: "Writes by how they ended",
    description: "Attempts. retry_later: 408, 425 or 429; all but ok and http_5xx come again after a pause.",
    unit: "reqps",
    thresholds: above(200, 400),
    queries: { "{{outcome}}": rate("lb_node_writes_total", { by: "outcome", where: NODE }) },
    width: 8,
    min: 0,
  }),
  lines({
    title: "Time of a write",
    description: "One attempt, until it ended.",
    unit: "s",
    thresholds: above(WRITE_P99 / 2, WRITE_P99),
    queries: quantiles("lb_node_write_duration_seconds", { where: NODE }, 0.5, 0.9, 0.99),
    width: 8,
    min: 0,
  }),
  lines({
    title: "Acks by class",
    description: "Its final answers to records.",
    unit: "reqps",
    thresholds: above(200, 400),
    queries: { "{{class}}": rate("lb_node_acks_total", { by: "class", where: NODE }) },
    width: 8,
    min: 0,
  }),
];

const backlog: readonly SizedPanel[] = [
  lines({
    title: "Lag",
    description: "Writes that it still lacks.",
    unit: "short",
    thresholds: above(1000, 10_000),
    queries: { lag: now("lb_node_lag_records", NODE) },
    width: 6,
    min: 0,
  }),
  lines({
    title: "Oldest undelivered",
    description: "Age of the oldest write that it still lacks.",
    unit: "s",
    thresholds: above(10, OLDEST_UNDELIVERED),
    queries: { age: now("lb_node_oldest_undelivered_seconds", NODE) },
    width: 6,
    min: 0,
  }),
  lines({
    title: "Progress",
    description: "Writes a second that it gets done. 0 with a lag: it is stuck.",
    unit: "cps",
    thresholds: above(5000, 20_000),
    queries: { done: now("lb_node_catch_up_records_per_second", NODE) },
    width: 6,
    min: 0,
  }),
  lines({
    title: "Time until caught up",
    description: "At the rate of the last 15 seconds. No line while the lag does not shrink.",
    unit: "s",
    thresholds: above(60, 600),
    queries: { eta: now("lb_node_catch_up_eta_seconds", NODE) },
    width: 6,
    min: 0,
  }),
];

const disagreement: readonly SizedPanel[] = [
  stat({
    title: "Divergent answers",
    description: "Writes that it answered otherwise than the majority, by ack policy.",
    unit: "none",
    thresholds: above(1, 1.5),
    queries: { "{{policy}}": grown("lb_node_divergent_answers_total", { by: "policy", where: NODE }) },
    width: 6,
  }),
  stat({
    title: "Ambiguous answers",
    description: "Answers after an attempt that may have been carried out already, by ack policy.",
    unit: "none",
    thresholds: above(10, 1000),
    queries: { "{{policy}}": grown("lb_node_ambiguous_answers_total", { by: "policy", where: NODE }) },
    width: 6,
  }),
  stat({
    title: "Quarantines",
    description: "Times that it was taken out by rule.",
    unit: "none",
    thresholds: above(1, 2),
    queries: { quarantines: grown("lb_node_quarantines_total", { where: NODE }) },
    width: 6,
  }),
  stat({
    title: "Times it was given its history",
    description: "By replay, snapshot or hand. Failed ones: `lbctl logs` says why.",
    unit: "none",
    thresholds: above(2, 5),
    queries: {
      "{{kind}} {{outcome}}": grown("lb_node_bootstraps_total", { by: "kind, outcome", where: NODE }),
    },
    width: 6,
  }),
];

const connections: readonly SizedPanel[] = [
  lines({
    title: "Health checks",
    description: "Active ones. health.fall failed ones in a row: down.",
    unit: "cps",
    thresholds: above(10, 50),
    queries: { "{{outcome}}": rate("lb_node_health_checks_total", { by: "outcome", where: NODE }) },
    width: 6,
    min: 0,
  }),
  lines({
    title: "Time of a health check",
    description: "Passed or failed. Near health.timeout (0.5 s) it is about to go down.",
    unit: "s",
    thresholds: above(0.25, 0.5),
    queries: quantiles("lb_node_health_check_duration_seconds", { where: NODE }, 0.5, 0.99),
    width: 6,
    min: 0,
  }),
  lines({
    title: "Under way",
    description: "Requests at the node now; writes.window (32) bounds its writes.",
    unit: "none",
    thresholds: above(32, 128),
    queries: { "{{kind}}": now("lb_node_in_flight", NODE) },
    width: 6,
    min: 0,
  }),
  lines({
    title: "Connections",
    description: "Open ones to the node; limits.readConnections (128) bounds those for reads.",
    unit: "none",
    thresholds: above(100, 160),
    queries: { open: now("lb_node_connections", NODE) },
    width: 6,
    min: 0,
  }),
];

export const NODE_BOARD: Board = {
  uid: "lbctl-node",
  title: "lbctl / Node",
  description: "One node as the balancer sees it.",
  variables: [nodeVariable()],
  rows: [
    { title: "State of $node", height: 5, panels: state },
    { title: "Reads", height: 8, panels: reads },
    { title: "Writes", height: 8, panels: writes },
    { title: "Backlog", height: 7, panels: backlog },
    { title: "Disagreement and history", height: 4, panels: disagreement },
    { title: "Connections and health", height: 7, panels: connections },
  ],
};
