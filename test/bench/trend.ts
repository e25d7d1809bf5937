export interface Sample {
  readonly atMs: number;
  readonly bytes: number;
}

export interface Trend {
  readonly max: number;
  /** Of the line fitted to the second half of the samples: caches and the compiler have settled by then. */
  readonly secondHalf: { readonly bytesPerMinute: number; readonly growth: number };
}

export function trendOf(samples: readonly Sample[]): Trend {
  const half = samples.slice(samples.length >> 1);
  const bytesPerMs = slope(half);
  const [first, last] = [half.at(0), half.at(-1)];
  const span = first && last ? last.atMs - first.atMs : 0;
  return {
    max: samples.reduce((max, { bytes }) => Math.max(max, bytes), 0),
    secondHalf: { bytesPerMinute: bytesPerMs * 60_000, growth: bytesPerMs * span },
  };
}

/** Least squares. */
function slope(samples: readonly Sample[]): number {
  const mean = (values: readonly number[]) =>
    values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
  const meanAt = mean(samples.map(({ atMs }) => atMs));
  const meanBytes = mean(samples.map(({ bytes }) => bytes));
  const covariance = mean(samples.map(({ atMs, bytes }) => (atMs - meanAt) * (bytes - meanBytes)));
  const variance = mean(samples.map(({ atMs }) => (atMs - meanAt) ** 2));
  return variance === 0 ? 0 : covariance / variance;
}
