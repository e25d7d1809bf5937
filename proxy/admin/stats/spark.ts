import { type Html, html } from "../html.ts";

/** Points of a spark line: each is the greatest of 15 seconds. */
const POINTS = 60;
const WIDTH = 120;
const HEIGHT = 24;

/**
 * A line without axes of the last 15 minutes; made here, so that it is there without scripts. What it shows stands
 * beside it as text. @param span how many samples make 15 minutes @param least the top is at least this
 */
export function spark(
  line: readonly (number | null)[],
  { span, least }: { span: number; least: number },
): Html {
  const points = thinned(line, Math.ceil(span / POINTS));
  const top = Math.max(least, ...points.map((value) => value ?? 0));
  const step = WIDTH / (POINTS - 1);
  const first = POINTS - points.length;
  const path = points.map((value, index) => {
    if (value === null) return "";
    const x = ((first + index) * step).toFixed(1);
    const y = (HEIGHT - 1 - (value / top) * (HEIGHT - 2)).toFixed(1);
    return `${(points[index - 1] ?? null) === null ? "M" : "L"}${x} ${y}`;
  });
  return html`<svg class="spark" viewBox="0 0 ${WIDTH} ${HEIGHT}" preserveAspectRatio="none" aria-hidden="true"><path d="${path.join("")}" vector-effect="non-scaling-stroke"/></svg>`;
}

/** The greatest of each `every` samples, counted from the end, so that a peak is never lost. */
function thinned(line: readonly (number | null)[], every: number): (number | null)[] {
  const points: (number | null)[] = [];
  for (let end = line.length; end > 0; end -= every) {
    const known = line.slice(Math.max(0, end - every), end).filter((value) => value !== null);
    points.unshift(known.length === 0 ? null : Math.max(...known));
  }
  return points;
}
