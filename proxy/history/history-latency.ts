import type { Histogram } from "../metrics/metrics-cells.ts";

/** Samples that a percentile looks back over: ten seconds. */
export const LATENCY_WINDOW = 10;

export interface Latency {
  readonly P50: number;
  readonly P90: number;
  readonly P99: number;
}

const NOTHING: Latency = { P50: Number.NaN, P90: Number.NaN, P99: Number.NaN };

/**
 * Percentiles of what ended lately, out of histograms that only ever grow: what they hold now less what they held
 * `LATENCY_WINDOW` samples ago. Nothing is added to a request for it.
 */
export class LatencyWindow {
  /** What the histograms held, oldest first. */
  readonly #held: Float64Array[] = [];

  /** In seconds, NaN where nothing ended. Histograms of one call have the same bounds. */
  sample(histograms: readonly Histogram[]): Latency {
    const bounds = histograms[0]?.bounds;
    if (bounds === undefined) return NOTHING;
    const now = new Float64Array(bounds.length + 1);
    for (const histogram of histograms) histogram.addTo(now);
    this.#held.push(now);
    const [oldest = now] = this.#held;
    if (this.#held.length > LATENCY_WINDOW) this.#held.shift();
    // Less than before: the histograms of a route that was removed are gone.
    const counts = now.map((count, index) => Math.max(0, count - (oldest[index] ?? 0)));
    return {
      P50: quantile(counts, bounds, 0.5),
      P90: quantile(counts, bounds, 0.9),
      P99: quantile(counts, bounds, 0.99),
    };
  }
}

/** As Prometheus' histogram_quantile: evenly spread within a bucket; beyond the last bound, that bound. */
export function quantile(counts: Float64Array, bounds: Float64Array, part: number): number {
  const wanted = counts.reduce((sum, count) => sum + count, 0) * part;
  if (wanted === 0) return Number.NaN;
  let below = 0;
  for (const [index, upper] of bounds.entries()) {
    const count = counts[index] ?? 0;
    if (below + count >= wanted) {
      const lower = bounds[index - 1] ?? 0;
      return lower + ((upper - lower) * (wanted - below)) / count;
    }
    below += count;
  }
  return bounds.at(-1) ?? Number.NaN;
}
