import { type Board, labelVariable } from "./board.ts";
import { CERTIFICATE_LEFT, EVENT_LOOP_P99 } from "./objectives.ts";
import { above, below, lines, type SizedPanel, stat } from "./panel.ts";
import { grown, now, quantiles, rate } from "./query.ts";

/** The balancer's process, and the machine beneath it (node_exporter). */

/** The matcher that picks the machine: node_exporter has a port, and so an instance, of its own. */
const HOST = 'job="node",instance="$host"';
const GIB = 1024 ** 3;

const balancer: readonly SizedPanel[] = [
  stat({
    title: "Version",
    description: "Of lbctl and of Node.js. Two of them: a deploy is under way.",
    unit: "none",
    thresholds: above(2, 3),
    queries: { "{{version}}, Node.js {{node_version}}": now("lb_build_info") },
    width: 6,
  }),
  stat({
    title: "Runs for",
    description: "Since the process started. Short without a deploy: it crashed, `lbctl logs` says why.",
    unit: "s",
    thresholds: below(600, 60),
    queries: { uptime: `time() - ${now("process_start_time_seconds")}` },
    width: 4,
  }),
  stat({
    title: "Config",
    description: "1 unless the last reload was refused: then the old config is still in use.",
    unit: "none",
    thresholds: below(1, 0.5),
    queries: { "last reload ok": now("lb_config_last_reload_ok") },
    width: 4,
  }),
  stat({
    title: "Reloads",
    description: "SIGHUPs, by whether the new config was taken.",
    unit: "none",
    thresholds: above(10, 50),
    queries: { "{{outcome}}": grown("lb_config_reloads_total", { by: "outcome" }) },
    width: 5,
  }),
  stat({
    title: "Certificate expires in",
    description: "Of each listener with tls. Nothing here: none has tls.",
    unit: "s",
    thresholds: below(CERTIFICATE_LEFT, 86_400),
    queries: { "{{listener}}": `${now("lb_tls_certificate_expiry_timestamp_seconds")} - time()` },
    width: 5,
    noValue: "no tls",
  }),
];

const eventLoop: readonly SizedPanel[] = [
  lines({
    title: "Event loop lag",
    description:
      "How late a 10 ms timer is, since the last scrape; idle is about 0.01. Every request waits for it.",
    unit: "s",
    thresholds: above(EVENT_LOOP_P99 / 2, EVENT_LOOP_P99),
    queries: {
      p50: now("nodejs_eventloop_lag_p50_seconds"),
      p99: now("nodejs_eventloop_lag_p99_seconds"),
      max: now("nodejs_eventloop_lag_max_seconds"),
    },
    width: 8,
    min: 0,
  }),
  lines({
    title: "Utilisation of threads",
    description: "Share of the time that each is not idle. main near 1: the balancer is at its limit.",
    unit: "percentunit",
    thresholds: above(0.7, 0.9),
    queries: { "{{thread}}": rate("lb_event_loop_active_seconds_total", { by: "thread" }) },
    width: 8,
    min: 0,
    max: 1,
  }),
  lines({
    title: "CPU",
    description: "Cores in use, the journal's thread and garbage collection included.",
    unit: "none",
    thresholds: above(1, 1.8),
    queries: {
      user: rate("process_cpu_user_seconds_total"),
      system: rate("process_cpu_system_seconds_total"),
    },
    width: 8,
    min: 0,
  }),
  lines({
    title: "Garbage collection",
    description: "Share of the time spent in it, by kind.",
    unit: "percentunit",
    thresholds: above(0.05, 0.15),
    queries: { "{{kind}}": rate("nodejs_gc_duration_seconds_sum", { by: "kind" }) },
    width: 8,
    min: 0,
  }),
  lines({
    title: "Pauses for garbage collection",
    description: "Everything waits for as long.",
    unit: "s",
    thresholds: above(0.02, 0.1),
    queries: quantiles("nodejs_gc_duration_seconds", {}, 0.5, 0.99),
    width: 8,
    min: 0,
  }),
  lines({
    title: "Memory",
    description: "Of the process. Rising for hours: a leak; keep a heap snapshot before a restart.",
    unit: "bytes",
    thresholds: above(GIB / 2, GIB),
    queries: {
      resident: now("process_resident_memory_bytes"),
      "heap used": now("nodejs_heap_size_used_bytes"),
      heap: now("nodejs_heap_size_total_bytes"),
      external: now("nodejs_external_memory_bytes"),
    },
    width: 8,
    min: 0,
  }),
  lines({
    title: "Open files",
    description: "Share of what the process may have open: connections of clients and to nodes.",
    unit: "percentunit",
    thresholds: above(0.6, 0.85),
    queries: { open: `${now("process_open_fds")} / ${now("process_max_fds")}` },
    width: 6,
    min: 0,
  }),
  lines({
    title: "Active resources",
    description: "What keeps the event loop alive, by type: sockets, timers. Rising for hours: a leak.",
    unit: "none",
    thresholds: above(5000, 10_000),
    queries: { "{{type}}": now("nodejs_active_resources") },
    width: 6,
    min: 0,
  }),
  lines({
    title: "Log lines dropped",
    description: "Nobody read stdout in time; the balancer does not wait for it.",
    unit: "cps",
    thresholds: above(0.01, 1),
    queries: { dropped: rate("lb_log_dropped_lines_total") },
    width: 6,
    min: 0,
  }),
  lines({
    title: "Trace spans",
    description: "Of sampled traces, where tracing is on. dropped: the collector did not take them in time.",
    unit: "cps",
    thresholds: above(2000, 5000),
    queries: { "{{outcome}}": rate("lb_trace_spans_total", { by: "outcome" }) },
    width: 6,
    min: 0,
  }),
];

const host: readonly SizedPanel[] = [
  lines({
    title: "CPU of the host",
    description: "Share of all cores by mode; steal is taken by other virtual machines.",
    unit: "percentunit",
    thresholds: above(0.7, 0.9),
    queries: {
      "{{mode}}": `avg by (mode) (rate(node_cpu_seconds_total{${HOST},mode!="idle"}[$__rate_interval]))`,
    },
    width: 8,
    min: 0,
    max: 1,
  }),
  lines({
    title: "Load",
    description: "Processes that run or want to, for each core.",
    unit: "none",
    thresholds: above(1, 2),
    queries: {
      load: `node_load1{${HOST}} / count without (cpu, mode) (node_cpu_seconds_total{${HOST},mode="idle"})`,
    },
    width: 8,
    min: 0,
  }),
  lines({
    title: "Memory of the host",
    description: "Share in use that could not be had back at once.",
    unit: "percentunit",
    thresholds: above(0.8, 0.95),
    queries: { used: `1 - node_memory_MemAvailable_bytes{${HOST}} / node_memory_MemTotal_bytes{${HOST}}` },
    width: 8,
    min: 0,
    max: 1,
  }),
  lines({
    title: "Disks busy",
    description: "Share of the time that each has something to do. Near 1: fsyncs queue up.",
    unit: "percentunit",
    thresholds: above(0.6, 0.9),
    queries: { "{{device}}": hostRate("node_disk_io_time_seconds_total") },
    width: 8,
    min: 0,
  }),
  lines({
    title: "Time of a disk write",
    description: "As the kernel measures it, queueing included. An idle disk shows 0.",
    unit: "s",
    thresholds: above(0.02, 0.1),
    queries: {
      "{{device}}": `${hostRate("node_disk_write_time_seconds_total")} / clamp_min(${hostRate("node_disk_writes_completed_total")}, 1)`,
    },
    width: 8,
    min: 0,
  }),
  lines({
    title: "File systems",
    description: "Share in use of each; the journal's is the one that dataDir is on.",
    unit: "percentunit",
    thresholds: above(0.8, 0.9),
    queries: {
      "{{mountpoint}}": `1 - node_filesystem_avail_bytes{${HOST},fstype!~"tmpfs|ramfs"} / node_filesystem_size_bytes{${HOST},fstype!~"tmpfs|ramfs"}`,
    },
    width: 8,
    min: 0,
    max: 1,
  }),
  lines({
    title: "Network",
    description: "Of all interfaces but the loopback.",
    unit: "binBps",
    thresholds: above(50 * 1024 ** 2, 100 * 1024 ** 2),
    queries: {
      received: `sum(${hostRate("node_network_receive_bytes_total", 'device!="lo"')})`,
      sent: `sum(${hostRate("node_network_transmit_bytes_total", 'device!="lo"')})`,
    },
    width: 8,
    min: 0,
  }),
  lines({
    title: "TCP segments sent again",
    description: "Share of those sent: the network loses some, or a peer is gone.",
    unit: "percentunit",
    thresholds: above(0.01, 0.05),
    queries: {
      again: `${hostRate("node_netstat_Tcp_RetransSegs")} / ${hostRate("node_netstat_Tcp_OutSegs")}`,
    },
    width: 8,
    min: 0,
  }),
  lines({
    title: "Context switches",
    description: "For each second; a jump without more requests: something else runs.",
    unit: "cps",
    thresholds: above(50_000, 200_000),
    queries: { switches: hostRate("node_context_switches_total") },
    width: 8,
    min: 0,
  }),
];

export const RUNTIME_HOST: Board = {
  uid: "lbctl-runtime-host",
  title: "lbctl / Runtime and host",
  description: "The balancer's process and the machine beneath it.",
  variables: [labelVariable("host", "host", 'label_values(node_uname_info{job="node"}, instance)')],
  rows: [
    { title: "Balancer", height: 4, panels: balancer },
    { title: "Process", height: 8, panels: eventLoop },
    { title: "Host", height: 8, panels: host },
  ],
};

function hostRate(counter: string, where = ""): string {
  return `rate(${counter}{${HOST}${where === "" ? "" : `,${where}`}}[$__rate_interval])`;
}
