/**
 * For each alert: what makes it fire, what it then says, and what must leave it quiet. Values are promtool's: one a
 * minute (or each `every` minutes), `0+60x10` counts up by 60 ten times, `_` is missing, `stale` ends a series. Times are minutes.
 */

export interface AlertCase {
  /** Minutes between two samples, and two evaluations; default 1. */
  readonly every?: number;
  readonly fires: {
    readonly series: Series;
    readonly at: number;
    /** Besides instance, job and severity. */
    readonly labels?: Readonly<Record<string, string>>;
    readonly summary: string;
  };
  /** Why → series at a time. */
  readonly quiet: Readonly<Record<string, { readonly series: Series; readonly at: number }>>;
}

/** `metric label=value …` → values; instance and job are added. */
export type Series = Readonly<Record<string, string>>;

/** Requests, and how many of them fail, at each step. */
function requests(failed: string, good = "0+100x1000"): Series {
  return {
    "lb_requests_total route=one-2 class=2xx": good,
    "lb_requests_total route=one-2 class=5xx": failed,
    "lb_requests_total route=one-2 class=aborted": "0+100x1000",
  };
}

/** 100 requests a minute of a route, `slow` of which take more than `limit` (the rest less). */
function durations(route: string, to: string, limit: string, slow: number): Series {
  const name = `lb_request_duration_seconds_bucket route=${route} class=2xx`;
  return {
    [`lb_route_info route=${route} to=${to} policy=any`]: "1x20",
    [`${name} le=${limit}`]: `0+${100 - slow}x20`,
    [`${name} le=1.0`]: "0+100x20",
    [`${name} le=+Inf`]: "0+100x20",
  };
}

function fsyncs(slow: number): Series {
  const name = "lb_journal_fsync_duration_seconds_bucket file=journal";
  return {
    [`${name} le=0.1`]: `0+${100 - slow}x20`,
    [`${name} le=0.2`]: "0+100x20",
    [`${name} le=+Inf`]: "0+100x20",
  };
}

function nodesIn(inSync: string, members = "3x10", min = "1x10"): Series {
  return {
    lb_in_sync_nodes: inSync,
    lb_members: members,
    lb_min_in_sync_nodes: min,
    "lb_node_state node=app1 state=in-sync": "1x10",
    "lb_node_state node=app1 state=down": "0x10",
    "lb_node_state node=app2 state=down": "1x10",
    "lb_node_state node=app3 state=catching-up": "1x10",
  };
}

function stuck(rate: string, state = "in-sync"): Series {
  return {
    "lb_node_lag_records node=app2": "7x10",
    "lb_node_catch_up_records_per_second node=app2": rate,
    [`lb_node_state node=app2 state=${state}`]: "1x10",
  };
}

function journalDisk(free: string): Series {
  return {
    lb_journal_disk_free_bytes: free,
    lb_journal_limit_bytes: "1073741824x20",
    lb_journal_size_bytes: "536870912x20",
  };
}

const APP2 = { node: "app2" };

export const ALERT_CASES: Readonly<Record<string, AlertCase>> = {
  LbNoNodeInSync: {
    fires: {
      series: {
        ...nodesIn("3 0x9"),
        "lb_node_state node=app1 state=in-sync": "0x10",
        "lb_node_state node=app1 state=down": "1x10",
      },
      at: 3,
      summary:
        "lb:1936 has no node in-sync, every request gets a 503: app1 is down; app2 is down; app3 is catching-up;",
    },
    quiet: {
      "one is in-sync": { series: nodesIn("1x10"), at: 5 },
      "for a moment": { series: nodesIn("3 3 0 3x7"), at: 2 },
    },
  },
  LbBelowQuorum: {
    fires: {
      series: nodesIn("1x10"),
      at: 2,
      summary: "lb:1936 has 1 in-sync, no more than half of its members: app2 is down; app3 is catching-up;",
    },
    quiet: {
      "two of three": { series: nodesIn("2x10"), at: 5 },
      "a cluster of one": { series: nodesIn("1x10", "1x10"), at: 5 },
      "none at all is LbNoNodeInSync": { series: nodesIn("0x10"), at: 5 },
    },
  },
  LbBelowMinInSync: {
    fires: {
      series: nodesIn("1x10", "3x10", "2x10"),
      at: 2,
      summary:
        "lb:1936 refuses writes, 1 in-sync is fewer than writes.minInSync: app2 is down; app3 is catching-up;",
    },
    quiet: { "as many as needed": { series: nodesIn("2x10", "3x10", "2x10"), at: 5 } },
  },
  LbNodeDown: {
    fires: {
      series: { "lb_node_state node=app2 state=down": "0 1x9", "lb_node_state node=app1 state=down": "0x10" },
      at: 3,
      labels: { ...APP2, state: "down" },
      summary: "app2 of lb:1936 is down: its health checks fail",
    },
    quiet: {
      "drained by an operator": { series: { "lb_node_state node=app2 state=draining": "1x10" }, at: 5 },
      "back within a minute": { series: { "lb_node_state node=app2 state=down": "0 1 0x8" }, at: 2 },
    },
  },
  LbNodeStuck: {
    fires: {
      series: stuck("0x10", "catching-up"),
      at: 4,
      labels: APP2,
      summary: "app2 of lb:1936 is up and makes no progress, 7 writes behind",
    },
    quiet: {
      "it moves": { series: stuck("3x10", "catching-up"), at: 5 },
      "it is down, which is another alert": { series: stuck("0x10", "down"), at: 5 },
      "an operator took it out": { series: stuck("0x10", "maint"), at: 5 },
    },
  },
  LbNodeWithoutHistory: {
    fires: {
      series: { "lb_node_state node=app2 state=joining": "1x20" },
      at: 11,
      labels: { ...APP2, state: "joining" },
      summary: "app2 of lb:1936 has not been given the state of the others and stays out",
    },
    quiet: {
      "a snapshot takes minutes": { series: { "lb_node_state node=app2 state=joining": "1x8 0x9" }, at: 11 },
    },
  },
  LbOldestUndelivered: {
    fires: {
      series: {
        "lb_node_oldest_undelivered_seconds node=app2": "0+60x20",
        "lb_node_oldest_undelivered_seconds node=app1": "0x20",
      },
      at: 10,
      labels: APP2,
      summary: "app2 of lb:1936 still lacks a write from 10m 0s ago",
    },
    quiet: {
      "five minutes": { series: { "lb_node_oldest_undelivered_seconds node=app2": "300x20" }, at: 10 },
    },
  },
  LbDivergence: {
    fires: {
      series: { "lb_node_divergent_answers_total node=app2 policy=all": "0 0 1x10" },
      at: 3,
      labels: APP2,
      summary: "app2 of lb:1936 answered a write otherwise than the majority",
    },
    quiet: {
      "long ago": { series: { "lb_node_divergent_answers_total node=app2 policy=all": "0 0 1x30" }, at: 20 },
      never: { series: { "lb_node_divergent_answers_total node=app2 policy=all": "0x10" }, at: 5 },
    },
  },
  LbNodeQuarantined: {
    fires: {
      series: { "lb_node_state node=app2 state=quarantined": "0 1x5" },
      at: 1,
      labels: { ...APP2, state: "quarantined" },
      summary: "app2 of lb:1936 is quarantined: no reads, no writes, until someone resyncs it",
    },
    quiet: {
      "it was, and is not": { series: { "lb_node_state node=app2 state=quarantined": "1 0x5" }, at: 3 },
    },
  },
  LbWriteSetAside: {
    fires: {
      series: { lb_set_aside_writes: "0 2x5" },
      at: 1,
      summary: "lb:1936 has 2 set aside: no node could carry them out, their keys wait",
    },
    quiet: { none: { series: { lb_set_aside_writes: "0x5" }, at: 3 } },
  },
  LbJournalNearLimit: {
    fires: {
      series: { lb_journal_size_bytes: "900x20", lb_journal_limit_bytes: "1000x20" },
      at: 6,
      summary: "The journal of lb:1936 takes 90% of journal.maxSize",
    },
    quiet: {
      "three quarters": {
        series: { lb_journal_size_bytes: "750x20", lb_journal_limit_bytes: "1000x20" },
        at: 10,
      },
    },
  },
  LbJournalDisk: {
    fires: {
      series: journalDisk("268435456x20"),
      at: 6,
      summary: "The disk of lb:1936 has 256MiB left, less than its journal may still take",
    },
    quiet: { "room for all of it": { series: journalDisk("536870912x20"), at: 10 } },
  },
  LbFsyncSlow: {
    fires: {
      series: fsyncs(50),
      at: 12,
      labels: { file: "journal" },
      summary: "fsync of journal takes 198ms (p99) on the disk of lb:1936",
    },
    quiet: {
      "one in two hundred": { series: fsyncs(0.5), at: 12 },
      "no writes": { series: fsyncs(0), at: 12 },
    },
  },
  LbErrorBudgetBurnsFast: {
    fires: {
      series: requests("0+100x1000"),
      at: 60,
      summary: "50% of the requests to lb:1936 fail: 30 days' error budget is gone within days",
    },
    quiet: {
      "it has stopped": { series: requests("0+100x60 6000x60"), at: 100 },
      "less than six times the budget": { series: requests("0+0.5x1000"), at: 400 },
      "no requests": { series: requests("0x60", "0x60"), at: 60 },
    },
  },
  LbErrorBudgetBurnsSlowly: {
    every: 30,
    fires: {
      series: requests("0+0.25x1000"),
      at: 4500,
      summary: "0.2494% of the requests to lb:1936 fail: more than the error budget allows",
    },
    quiet: {
      "within the budget": { series: requests("0+0.05x1000"), at: 4500 },
      "who leaves is no failure": { series: requests("0x1000"), at: 4500 },
    },
  },
  LbReadsSlow: {
    fires: {
      series: durations("one-2", "one", "0.1", 50),
      at: 12,
      labels: { route: "one-2", to: "one" },
      summary: "Reads of one-2 at lb:1936 take 982ms (p99)",
    },
    quiet: {
      "one in two hundred": { series: durations("one-2", "one", "0.1", 0.5), at: 12 },
      "writes may take longer": { series: durations("all-1", "all", "0.1", 50), at: 12 },
    },
  },
  LbWritesSlow: {
    fires: {
      series: durations("all-1", "all", "0.5", 50),
      at: 12,
      labels: { route: "all-1", to: "all" },
      summary: "Writes of all-1 at lb:1936 take 990ms (p99)",
    },
    quiet: { "one in two hundred": { series: durations("all-1", "all", "0.5", 0.5), at: 12 } },
  },
  LbEventLoopLag: {
    fires: {
      series: { nodejs_eventloop_lag_p99_seconds: "0.25x20" },
      at: 12,
      summary: "The event loop of lb:1936 is late by 250ms (p99)",
    },
    quiet: {
      idle: { series: { nodejs_eventloop_lag_p99_seconds: "0.011x20" }, at: 12 },
      "some other Node.js": { series: { "nodejs_eventloop_lag_p99_seconds job=shop": "0.25x20" }, at: 12 },
    },
  },
  LbScrapeMissing: {
    fires: {
      series: { up: "1 0x9" },
      at: 3,
      summary: "Prometheus has no metrics of lb:1936: it is down, or not scraped",
    },
    quiet: {
      "one scrape failed": { series: { up: "1 0 1x8" }, at: 2 },
      "all is well": { series: { up: "1x10" }, at: 5 },
    },
  },
  LbCertificateExpires: {
    fires: {
      series: { "lb_tls_certificate_expiry_timestamp_seconds listener=traffic": "176400x100" },
      at: 60,
      labels: { listener: "traffic" },
      summary: "The certificate of lb:1936 (traffic) expires in 2d 0h 0m 0s",
    },
    quiet: {
      "thirty days left": {
        series: { "lb_tls_certificate_expiry_timestamp_seconds listener=traffic": "2592000x100" },
        at: 90,
      },
    },
  },
  LbReloadRefused: {
    fires: {
      series: { lb_config_last_reload_ok: "1 0x9" },
      at: 7,
      summary: "lb:1936 refused its new config and goes on with the old one",
    },
    quiet: { "mended within minutes": { series: { lb_config_last_reload_ok: "1 0 0 1x7" }, at: 7 } },
  },
};
