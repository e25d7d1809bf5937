import { build, type Histogram } from "hdr-histogram-js";

/** Milliseconds. */
export interface LatencySummary {
  readonly count: number;
  readonly min: number;
  readonly mean: number;
  readonly p10: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

const MAX_MICROS = 600_000_000;

/** An HDR histogram of milliseconds: three digits, from 1 µs to 10 minutes. */
export class Latency {
  readonly #histogram: Histogram = build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: MAX_MICROS,
    numberOfSignificantValueDigits: 3,
    bitBucketSize: 32,
  });

  record(ms: number): void {
    this.#histogram.recordValue(Math.min(MAX_MICROS, Math.max(1, Math.round(ms * 1000))));
  }

  percentile(percent: number): number {
    const histogram = this.#histogram;
    // The upper edge of its bucket may lie above the highest value in it.
    return histogram.totalCount === 0
      ? 0
      : Math.min(histogram.getValueAtPercentile(percent), histogram.maxValue) / 1000;
  }

  summary(): LatencySummary {
    const histogram = this.#histogram;
    const empty = histogram.totalCount === 0;
    return {
      count: histogram.totalCount,
      min: empty ? 0 : histogram.minNonZeroValue / 1000,
      mean: empty ? 0 : Math.round(histogram.mean) / 1000,
      p10: this.percentile(10),
      p50: this.percentile(50),
      p90: this.percentile(90),
      p99: this.percentile(99),
      p999: this.percentile(99.9),
      max: empty ? 0 : histogram.maxValue / 1000,
    };
  }
}
