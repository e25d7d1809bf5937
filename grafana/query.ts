/** PromQL of the panels: every query is about the balancer that the board's variable picks. */

/** The matcher that picks it. */
export const AT = 'instance="$instance"';

interface Asked {
  /** Labels to sum by; none: one series. */
  readonly by?: string;
  /** More matchers, e.g. `class="5xx"`. */
  readonly where?: string;
}

/** One of the balancer's gauges. */
export function now(metric: string, where = ""): string {
  return `${metric}{${matchers(where)}}`;
}

/** A counter's increase per second. */
export function rate(counter: string, { by = "", where = "" }: Asked = {}): string {
  return summed(by, `rate(${now(counter, where)}[$__rate_interval])`);
}

/** What a counter has grown by within the board's time range. */
export function grown(counter: string, { by = "", where = "" }: Asked = {}): string {
  return summed(by, `increase(${now(counter, where)}[$__range])`);
}

/** Quantiles of a histogram, as legend → query; `legend` is about the labels it is split by. */
export function quantiles(
  histogram: string,
  { by = "", where = "", legend = "" }: Asked & { readonly legend?: string },
  ...wanted: readonly number[]
): Record<string, string> {
  const labels = by === "" ? "le" : `${by}, le`;
  const buckets = `sum by (${labels}) (rate(${now(`${histogram}_bucket`, where)}[$__rate_interval]))`;
  return Object.fromEntries(
    wanted.map((q) => [`${legend} p${q * 100}`.trim(), `histogram_quantile(${q}, ${buckets})`]),
  );
}

function summed(by: string, query: string): string {
  return by === "" ? `sum(${query})` : `sum by (${by}) (${query})`;
}

function matchers(where: string): string {
  return where === "" ? AT : `${AT},${where}`;
}
