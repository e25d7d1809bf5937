import type { RouteStatus } from "../../api.ts";
import { type Html, html } from "../html.ts";
import { count, latency, rate, share } from "./format.ts";
import type { StatsView } from "./view.ts";

export function routeTable(view: StatsView): Html {
  return html`<div class="scroll" role="region" aria-labelledby="routes" tabindex="0"><table>
<thead><tr><th scope="col">Route</th><th scope="col">Matches</th><th scope="col">Goes to</th>${["Requests / s", "p50", "p90", "p99", "Errors", "Requests", "Now"].map((name) => html`<th scope="col" class="n">${name}</th>`)}</tr></thead>
<tbody>${view.status.routes.map((route) => row(route, view))}</tbody>
</table></div>`;
}

function row(route: RouteStatus, { routes }: StatsView): Html {
  const lines = routes.get(route.name);
  const errors = route.errors === 0 ? "0" : `${count(route.errors)} (${share(route.errors, route.requests)})`;
  return html`<tr><th scope="row">${route.name}</th>
<td data-label="Matches"><code>${route.match}</code></td>
<td data-label="Goes to">${route.to === "all" ? `all nodes, ack ${route.policy}` : `one node, ${route.policy}`}</td>
${cell("Requests / s", rate(lines?.last("requests") ?? null))}
${cell("p50", latency(lines?.last("P50") ?? null))}
${cell("p90", latency(lines?.last("P90") ?? null))}
${cell("p99", latency(lines?.last("P99") ?? null))}
${cell("Errors", errors, "alarm")}
${cell("Requests", count(route.requests))}
${cell("Now", count(route.inFlight))}</tr>`;
}

/** Zeros are quiet, so that the eye finds what is not. */
function cell(label: string, text: string, tone = ""): Html {
  const look = text === "0" || text === "–" ? "zero" : tone;
  return html`<td class="n ${look}" data-label="${label}">${text}</td>`;
}
