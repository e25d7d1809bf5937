/** What commands print for people: pure. The same values go out with --json as they are. */
import { styleText } from "node:util";
import type { NodeState, NodeStatus, Status } from "../../proxy/api.ts";
import type { Cluster } from "../cluster.ts";
import type { Change, Dashboard, Finding, ProcessReport } from "../target.ts";
import { bytes, count, duration, plural } from "./format.ts";
import { dashboardLines, statsPageLines } from "./render-dashboards.ts";
import { table } from "./table.ts";

export interface ClusterStatus {
  readonly cluster: Pick<Cluster, "name" | "target" | "balancerUrl" | "adminUrl">;
  readonly processes: readonly ProcessReport[];
  readonly dashboards: readonly Dashboard[];
  /** Null: the balancer doesn't answer. */
  readonly balancer: Status | null;
  /** It takes connections, and doesn't answer. */
  readonly hung: boolean;
}

export function renderChanges(changes: readonly Change[]): string {
  const sign = {
    create: "+",
    add: "+",
    remove: "-",
    replace: "±",
    change: "~",
    start: "▶",
    restart: "↻",
    reload: "↻",
  } as const;
  const colour = { "+": "green", "-": "red", "±": "red", "~": "yellow", "▶": "cyan", "↻": "cyan" } as const;
  const rows = changes.map(({ action, what, detail }) => [
    `  ${styleText(colour[sign[action]], sign[action])} ${action}`,
    what,
    detail,
  ]);
  return table([{ title: "  CHANGE" }, { title: "WHAT" }, { title: "DETAIL" }], rows);
}

/** @param example a name that nobody has registered yet */
export function renderEntry(cluster: Cluster, dashboards: readonly Dashboard[], example: string): string {
  const url = cluster.balancerUrl;
  const curl = "curl -w '\\n'";
  return [
    `  Traffic      ${styleText("cyan", url)}`,
    ...statsPageLines(cluster.adminUrl, cluster.adminUser, cluster.adminPasswordFile),
    ...dashboardLines(dashboards),
    "",
    "Try it, line by line (a second time the name is taken, and its password another one):",
    `  ${curl} -d username=${example} -d password=first ${url}/register`,
    `  ${curl} -d username=${example} -d password=first -d newPassword=second ${url}/changePassword`,
    `  ${curl} -u ${example}:second ${url}/login`,
  ].join("\n");
}

export function renderStatus({ cluster, processes, dashboards, balancer, hung }: ClusterStatus): string {
  const head = `${styleText("bold", cluster.name)} (${cluster.target})  ${cluster.balancerUrl}  stats page ${cluster.adminUrl}`;
  const lines = balancer
    ? [summary(balancer), "", nodeTable(balancer.nodes, processes)]
    : [styleText("red", hung ? hungBalancer(processes) : "the balancer does not answer")];
  const seen = dashboards.length > 0 ? ["", ...dashboardLines(dashboards)] : [];
  return [head, ...lines, ...notes(balancer, processes), "", processTable(processes), ...seen].join("\n");
}

export function nodeTable(nodes: readonly NodeStatus[], processes: readonly ProcessReport[] = []): string {
  const columns = [
    { title: "NODE" },
    { title: "STATE" },
    { title: "FOR" },
    { title: "LAG", right: true },
    { title: "CURSOR", right: true },
    { title: "READS", right: true },
    { title: "ACKS", right: true },
    { title: "ERRORS", right: true },
    { title: "URL" },
  ];
  const rows = nodes.map((node) => [
    node.name,
    coloured(node.state),
    duration(Date.now() - node.since),
    count(node.lag),
    count(node.cursor),
    count(node.reads),
    count(node.acks),
    count(node.readErrors + node.ackErrors),
    node.url +
      (processes.some(({ name, state }) => name === node.name && state !== "running")
        ? " (not running)"
        : ""),
  ]);
  return table(columns, rows);
}

export function renderFindings(target: string, findings: readonly Finding[]): string {
  const rows = findings.map(({ check, ok, optional, found }) => [
    ok ? styleText("green", "✔") : optional ? styleText("dim", "-") : styleText("red", "✖"),
    check,
    found,
  ]);
  const mends = (some: readonly Finding[]) => some.map(({ check, mend }) => `  ${check}: ${mend}`);
  const mend = mends(findings.filter(isMissing));
  const nice = mends(findings.filter(({ ok, optional }) => !ok && optional));
  return [
    table([{ title: "" }, { title: `TARGET ${target}` }, { title: "FOUND" }], rows),
    "",
    ...(mend.length > 0 ? ["What mends it:", ...mend] : [`nothing is missing for target ${target}`]),
    ...(nice.length > 0 ? ["", "Not needed, but good to have:", ...nice] : []),
  ].join("\n");
}

/** The cluster can't do without it. */
export function isMissing({ ok, optional }: Finding): boolean {
  return !ok && !optional;
}

function summary(status: Status): string {
  const inSync = `${status.inSync} of ${plural(status.nodes.length, "node")} in-sync`;
  return [
    styleText(status.inSync === status.nodes.length ? "green" : "yellow", inSync),
    `${plural(status.head, "write")} recorded, ${count(status.writesOpen)} open`,
    `journal ${bytes(status.journalBytes)} of ${bytes(status.journalMaxBytes)}`,
    `up ${duration(Date.now() - status.startedAt)}`,
  ].join("  ");
}

function hungBalancer(processes: readonly ProcessReport[]): string {
  const pid = processes.find(({ name }) => name === "balancer")?.pid;
  return pid
    ? `the balancer (pid ${pid}) runs, but does not answer: lbctl logs balancer; kill -9 ${pid} starts it anew`
    : "the balancer takes connections, but does not answer";
}

function heldNote(name: string, { at, for: targets }: { at: number; for: readonly string[] }): string {
  const done = targets.map((target) => `lbctl nodes resync ${target} --done`).join(", ");
  return `${name} is held at write ${at} while it is copied by hand, and acks none behind it: ${done}`;
}

/** What someone should know or do, below the table. */
function notes(status: Status | null, processes: readonly ProcessReport[]): string[] {
  const out: string[] = [];
  for (const node of status?.nodes ?? []) {
    const why = node.reason ?? node.bootstrap;
    if (node.state !== "in-sync" && why) out.push(`${node.name} is ${node.state}: ${why}`);
    if (node.held) out.push(heldNote(node.name, node.held));
  }
  if (status && status.setAside > 0) {
    out.push(
      `${plural(status.setAside, "write")} set aside: lbctl writes list --pending, then lbctl writes retry|skip SEQ`,
    );
  }
  if (status?.reload && !status.reload.ok)
    out.push(`the last reload was refused: ${status.reload.problems.join("; ")}`);
  for (const { name, failing, lastExit, restarts } of processes) {
    if (!failing) continue;
    out.push(
      `${name} keeps ending (${lastExit ?? "?"}), ${plural(restarts, "restart")} so far: lbctl logs ${name}`,
    );
  }
  if (processes.some(({ name, state }) => name === "supervisor" && state !== "running")) {
    out.push("the supervisor is not running, so nothing is restarted when it dies: lbctl deploy");
  }
  return out.length > 0 ? ["", ...out.map((note) => styleText("yellow", note))] : [];
}

function processTable(processes: readonly ProcessReport[]): string {
  const rows = processes.map(({ name, state, pid, startedAt, restarts, lastExit }) => [
    name,
    state === "running" ? state : styleText("red", state),
    pid === null ? "-" : String(pid),
    startedAt === null ? "-" : duration(Date.now() - startedAt),
    count(restarts),
    lastExit ?? "",
  ]);
  return table(
    [
      { title: "PROCESS" },
      { title: "STATE" },
      { title: "PID", right: true },
      { title: "UP" },
      { title: "RESTARTS", right: true },
      { title: "LAST EXIT" },
    ],
    rows,
  );
}

/** A node's state, in the colour that says whether to worry. */
export function coloured(state: NodeState): string {
  if (state === "in-sync") return styleText("green", state);
  return styleText(state === "down" || state === "quarantined" ? "red" : "yellow", state);
}
