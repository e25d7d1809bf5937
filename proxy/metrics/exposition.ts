import {
  collectDefaultMetrics,
  type Gauge,
  type Histogram,
  type OpenMetricsContentType,
  Registry,
} from "prom-client";
import type { Family, ScrapedFamily } from "./metrics-cells.ts";

/** What a scrape is answered with. */
export interface Scraped {
  readonly type: string;
  readonly body: string;
}

/**
 * Writes the metrics, ours and those of Node.js, in the format that a scraper asks for. prom-client's registry
 * has one format for good, and in OpenMetrics it renames the counters that it holds: so there are two, and the
 * second holds each metric behind a name of its own.
 */
export class Exposition {
  readonly #text = new Registry();
  readonly #open = new Registry<OpenMetricsContentType>();

  constructor(families: readonly (Family | ScrapedFamily)[]) {
    this.#open.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
    for (const family of families) this.#text.registerMetric(family as unknown as Gauge);
    collectNode(this.#text);
    for (const metric of this.#text.getMetricsAsArray() as unknown as Metric[]) {
      this.#open.registerMetric(renamable(metric) as unknown as Gauge);
    }
  }

  /** @param accept the scraper's header field */
  async write(accept: string): Promise<Scraped> {
    const registry = prefersOpenMetrics(accept) ? this.#open : this.#text;
    return { type: registry.contentType, body: await registry.metrics() };
  }
}

/** All that a registry asks of a metric; prom-client's types know only its own four classes. */
interface Metric {
  readonly name: string;
  readonly type: string;
  get(): Promise<object>;
  /** With the labels of a histogram's buckets shared, as `get` has them not. */
  getForPromString?(): Promise<object>;
}

function renamable(metric: Metric): Metric {
  const { name, type } = metric;
  const get = async () => {
    const values = await (metric.getForPromString?.() ?? metric.get());
    return { ...values, name: renamed.name };
  };
  const renamed = { name, type, get };
  return renamed;
}

/** No whole numbers: prom-client writes them as OpenMetrics does not want them. */
const GC_SECONDS = [0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5];

/** Private calls of Node.js that list every socket; nodejs_active_resources is the public one. And its sum. */
const LEFT_OUT = [
  "nodejs_active_handles",
  "nodejs_active_handles_total",
  "nodejs_active_requests",
  "nodejs_active_requests_total",
  "nodejs_active_resources_total",
];

function collectNode(register: Registry): void {
  collectDefaultMetrics({ register, gcDurationBuckets: GC_SECONDS });
  for (const name of LEFT_OUT) register.removeSingleMetric(name);
  const collections = register.getSingleMetric("nodejs_gc_duration_seconds") as Histogram;
  for (const kind of ["major", "minor", "incremental", "weakcb"]) collections.zero({ kind });
}

/** Whether this `Accept` (RFC 9110 §12.5.1) wants OpenMetrics at least as much as the text format. */
export function prefersOpenMetrics(accept: string): boolean {
  let open = 0;
  let text = 0;
  for (const range of accept.toLowerCase().split(",")) {
    const [type = "", ...parameters] = range.split(";").map((part) => part.trim());
    const of = (name: string) =>
      parameters.find((part) => part.startsWith(`${name}=`))?.slice(name.length + 1);
    const weight = Number(of("q") ?? 1) || 0;
    if (type === "text/plain") text = Math.max(text, weight);
    if (type === "application/openmetrics-text" && isKnown(of("version"))) open = Math.max(open, weight);
  }
  return open > 0 && open >= text;
}

function isKnown(version: string | undefined): boolean {
  return version === undefined || version === "0.0.1" || version === "1.0.0";
}
