import type { Board } from "./board.ts";
import { FSYNC_P99, JOURNAL_FULL, OLDEST_UNDELIVERED, WRITE_P99 } from "./objectives.ts";
import { above, below, lines, type SizedPanel, stat } from "./panel.ts";
import { grown, now, quantiles, rate } from "./query.ts";

/** What only this balancer has: writes on their way to every node, and the journal that they wait in. */

const outcomes: readonly SizedPanel[] = [
  lines({
    title: "Writes by outcome",
    description:
      "ok: the ack policy held. below_min: refused, too few nodes. ack_timeout: recorded, delivered later. " +
      "repeat, mismatch: by Idempotency-Key.",
    unit: "reqps",
    thresholds: above(200, 400),
    queries: { "{{policy}} {{outcome}}": rate("lb_writes_total", { by: "policy, outcome" }) },
    width: 12,
    min: 0,
  }),
  lines({
    title: "Writes whose clients were told no",
    description: "Not ok, not a repeat: each is a client that has to try again.",
    unit: "reqps",
    thresholds: above(0.1, 1),
    queries: {
      "{{route}} {{outcome}}": rate("lb_writes_total", {
        by: "route, outcome",
        where: 'outcome=~"below_min|ack_timeout|refused|mismatch|failed"',
      }),
    },
    width: 12,
    min: 0,
  }),
  lines({
    title: "Open writes",
    description: "Some in-sync node has not answered them yet; they are what a slow node holds up.",
    unit: "none",
    thresholds: above(500, 5000),
    queries: { open: now("lb_writes_open") },
    width: 6,
    min: 0,
  }),
  lines({
    title: "Late writes",
    description: "Their policy held only after the client had its 504.",
    unit: "reqps",
    thresholds: above(0.1, 1),
    queries: { "{{policy}}": rate("lb_writes_late_total", { by: "policy" }) },
    width: 6,
    min: 0,
  }),
  lines({
    title: "Idempotency-Keys seen before",
    description:
      "repeat: a client's retry, answered from the journal. mismatch: one key, two requests (422).",
    unit: "reqps",
    thresholds: above(1, 10),
    queries: { "{{outcome}}": rate("lb_idempotency_hits_total", { by: "outcome" }) },
    width: 6,
    min: 0,
  }),
  stat({
    title: "Set aside",
    description: "Writes that no node could carry out; their keys wait for `lbctl writes retry` or `skip`.",
    unit: "none",
    thresholds: above(1, 10),
    queries: { now: now("lb_set_aside_writes"), "in this time": grown("lb_writes_set_aside_total") },
    width: 6,
  }),
];

const backlog: readonly SizedPanel[] = [
  lines({
    title: "Lag",
    description: "Writes that each node still lacks.",
    unit: "short",
    thresholds: above(1000, 10_000),
    queries: { "{{node}}": now("lb_node_lag_records") },
    width: 8,
    min: 0,
  }),
  lines({
    title: "Oldest undelivered",
    description: "Age of the oldest write that each node still lacks.",
    unit: "s",
    thresholds: above(10, OLDEST_UNDELIVERED),
    queries: { "{{node}}": now("lb_node_oldest_undelivered_seconds") },
    width: 8,
    min: 0,
  }),
  lines({
    title: "Time until caught up",
    description: "At the rate of the last 15 seconds. No line while a lag does not shrink.",
    unit: "s",
    thresholds: above(60, 600),
    queries: { "{{node}}": now("lb_node_catch_up_eta_seconds") },
    width: 8,
    min: 0,
  }),
  lines({
    title: "Progress",
    description: "Writes a second that each node gets done. 0 with a lag: it is stuck.",
    unit: "cps",
    thresholds: above(5000, 20_000),
    queries: { "{{node}}": now("lb_node_catch_up_records_per_second") },
    width: 12,
    min: 0,
  }),
  lines({
    title: "Head and cursors",
    description: "The number of the last write, and up to which each node has all.",
    unit: "none",
    thresholds: above(1e9, 1e12),
    queries: { head: now("lb_journal_head_seq"), "{{node}}": now("lb_node_cursor_seq") },
    width: 12,
  }),
];

const acks: readonly SizedPanel[] = [
  lines({
    title: "Acks by node",
    description: "Final answers of each node. A 5xx among them is the app's own answer.",
    unit: "reqps",
    thresholds: above(200, 400),
    queries: { "{{node}} {{class}}": rate("lb_node_acks_total", { by: "node, class" }) },
    width: 8,
    min: 0,
  }),
  lines({
    title: "Late acks",
    description:
      "After the reply or the 504. With quorum and one some always are; so is all that is caught up with.",
    unit: "reqps",
    thresholds: above(50, 500),
    queries: { "{{node}} {{policy}}": rate("lb_node_late_acks_total", { by: "node, policy" }) },
    width: 8,
    min: 0,
  }),
  lines({
    title: "Time of a write at each node",
    description: "One attempt. The slowest node of an `ack: all` route is what its clients wait for.",
    unit: "s",
    thresholds: above(WRITE_P99 / 2, WRITE_P99),
    queries: quantiles("lb_node_write_duration_seconds", { by: "node", legend: "{{node}}" }, 0.5, 0.99),
    exemplars: true,
    width: 8,
    min: 0,
  }),
];

const disagreement: readonly SizedPanel[] = [
  stat({
    title: "Divergent answers",
    description:
      "Writes that a node answered otherwise than the majority: it is quarantined. Any is one too many.",
    unit: "none",
    thresholds: above(1, 1.5),
    queries: { "{{node}}": grown("lb_node_divergent_answers_total", { by: "node" }) },
    width: 8,
  }),
  stat({
    title: "Ambiguous answers",
    description:
      "Answers after an attempt that may have been carried out already; not counted as disagreement.",
    unit: "none",
    thresholds: above(10, 1000),
    queries: { "{{node}}": grown("lb_node_ambiguous_answers_total", { by: "node" }) },
    width: 8,
  }),
  stat({
    title: "Quarantines",
    description: "Times that each node was taken out by rule.",
    unit: "none",
    thresholds: above(1, 2),
    queries: { "{{node}}": grown("lb_node_quarantines_total", { by: "node" }) },
    width: 8,
  }),
];

const journal: readonly SizedPanel[] = [
  lines({
    title: "Until a write is on disk",
    description: "What a write waits for its record to be fsynced, and what one group commit takes.",
    unit: "s",
    thresholds: above(FSYNC_P99 / 2, FSYNC_P99),
    queries: {
      ...quantiles("lb_journal_append_duration_seconds", { legend: "append" }, 0.5, 0.99),
      ...quantiles("lb_journal_commit_duration_seconds", { legend: "commit" }, 0.99),
    },
    exemplars: true,
    width: 8,
    min: 0,
  }),
  lines({
    title: "fsync",
    description: "Of the journal and of the head mark beside it. Slow: the disk, or what else writes to it.",
    unit: "s",
    thresholds: above(FSYNC_P99 / 2, FSYNC_P99),
    queries: quantiles("lb_journal_fsync_duration_seconds", { by: "file", legend: "{{file}}" }, 0.5, 0.99),
    width: 8,
    min: 0,
  }),
  lines({
    title: "Records in a commit",
    description: "All writes that came meanwhile share one fsync: grows with the load.",
    unit: "none",
    thresholds: above(128, 512),
    queries: quantiles("lb_journal_batch_records", {}, 0.5, 0.99),
    width: 8,
    min: 0,
  }),
  stat({
    title: "Journal's limit in use",
    description:
      "Share of journal.maxSize. At 1 the member furthest behind is evicted, or writes are refused.",
    unit: "percentunit",
    thresholds: above(JOURNAL_FULL - 0.2, JOURNAL_FULL),
    queries: { "in use": `${now("lb_journal_size_bytes")} / ${now("lb_journal_limit_bytes")}` },
    width: 6,
  }),
  stat({
    title: "Disk left",
    description: "Share of the file system of dataDir that is free.",
    unit: "percentunit",
    thresholds: below(0.2, 0.1),
    queries: { free: `${now("lb_journal_disk_free_bytes")} / ${now("lb_journal_disk_size_bytes")}` },
    width: 6,
  }),
  lines({
    title: "Appended",
    description: "Bytes of the records appended.",
    unit: "binBps",
    thresholds: above(10 * 1024 ** 2, 50 * 1024 ** 2),
    queries: { bytes: rate("lb_journal_appended_bytes_total") },
    width: 6,
    min: 0,
  }),
  lines({
    title: "Records appended and purged",
    description: "Bodies are purged when every member has acked and retention has passed.",
    unit: "cps",
    thresholds: above(1000, 5000),
    queries: {
      appended: rate("lb_journal_appends_total"),
      purged: rate("lb_journal_purged_records_total"),
    },
    width: 6,
    min: 0,
  }),
  lines({
    title: "Size",
    description: "What the journal takes on disk, and what it may take (journal.maxSize).",
    unit: "bytes",
    thresholds: above(512 * 1024 ** 2, 1024 ** 3),
    queries: { size: now("lb_journal_size_bytes"), limit: now("lb_journal_limit_bytes") },
    width: 12,
    min: 0,
  }),
  lines({
    title: "Records kept",
    description:
      "From the first one whose body is still there to the last. Complete from 1: new nodes can replay.",
    unit: "short",
    thresholds: above(1e6, 1e7),
    queries: { kept: `${now("lb_journal_head_seq")} - ${now("lb_journal_first_seq")} + 1` },
    width: 12,
    min: 0,
  }),
];

export const WRITES: Board = {
  uid: "lbctl-writes",
  title: "lbctl / Writes",
  description: "Writes on their way to every node: outcomes, backlog, acks, disagreement, journal.",
  variables: [],
  rows: [
    { title: "Outcomes", height: 8, panels: outcomes },
    { title: "Backlog", height: 8, panels: backlog },
    { title: "Acks", height: 8, panels: acks },
    { title: "Disagreement", height: 5, panels: disagreement },
    { title: "Journal", height: 7, panels: journal },
  ],
};
