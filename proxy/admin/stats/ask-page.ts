import type { NodeStatus, Status } from "../../api.ts";
import { type Html, html } from "../html.ts";
import { ACTIONS, type Action, donorsFor, riskOf } from "./actions.ts";
import { shell } from "./shell.ts";

/** Asks before a node is changed; the script shows the form in a dialog. */
export function askPage(action: Action, node: NodeStatus, status: Status): Html {
  const { label, effect } = ACTIONS[action];
  return shell(
    `${label} ${node.name}? · lbctl`,
    html`<main class="ask">
<form method="post" action="/nodes/${encodeURIComponent(node.name)}/${action}">
  <h1>${label} <b>${node.name}</b>?</h1>
  <p>It is ${stateWord(node)} now. ${effect}</p>
  ${action === "resync" ? donors(node, status) : null}
  ${force(riskOf(action, node, status))}
  <p class="buttons"><button type="submit" class="main">${label} ${node.name}</button> <a class="button" role="button" href="/" data-cancel>Cancel</a></p>
</form></main>`,
  );
}

function force(risk: string | null): Html | null {
  if (risk === null) return null;
  return html`<p class="warning">${risk}</p>
  <p><label><input type="checkbox" name="force" value="1" required> Do it all the same</label></p>`;
}

function donors(node: NodeStatus, status: Status): Html {
  const names = donorsFor(node, status);
  if (names.length === 0)
    return html`<p class="warning">No other node is in-sync: there is none to copy from.</p>`;
  return html`<p><label>Copy from <select name="from"><option value="">whichever the balancer takes</option>${names.map((name) => html`<option value="${name}">${name}</option>`)}</select></label></p>`;
}

/** What went wrong, with the way back. */
export function errorPage(error: { title: string; detail: string; next: string; code: string }): Html {
  return shell(
    `${error.title} · lbctl`,
    html`<main class="ask"><h1>${error.title}</h1><p>${error.detail}</p><p>${error.next}</p>
<p class="buttons"><a class="button main" href="/">Back</a> <code>${error.code}</code></p></main>`,
  );
}

function stateWord({ state }: NodeStatus): string {
  return state === "maint" ? "in maintenance" : state;
}
