import { type Html, html } from "../html.ts";
import { charts } from "./charts.ts";
import { header, title } from "./header.ts";
import { nodeTable } from "./node-table.ts";
import { routeTable } from "./route-table.ts";
import { shell } from "./shell.ts";
import { facts, tiles } from "./tiles.ts";
import { eventList, timeline } from "./timeline.ts";
import type { StatsView } from "./view.ts";

/** Without scripts the page loads itself anew; with them it is told what changes. */
const LIVE = html`<noscript><meta http-equiv="refresh" content="5"></noscript>
<script src="/stats.js" type="module"></script>`;

/** The whole page; readable without scripts. */
export function statsPage(view: StatsView): Html {
  return shell(title(view), statsFragment(view), LIVE);
}

/** The part that changes, as it comes with every event of the stream. */
export function statsFragment(view: StatsView): Html {
  return html`<main id="live" data-title="${title(view)}">
${header(view)}
${tiles(view)}
<h2 id="nodes">Nodes</h2>
${nodeTable(view)}
<h2>Last 15 minutes</h2>
<div class="past"><section aria-label="Timeline">${timeline(view)}</section>
<section aria-label="Events">${eventList(view)}</section></div>
<section aria-label="Charts" class="scripted">${charts(view)}</section>
<h2 id="routes">Routes</h2>
${routeTable(view)}
<h2>Balancer</h2>
${facts(view)}
</main>`;
}
