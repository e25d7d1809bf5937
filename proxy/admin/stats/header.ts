import type { Tone } from "../../api.ts";
import { type Html, html } from "../html.ts";
import type { Finding } from "./finding.ts";
import { clock, iso, plural } from "./format.ts";
import { findings } from "./verdict.ts";
import type { StatsView } from "./view.ts";

/** What is read first: whose page it is, whether anything is wrong, and what to do. */
export function header(view: StatsView): Html {
  const found = findings(view);
  const { status, caller, now } = view;
  return html`<header>
  <h1><small>lbctl</small> ${status.cluster}</h1>
  <p class="updated">${caller === null ? null : html`<span>signed in as ${caller.user}</span> `}<span class="link" data-keep>as of</span> <time datetime="${iso(now)}">${clock(now)} UTC</time></p>
</header>
<section class="verdict ${worst(found)}" aria-label="Verdict">
<p class="headline" role="status"><span class="sign" aria-hidden="true">${SIGNS[worst(found)]}</span> ${headline(found, view)}</p>
${found.length === 0 ? null : html`<ul>${found.map(item)}</ul>`}
</section>`;
}

/** The title of the window: seen when the page itself is not. */
export function title(view: StatsView): string {
  const wrong = findings(view).filter(({ tone }) => tone === "bad").length;
  const { cluster } = view.status;
  return wrong === 0 ? `${cluster} · lbctl` : `(${wrong}) ${cluster} · lbctl`;
}

const SIGNS: Readonly<Record<Tone, string>> = { good: "✓", busy: "↻", off: "❙❙", bad: "!" };

function worst(found: readonly Finding[]): Tone {
  return found[0]?.tone ?? "good";
}

function headline(found: readonly Finding[], { status }: StatsView): string {
  const nodes = `${status.inSync} of ${plural(status.nodes.length, "node")} in-sync`;
  const wrong = found.filter(({ tone }) => tone === "bad").length;
  switch (worst(found)) {
    case "bad":
      return `${plural(wrong, "problem")} · ${nodes}`;
    case "busy":
      return `Recovering by itself · ${nodes}`;
    case "off":
      return `Taken out by an operator · ${nodes}`;
    default:
      return `All is well · ${nodes}`;
  }
}

function item({ tone, what, todo }: Finding): Html {
  return html`<li class="${tone}"><span class="what">${what}</span> <span class="todo">${todo}</span></li>`;
}
