import { type Html, html } from "../html.ts";
import { CHARTS, LAG_CHART, nodeColor, nodeDash } from "./series.ts";
import type { StatsView } from "./view.ts";

/** Frames and legends of the charts; the script draws in them, and leaves the rest alone. */
export function charts({ status }: StatsView): Html {
  const figures = CHARTS.map(({ id, title, lines }) =>
    figure(
      id,
      title,
      lines.map(({ label, color, dash }) => ({ label, color, dash })),
    ),
  );
  const nodes = status.nodes.map(({ name }, index) => ({
    label: name,
    color: nodeColor(index),
    dash: nodeDash(index),
  }));
  return html`<div class="charts">${figures}${figure(LAG_CHART.id, LAG_CHART.title, nodes)}</div>`;
}

interface Key {
  readonly label: string;
  readonly color: string;
  readonly dash: readonly number[];
}

function figure(id: string, title: string, keys: readonly Key[]): Html {
  return html`<figure><figcaption>${title}<ul class="key">${keys.map(key)}</ul></figcaption>
<div class="plot" id="chart-${id}" data-chart="${id}" data-keep role="group" tabindex="0" aria-label="${title}: the arrow keys move through time"></div></figure>`;
}

function key({ label, color, dash }: Key): Html {
  return html`<li><svg width="24" height="10" aria-hidden="true"><line x1="1" x2="23" y1="5" y2="5" class="stroke${color}" stroke-dasharray="${dash.join(" ")}"/></svg>${label}</li>`;
}
