import { SPAN } from "../../history/history-columns.ts";
import { type Html, type HtmlValue, html } from "../html.ts";
import { age, bytes, count, millis, plural, rate, share } from "./format.ts";
import { spark } from "./spark.ts";
import type { StatsView } from "./view.ts";

interface Tile {
  readonly name: string;
  readonly value: HtmlValue;
  readonly unit: string;
  readonly more: readonly HtmlValue[];
  readonly line: Html;
  readonly tone?: string;
}

/** The figures that tell most, large. */
export function tiles(view: StatsView): Html {
  const shown = [inSync(view), traffic("read", view), traffic("write", view), backlog(view), journal(view)];
  return html`<dl class="tiles">${shown.map(tile)}</dl>`;
}

function tile({ name, value, unit, more, line, tone = "" }: Tile): Html {
  return html`<div class="tile ${tone === "" ? "" : `tile-${tone}`}"><dt>${name}</dt><dd class="value">${value} <small>${unit}</small></dd><dd class="line">${line}</dd>${more.map((text) => html`<dd class="more">${text}</dd>`)}</div>`;
}

function inSync({ status, cluster }: StatsView): Tile {
  const missing = status.inSync < status.nodes.length;
  return {
    name: "In-sync",
    value: count(status.inSync),
    unit: `of ${plural(status.nodes.length, "node")}`,
    line: spark(cluster.line("inSync"), { span: SPAN, least: Math.max(1, status.nodes.length) }),
    more: [`${plural(status.members, "member")}`, `${status.minInSync} needed for writes`],
    tone: missing ? "warn" : "",
  };
}

function traffic(kind: "read" | "write", { status, cluster }: StatsView): Tile {
  const all = kind === "read" ? status.totals.reads : status.totals.writes;
  const errors = kind === "read" ? status.totals.readErrors : status.totals.writeErrors;
  const part = (name: "P50" | "P90" | "P99") => millis(cluster.last(`${kind}${name}`));
  return {
    name: kind === "read" ? "Reads" : "Writes",
    value: rate(cluster.last(`${kind}s`)),
    unit: "/ s",
    line: spark(cluster.line(`${kind}s`), { span: SPAN, least: 10 }),
    more: [
      cluster.last(`${kind}P99`) === null
        ? "none in the last ten seconds"
        : html`<span title="percentiles of the last ten seconds">p50 ${part("P50")} · p90 ${part("P90")} · <b>p99 ${part("P99")} ms</b></span>`,
      errors === 0
        ? "no errors since the start"
        : html`<span class="alarm">${plural(errors, "error")}</span> (${share(errors, all)}) since the start`,
    ],
  };
}

function backlog({ status, cluster }: StatsView): Tile {
  const lag = cluster.last("lag") ?? 0;
  const oldest = status.nodes.reduce((most, node) => Math.max(most, node.oldestUndelivered), 0);
  const behind = status.nodes.filter((node) => node.lag > 0).length;
  return {
    name: "Greatest lag",
    value: count(lag),
    unit: lag === 1 ? "write" : "writes",
    line: spark(cluster.line("lag"), { span: SPAN, least: 10 }),
    more: [
      behind === 0 ? "no node is behind" : `${plural(behind, "node")} behind, oldest ${age(oldest)}`,
      `${plural(status.writesOpen, "write")} open, ${count(status.setAside)} set aside`,
    ],
    tone: status.setAside > 0 ? "bad" : "",
  };
}

function journal({ status, cluster }: StatsView): Tile {
  const taken = (status.journalBytes / status.journalMaxBytes) * 100;
  return {
    name: "Journal",
    value: taken < 10 ? taken.toFixed(1) : Math.round(taken),
    unit: "% full",
    line: spark(cluster.line("journal"), { span: SPAN, least: 1 }),
    more: [`${bytes(status.journalBytes)} of ${bytes(status.journalMaxBytes)}`, `head ${count(status.head)}`],
    tone: taken >= 80 ? "bad" : "",
  };
}

/** What is seldom asked for. */
export function facts({ status, now }: StatsView): Html {
  const { totals } = status;
  const shown: readonly (readonly [string, HtmlValue])[] = [
    ["Traffic on", status.listen],
    ["Client connections", `${count(status.connections)} of ${count(status.connectionsAccepted)} so far`],
    ["From, to clients", `${bytes(status.bytesIn)}, ${bytes(status.bytesOut)}`],
    ["Reads", count(totals.reads)],
    ["Writes", count(totals.writes)],
    ["Retries", count(totals.retries)],
    ["Divergent answers", count(totals.divergent)],
    ["Ambiguous answers", count(totals.ambiguous)],
    ["Journal", `${count(status.first)} to ${count(status.head)}`],
    ["Left on its disk", `${bytes(status.journalDisk.free)} of ${bytes(status.journalDisk.size)}`],
    ["Up for", age((now - status.startedAt) / 1000)],
    ["Version", `${status.version}, pid ${status.pid}`],
  ];
  return html`<dl class="facts">${shown.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
}
