import type { NodeStatus } from "../../api.ts";
import { SPAN } from "../../history/history-columns.ts";
import { toneOf } from "../../history/history-events.ts";
import { type Html, type HtmlValue, html } from "../html.ts";
import { ACTIONS, type Action, actionsOf } from "./actions.ts";
import { age, count, iso, millis, rate } from "./format.ts";
import { spark } from "./spark.ts";
import type { StatsView } from "./view.ts";

/** Name, what the second line of its cells is, and how it is set. */
const COLUMNS = [
  ["Node", "", ""],
  ["State", "", ""],
  ["Lag", "", ""],
  ["Reads / s", "in all", "n"],
  ["p99 in ms", "p50 · p90", "n"],
  ["Writes / s", "acks", "n"],
  ["p99 in ms", "p50 · p90", "n"],
  ["Errors", "retries", "n"],
  ["Now", "connections", "n"],
  ["Last check", "", ""],
] as const;

/** A row for each node; on a narrow screen, a card. */
export function nodeTable(view: StatsView): Html {
  const acts = view.caller?.role === "admin";
  return html`<div class="scroll" role="region" aria-labelledby="nodes" tabindex="0"><table class="wide">
<thead><tr>${COLUMNS.map(([name, more, look]) => html`<th scope="col" class="${look}">${name}<span class="more">${more}</span></th>`)}${acts ? html`<th scope="col">Actions</th>` : null}</tr></thead>
<tbody>${view.status.nodes.map((node) => row(node, view, acts))}</tbody>
</table></div>`;
}

function row(node: NodeStatus, view: StatsView, acts: boolean): Html {
  const lines = view.nodes.get(node.name);
  const p = (kind: "read" | "write", part: "P50" | "P90" | "P99") => lines?.last(`${kind}${part}`) ?? null;
  return html`<tr id="node-${node.name}" class="${toneOf(node.state)}">
<th scope="row">${node.name}<span class="more">${node.url.replace(/^https?:\/\//, "")}</span></th>
<td class="state">${state(node, view.now)}</td>
<td class="lag" data-label="Lag">${lag(node, lines?.line("lag") ?? [])}</td>
${figure("Reads / s", rate(lines?.last("reads") ?? null), count(node.reads), " in all")}
${percentiles("p99 of reads, ms", p("read", "P50"), p("read", "P90"), p("read", "P99"))}
${figure("Writes / s", rate(lines?.last("writes") ?? null), count(node.acks), " acks")}
${percentiles("p99 of writes, ms", p("write", "P50"), p("write", "P90"), p("write", "P99"))}
${errors(node)}
${figure("Now", count(node.inFlightReads + node.inFlightWrites), count(node.connections), " connections")}
<td class="check" data-label="Last check">${lastCheck(node, view.now)}</td>
${acts ? html`<td class="actions">${actionsOf(node).map((action) => button(node, action))}</td>` : null}
</tr>`;
}

function state(node: NodeStatus, now: number): Html {
  const why = node.bootstrap ?? node.reason ?? "";
  const reason = node.state === "in-sync" || why === "" ? null : html`<span class="more why">${why}</span>`;
  return html`<span class="pill ${toneOf(node.state)}">${node.state}</span> <time class="more" datetime="${iso(node.since)}">${age((now - node.since) / 1000)}</time>${reason}`;
}

function lag(node: NodeStatus, line: readonly (number | null)[]): Html {
  const late = node.lag > 0;
  const oldest = late ? html`<span class="more">oldest ${age(node.oldestUndelivered)}</span>` : null;
  return html`<span class="pair"><span class="${late ? "warn" : "zero"}">${count(node.lag)}</span>${spark(line, { span: SPAN, least: 20 })}</span>${oldest}`;
}

/** `tag`: what the head of the table says, for where there is none. */
function figure(label: string, value: HtmlValue, more: string, tag: string): Html {
  const look = value === "0" ? "zero" : "";
  return html`<td class="n" data-label="${label}"><span class="${look}">${value}</span><span class="more">${more}${tagged(tag)}</span></td>`;
}

function tagged(text: string): Html {
  return html`<span class="tag">${text}</span>`;
}

/** p99 is what people wait for; the others stand below. */
function percentiles(label: string, p50: number | null, p90: number | null, p99: number | null): Html {
  if (p99 === null) return html`<td class="n" data-label="${label}"><span class="zero">–</span></td>`;
  return html`<td class="n" data-label="${label}">${millis(p99)}<span class="more">${tagged("p50 ")}${millis(p50)} · ${tagged("p90 ")}${millis(p90)}</span></td>`;
}

function errors({ readErrors, ackErrors, retries }: NodeStatus): Html {
  const all = readErrors + ackErrors;
  return html`<td class="n" data-label="Errors"><span class="${all === 0 ? "zero" : "alarm"}" title="reads ${readErrors}, writes ${ackErrors}">${count(all)}</span><span class="more">${count(retries)}${tagged(" retries")}</span></td>`;
}

function lastCheck({ lastCheck: check }: NodeStatus, now: number): Html {
  if (check === null) return html`<span class="more">no check yet</span>`;
  const ago = html`<time datetime="${iso(check.at)}">${age((now - check.at) / 1000)} ago</time>`;
  const word = check.ok ? html`<span class="good">ok</span>` : html`<span class="bad">failed</span>`;
  return html`${word} ${ago}<span class="more why">${check.detail}</span>`;
}

function button({ name }: NodeStatus, action: Action): Html {
  const { label } = ACTIONS[action];
  return html`<a class="button" role="button" href="/nodes/${encodeURIComponent(name)}/${action}" data-ask aria-label="${label} ${name}">${label}</a> `;
}
