import type { HistoryEvent, NodeState } from "../../api.ts";
import { SPAN } from "../../history/history-columns.ts";
import { toneOf } from "../../history/history-events.ts";
import { NODE_STATES } from "../../node-state.ts";
import { type Html, html } from "../html.ts";
import { age, clock, iso } from "./format.ts";
import type { StatsView } from "./view.ts";

const LENGTH = SPAN * 1000;
/** Of the events, those that are listed at once; the others on demand. */
const LISTED = 8;
const TICKS = ["−15 min", "−10", "−5", "now"];

/** Where each node was in the last 15 minutes, and what happened; as strips, and as a list that says the same. */
export function timeline(view: StatsView): Html {
  const { status, nodes, events } = view;
  const strips = status.nodes.map(({ name, state }) => {
    const own = events.filter(({ node, kind }) => node === name && kind !== "state");
    return strip(
      name,
      `${name}: ${state} now`,
      segments(nodes.get(name)?.line("state") ?? [], view),
      own,
      view,
    );
  });
  const common = events.filter(({ node }) => node === null);
  return html`<div class="timeline">
<svg width="0" height="0" aria-hidden="true" class="defs">${PATTERNS}</svg>
${strips}
${strip("balancer", "the balancer's own events", [], common, view)}
<div class="axis" aria-hidden="true">${TICKS.map((tick) => html`<span>${tick}</span>`)}</div>
<ul class="key">${KEY.map((tone) => html`<li><svg width="18" height="12" aria-hidden="true"><rect width="18" height="12" class="fill-${tone}"/><rect width="18" height="12" fill="url(#p-${tone})"/></svg>${WORDS[tone]}</li>`)}<li><svg width="12" height="12" aria-hidden="true"><circle cx="6" cy="6" r="4" class="event"/></svg>event</li></ul>
</div>`;
}

const KEY = ["good", "busy", "off", "bad"] as const;
const WORDS = {
  good: "in-sync",
  busy: "joining, catching-up",
  off: "draining, maint",
  bad: "down, quarantined",
} as const;

/** Each tone has a pattern of its own, for those who don't see the colours. */
const PATTERNS = html`<defs>
<pattern id="p-good" width="8" height="8" patternUnits="userSpaceOnUse"></pattern>
<pattern id="p-busy" width="6" height="6" patternUnits="userSpaceOnUse"><circle cx="3" cy="3" r="1.2" class="ink"/></pattern>
<pattern id="p-off" width="6" height="6" patternUnits="userSpaceOnUse"><path d="M0 3h6" class="ink-line"/></pattern>
<pattern id="p-bad" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><path d="M3 0v6" class="ink-line wide-line"/></pattern>
</defs>`;

interface Segment {
  readonly state: NodeState;
  /** ms since the epoch. */
  readonly from: number;
  readonly to: number;
}

/** Runs of the same state. */
function segments(line: readonly (number | null)[], { at, now }: StatsView): Segment[] {
  const runs: { state: NodeState; from: number; to: number }[] = [];
  for (const [index, code] of line.entries()) {
    const state = code === null ? undefined : NODE_STATES[code];
    if (state === undefined) continue;
    const from = at[index] ?? now;
    const to = at[index + 1] ?? now;
    const last = runs.at(-1);
    if (last?.state === state && last.to === from) last.to = to;
    else runs.push({ state, from, to });
  }
  return runs;
}

function strip(
  name: string,
  label: string,
  runs: readonly Segment[],
  events: readonly HistoryEvent[],
  { now }: StatsView,
): Html {
  const x = (ms: number) => Math.max(0, Math.min(100, 100 - ((now - ms) / LENGTH) * 100));
  const rects = runs.map(({ state, from, to }) => {
    const tone = toneOf(state);
    const box = [x(from).toFixed(2), Math.max(0.15, x(to) - x(from)).toFixed(2)];
    return html`<g><title>${state} ${clock(from)}, ${age((to - from) / 1000)}</title><rect x="${box[0] ?? 0}%" width="${box[1] ?? 0}%" height="16" class="fill-${tone}"/><rect x="${box[0] ?? 0}%" width="${box[1] ?? 0}%" height="16" fill="url(#p-${tone})"/></g>`;
  });
  const marks = events.map(
    ({ at, tone, text }) =>
      html`<circle cx="${x(at).toFixed(2)}%" cy="8" r="4" class="event ${tone}"><title>${clock(at)} ${text}</title></circle>`,
  );
  return html`<div class="strip"><span class="name">${name}</span><svg role="img" aria-label="${label}" width="100%" height="16">${rects}${marks}</svg></div>`;
}

/** The newest first. */
export function eventList({ events }: StatsView): Html {
  const items = events.toReversed().map(item);
  if (items.length === 0) return html`<p class="none">Nothing happened in the last 15 minutes.</p>`;
  const older = items.slice(LISTED);
  return html`<ol class="events">${items.slice(0, LISTED)}</ol>${
    older.length === 0
      ? null
      : html`<details><summary>${older.length} older</summary><ol class="events">${older}</ol></details>`
  }`;
}

function item({ at, tone, kind, node, text }: HistoryEvent): Html {
  return html`<li class="${tone}"><time datetime="${iso(at)}">${clock(at)}</time> <span class="kind">${kind}</span> <span class="what">${node === null ? null : html`<b>${node}</b> `}${text}</span></li>`;
}
