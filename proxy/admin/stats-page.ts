import type { NodeStatus, RouteStatus, Status } from "../api.ts";
import type { Caller } from "./admin-auth.ts";
import { type Html, type HtmlValue, html } from "./html.ts";
import { age, bytes, count, share } from "./stats-format.ts";

/** What an operator can do to a node by a button, in the words of the page that asks first. */
export const ACTIONS = {
  drain: {
    label: "Drain",
    effect: "It finishes what is in flight and gets no more reads. Writes still reach it.",
  },
  maint: {
    label: "Maint",
    effect: "It gets no reads and no writes until it is made ready again; then it catches up.",
  },
  ready: {
    label: "Ready",
    effect: "It catches up with the journal, and then gets reads again.",
  },
} as const;
export type Action = keyof typeof ACTIONS;

export function isAction(text: string): text is Action {
  return Object.hasOwn(ACTIONS, text);
}

/** What the page shows. */
export interface StatsView {
  readonly status: Status;
  readonly ready: boolean;
  readonly caller: Caller | null;
  /** ms since the epoch. */
  readonly now: number;
}

/** The whole page; readable without scripts. */
export function statsPage(view: StatsView): Html {
  return shell(`${view.status.cluster} · lbctl`, statsFragment(view), LIVE);
}

/** The part that changes; the script asks for it each second. */
export function statsFragment(view: StatsView): Html {
  const { status } = view;
  return html`<main id="live">
<header>
  <h1><small>lbctl</small> ${status.cluster}</h1>
  ${view.ready ? html`<span class="pill good">ready</span>` : html`<span class="pill bad">not ready</span>`}
  ${status.draining ? html`<span class="pill busy">shutting down</span>` : null}
  <p class="updated">${view.caller === null ? null : html`signed in as ${view.caller.user} · `}<time datetime="${iso(view.now)}">${iso(view.now).slice(11, 19)} UTC</time></p>
</header>
${alerts(view)}
${facts(view)}
<h2 id="nodes">Nodes</h2>
${nodeTable(view)}
<h2 id="routes">Routes</h2>
${routeTable(status)}
</main>`;
}

/** Asks before a node is changed; the script shows the form in a dialog. */
export function confirmPage(action: Action, node: NodeStatus, status: Status): Html {
  const { label, effect } = ACTIONS[action];
  const risk = riskOf(action, node, status);
  return shell(
    `${label} ${node.name}? · lbctl`,
    html`<main class="ask">
<form method="post" action="/nodes/${node.name}/${action}">
  <h1>${label} <b>${node.name}</b>?</h1>
  <p>It is ${stateWord(node)} now. ${effect}</p>
  ${
    risk === null
      ? null
      : html`<p class="warning">${risk}</p>
  <p><label><input type="checkbox" name="force" value="1" required> Do it all the same</label></p>`
  }
  <p class="buttons"><button type="submit" class="main">${label} ${node.name}</button> <a class="button" href="/" data-cancel>Cancel</a></p>
</form></main>`,
  );
}

/** Why the balancer refuses it unless it is forced to; null: it doesn't. */
function riskOf(action: Action, { state }: NodeStatus, { inSync }: Status): string | null {
  if (action === "ready") {
    return state === "quarantined"
      ? "Its data differs from the other nodes': resync it, unless you know that it is right."
      : null;
  }
  return state === "in-sync" && inSync <= 1
    ? "It is the last node in-sync: reads and writes will fail."
    : null;
}

/** What went wrong, with the way back. */
export function errorPage(error: { title: string; detail: string; next: string; code: string }): Html {
  return shell(
    `${error.title} · lbctl`,
    html`<main class="ask"><h1>${error.title}</h1><p>${error.detail}</p><p>${error.next}</p>
<p class="buttons"><a class="button main" href="/">Back</a> <code>${error.code}</code></p></main>`,
  );
}

const LIVE = html`<noscript><meta http-equiv="refresh" content="5"></noscript>
<script src="/stats.js" type="module"></script>`;

/** A mark that needs no request. */
const ICON =
  "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Cpath d='M2 8h4M6 8l7-5M6 8h7M6 8l7 5' stroke='%231a7f52' stroke-width='2' fill='none' stroke-linecap='round'/%3E%3C/svg%3E";

function shell(title: string, body: Html, head: Html | null = null): Html {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>${title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="${ICON}">
<link rel="stylesheet" href="/stats.css">
${head}
</head>
<body>
${body}
<footer><nav aria-label="Data">
<a href="/">Stats</a> <a href="/api/status">JSON</a> <a href="/api/writes?pending=1">Pending writes</a> <a href="/metrics">Metrics</a>
</nav></footer>
</body>
</html>
`;
}

/** What an operator has to look at; empty when all is well. */
function alerts({ status, ready }: StatsView): Html {
  const found: HtmlValue[] = [];
  if (!ready)
    found.push(
      html`${status.inSync} of ${status.nodes.length} nodes in-sync, ${status.minInSync} needed: writes are refused.`,
    );
  for (const node of status.nodes.filter(({ state }) => state === "quarantined")) {
    found.push(
      html`<b>${node.name}</b> is quarantined: ${node.reason ?? "no reason given"}. Mend it, then <code>lbctl nodes resync ${node.name}</code>.`,
    );
  }
  if (status.setAside > 0) {
    found.push(
      html`${count(status.setAside)} ${status.setAside === 1 ? "write is" : "writes are"} set aside: <code>lbctl writes list</code>, then retry or skip.`,
    );
  }
  if (status.reload?.ok === false) {
    found.push(
      html`The last reload was refused, the old config is in use: ${status.reload.problems.join("; ")}`,
    );
  }
  const list = found.length === 0 ? null : html`<ul>${found.map((text) => html`<li>${text}</li>`)}</ul>`;
  return html`<div class="alerts" role="status">${list}</div>`;
}

function facts({ status, now }: StatsView): Html {
  const { totals } = status;
  const shown: readonly (readonly [string, HtmlValue, string?])[] = [
    ["Traffic on", status.listen, `${count(status.connections)} connections`],
    [
      "In-sync",
      html`${status.inSync} <small>of ${status.nodes.length}</small>`,
      `${status.members} members, ${status.minInSync} needed`,
    ],
    ["Reads", count(totals.reads), failures(totals.readErrors, totals.reads)],
    ["Writes", count(totals.writes), failures(totals.writeErrors, totals.writes)],
    ["Open writes", count(status.writesOpen), `${count(status.setAside)} set aside`],
    ["Journal head", count(status.head), `${bytes(status.journalBytes)} of ${bytes(status.journalMaxBytes)}`],
    [
      "Answers",
      html`${count(totals.divergent)} <small>divergent</small>`,
      `${count(totals.ambiguous)} ambiguous`,
    ],
    ["Uptime", age((now - status.startedAt) / 1000), `version ${status.version}, pid ${status.pid}`],
  ];
  return html`<dl class="facts">${shown.map(
    ([name, value, more]) =>
      html`<div><dt>${name}</dt><dd>${value}</dd><dd class="more">${more ?? ""}</dd></div>`,
  )}</dl>`;
}

function failures(errors: number, all: number): string {
  return errors === 0 ? "no errors" : `${count(errors)} errors (${share(errors, all)})`;
}

function nodeTable(view: StatsView): Html {
  const acts = view.caller?.role === "admin";
  return html`<div class="scroll" role="region" aria-labelledby="nodes" tabindex="0"><table class="wide">
<thead>
<tr><th rowspan="2" scope="col">Node</th><th rowspan="2" scope="col">State</th><th colspan="3" scope="colgroup">Reads</th><th colspan="4" scope="colgroup">Writes</th><th colspan="2" scope="colgroup">Journal</th><th rowspan="2" scope="col">Last check</th>${acts ? html`<th rowspan="2" scope="col">Actions</th>` : null}</tr>
<tr>${["total", "errors", "now", "acks", "errors", "retries", "now", "cursor", "lag"].map((name) => html`<th scope="col" class="n">${name}</th>`)}</tr>
</thead>
<tbody>${view.status.nodes.map((node) => nodeRow(node, view.now, acts))}</tbody>
<tfoot>${sumRow(view.status.nodes, acts)}</tfoot>
</table></div>`;
}

function nodeRow(node: NodeStatus, now: number, acts: boolean): Html {
  const why = node.bootstrap ?? node.reason;
  return html`<tr id="node-${node.name}" class="${toneOf(node)}">
<th scope="row">${node.name}<span class="more">${node.url.replace(/^http:\/\//, "")}</span></th>
<td data-label="State"><span class="pill ${toneOf(node)}">${node.state}</span> <time class="more" datetime="${iso(node.since)}">${age((now - node.since) / 1000)}</time>${why === null || why === "" ? null : html`<span class="more why">${why}</span>`}</td>
${numbers([
  ["Reads", node.reads],
  ["Read errors", node.readErrors, "alarm"],
  ["Reads now", node.inFlightReads],
  ["Acks", node.acks],
  ["Ack errors", node.ackErrors, "alarm"],
  ["Retries", node.retries, "warn"],
  ["Writes now", node.inFlightWrites],
  ["Cursor", node.cursor],
])}
<td class="n${node.lag > 0 ? " warn" : ""}" data-label="Lag">${count(node.lag)}${node.lag > 0 ? html`<span class="more">${age(node.oldestUndelivered)}</span>` : null}</td>
<td data-label="Last check">${lastCheck(node, now)}</td>
${acts ? html`<td class="actions" data-label="Actions">${actionsOf(node).map((action) => actionLink(node, action))}</td>` : null}
</tr>`;
}

type Figure = readonly [label: string, value: number, tone?: "alarm" | "warn"];

/** Zeros are quiet, so that the eye finds what is not. */
function numbers(figures: readonly Figure[]): Html[] {
  return figures.map(([label, value, tone = ""]) => {
    const look = value === 0 ? "zero" : tone;
    return html`<td class="n ${look}" data-label="${label}">${count(value)}</td>`;
  });
}

function sumRow(nodes: readonly NodeStatus[], acts: boolean): Html {
  const sum = (value: (node: NodeStatus) => number) => nodes.reduce((total, node) => total + value(node), 0);
  return html`<tr><th scope="row">All</th><td></td>
${numbers([
  ["Reads", sum((node) => node.reads)],
  ["Read errors", sum((node) => node.readErrors), "alarm"],
  ["Reads now", sum((node) => node.inFlightReads)],
  ["Acks", sum((node) => node.acks)],
  ["Ack errors", sum((node) => node.ackErrors), "alarm"],
  ["Retries", sum((node) => node.retries), "warn"],
  ["Writes now", sum((node) => node.inFlightWrites)],
])}
<td colspan="${acts ? 4 : 3}"></td></tr>`;
}

function lastCheck({ lastCheck: check }: NodeStatus, now: number): Html {
  if (check === null) return html`<span class="more">no check yet</span>`;
  const ago = html`<time datetime="${iso(check.at)}">${age((now - check.at) / 1000)} ago</time>`;
  const word = check.ok ? html`<span class="good">ok</span>` : html`<span class="bad">failed</span>`;
  return html`${word} ${ago}<span class="more why">${check.detail}</span>`;
}

function actionsOf({ state }: NodeStatus): Action[] {
  if (state === "quarantined") return ["ready", "maint"];
  if (state === "maint") return ["ready"];
  if (state === "draining") return ["ready", "maint"];
  return ["drain", "maint"];
}

function actionLink({ name }: NodeStatus, action: Action): Html {
  const { label } = ACTIONS[action];
  return html`<a class="button" role="button" href="/nodes/${name}/${action}" data-ask aria-label="${label} ${name}">${label}</a> `;
}

function routeTable({ routes }: Status): Html {
  return html`<div class="scroll" role="region" aria-labelledby="routes" tabindex="0"><table>
<thead><tr><th scope="col">Route</th><th scope="col">Matches</th><th scope="col">Goes to</th><th scope="col" class="n">Requests</th><th scope="col" class="n">Errors</th><th scope="col" class="n">Now</th></tr></thead>
<tbody>${routes.map(routeRow)}</tbody>
</table></div>`;
}

function routeRow(route: RouteStatus): Html {
  return html`<tr><th scope="row">${route.name}</th>
<td data-label="Matches"><code>${route.match}</code></td>
<td data-label="Goes to">${route.to === "all" ? `all nodes, ack ${route.policy}` : `one node, ${route.policy}`}</td>
${numbers([
  ["Requests", route.requests],
  ["Errors", route.errors, "alarm"],
  ["Now", route.inFlight],
])}</tr>`;
}

/** Colour never stands alone: the word is always beside it. */
function toneOf({ state }: NodeStatus): "good" | "busy" | "bad" | "off" {
  if (state === "in-sync") return "good";
  if (state === "joining" || state === "catching-up") return "busy";
  return state === "draining" || state === "maint" ? "off" : "bad";
}

function stateWord({ state }: NodeStatus): string {
  return state === "maint" ? "in maintenance" : state;
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
