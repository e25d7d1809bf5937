import type { NodeState, NodeStatus, RouteStatus } from "../../api.ts";
import { type CsvRow, csvText } from "./csv-columns.ts";
import type { StatsView } from "./view.ts";

/**
 * The figures as HAProxy's stats page gives them at `/;csv`, for tools that read that: each route is a frontend; the
 * nodes are the servers of two backends, `reads` and `writes`. docs/stats-page.md says which columns are filled.
 */
export function statsCsv(view: StatsView): string {
  const frontends = view.status.routes.map((route, index) => frontend(route, index, view));
  const ids = { reads: frontends.length + 2, writes: frontends.length + 3 };
  return csvText([
    ...frontends,
    ...backend("reads", ids.reads, view),
    ...backend("writes", ids.writes, view),
  ]);
}

/** HAProxy's numbers of kinds. */
const TYPE = { frontend: 0, backend: 1, server: 2 };

function frontend(route: RouteStatus, index: number, { status, routes }: StatsView): CsvRow {
  const line = routes.get(route.name)?.line("requests") ?? [];
  const now = line.at(-1) ?? 0;
  const most = greatest(line);
  return {
    pxname: route.name,
    svname: "FRONTEND",
    scur: route.inFlight,
    stot: route.requests,
    status: status.draining ? "STOP" : "OPEN",
    pid: 1,
    iid: index + 2,
    sid: 0,
    type: TYPE.frontend,
    rate: now,
    rate_max: most,
    req_rate: now,
    req_rate_max: most,
    req_tot: route.requests,
    hrsp_5xx: route.errors,
    mode: "http",
    algo: route.policy,
  };
}

type Kind = "reads" | "writes";

function backend(kind: Kind, iid: number, view: StatsView): CsvRow[] {
  const { status, cluster, now } = view;
  const servers = status.nodes.map((node, index) => server(kind, node, { iid, sid: index + 1 }, view));
  const { reads, readErrors, writes, writeErrors } = status.totals;
  const up = status.nodes.filter(({ state }) => word(kind, state) === "UP").length;
  const line = cluster.line(kind);
  const seconds = kind === "reads" ? "read" : "write";
  const sum: CsvRow = {
    pxname: kind,
    svname: "BACKEND",
    scur: servers.reduce((total, row) => total + Number(row.scur ?? 0), 0),
    stot: kind === "reads" ? reads : writes,
    eresp: servers.reduce((total, row) => total + Number(row.eresp ?? 0), 0),
    wretr: kind === "writes" ? servers.reduce((total, row) => total + Number(row.wretr ?? 0), 0) : undefined,
    status: up > 0 ? "UP" : "DOWN",
    weight: up,
    act: up,
    bck: 0,
    lastchg: (now - status.startedAt) / 1000,
    pid: 1,
    iid,
    sid: 0,
    lbtot: kind === "reads" ? reads : writes,
    type: TYPE.backend,
    rate: line.at(-1) ?? 0,
    rate_max: greatest(line),
    hrsp_5xx: kind === "reads" ? readErrors : writeErrors,
    req_tot: kind === "reads" ? reads : writes,
    ttime: ms(cluster.last(`${seconds}P50`)),
    ttime_max: ms(greatest(cluster.line(`${seconds}P99`))),
    mode: "http",
    algo: kind === "reads" ? "roundrobin" : "all",
  };
  return [...servers, sum];
}

function server(kind: Kind, node: NodeStatus, id: { iid: number; sid: number }, view: StatsView): CsvRow {
  const lines = view.nodes.get(node.name);
  const line = lines?.line(kind) ?? [];
  const seconds = kind === "reads" ? "read" : "write";
  const done = kind === "reads" ? node.reads : node.acks;
  return {
    pxname: kind,
    svname: node.name,
    qcur: kind === "writes" ? node.lag : 0,
    scur: kind === "reads" ? node.inFlightReads : node.inFlightWrites,
    stot: done,
    eresp: kind === "reads" ? node.readErrors : node.ackErrors,
    wretr: kind === "writes" ? node.retries : undefined,
    status: word(kind, node.state),
    weight: 1,
    act: 1,
    bck: 0,
    lastchg: (view.now - node.since) / 1000,
    pid: 1,
    ...id,
    lbtot: done,
    type: TYPE.server,
    rate: line.at(-1) ?? 0,
    rate_max: greatest(line),
    check_status: checkStatus(node),
    req_tot: done,
    last_chk: node.lastCheck?.detail,
    ttime: ms(lines?.last(`${seconds}P50`) ?? null),
    ttime_max: ms(greatest(lines?.line(`${seconds}P99`) ?? [])),
    check_desc: node.state === "in-sync" ? undefined : (node.reason ?? undefined),
    addr: node.url.replace(/^https?:\/\//, ""),
    mode: "http",
    used_conn_cur: node.connections,
  };
}

/** HAProxy's words; a node that catches up gets writes, and no reads. */
function word(kind: Kind, state: NodeState): string {
  switch (state) {
    case "in-sync":
      return "UP";
    case "catching-up":
      return kind === "writes" ? "UP" : "DOWN";
    case "draining":
      return kind === "writes" ? "UP" : "DRAIN";
    case "maint":
      return "MAINT";
    default:
      return "DOWN";
  }
}

/** L4OK, L4CON as of a connect; the check's text says more. */
function checkStatus({ lastCheck }: NodeStatus): string {
  if (lastCheck === null) return "INI";
  const level = /^\d{3} /.test(lastCheck.detail) ? "L7" : "L4";
  if (lastCheck.ok) return `${level}OK`;
  return level === "L7" ? "L7STS" : "L4CON";
}

function greatest(line: readonly (number | null)[]): number {
  return line.reduce<number>((most, value) => Math.max(most, value ?? 0), 0);
}

function ms(seconds: number | null): number | undefined {
  return seconds === null ? undefined : seconds * 1000;
}
