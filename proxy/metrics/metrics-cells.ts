import type { MetricRow } from "./metrics-table.ts";

/**
 * What the hot path touches: plain numbers, bound to their labels ahead of time. prom-client finds a series by
 * hashing its labels at every increment (0.3–1 µs); here it sees the numbers only when it is scraped.
 */

/** One line of the exposition, as prom-client's registry takes it. `sharedLabels` are formatted once. */
export interface Sample {
  readonly metricName?: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly sharedLabels: Readonly<Record<string, string>>;
  readonly value: number;
  readonly exemplar?: Exemplar;
}

/** One observation of a bucket that stands for the others: which write it was. */
interface Exemplar {
  readonly labelSet: { readonly seq: string };
  readonly value: number;
  /** Seconds since the epoch. */
  readonly timestamp: number;
}

export type Labels = Readonly<Record<string, string>>;

const NONE = Object.freeze({});

export class Count {
  value = 0;

  samples(_name: string, sharedLabels: Labels, into: Sample[]): void {
    into.push({ labels: NONE, sharedLabels, value: this.value });
  }
}

export class Histogram {
  readonly #bounds: Float64Array;
  /** One more than bounds: the last is +Inf. */
  readonly #counts: Float64Array;
  readonly #les: readonly { readonly le: string }[];
  readonly #exemplars: (Exemplar | undefined)[];
  #sum = 0;

  constructor(bounds: readonly number[]) {
    this.#bounds = Float64Array.from(bounds);
    this.#counts = new Float64Array(bounds.length + 1);
    this.#les = [...bounds.map(upperBound), "+Inf"].map((le) => ({ le }));
    this.#exemplars = this.#les.map(() => undefined);
  }

  get bounds(): Float64Array {
    return this.#bounds;
  }

  /** Adds what was observed so far to `into`: one count for each bound, and one beyond. */
  addTo(into: Float64Array): void {
    for (const [index, count] of this.#counts.entries()) into[index] = (into[index] ?? 0) + count;
  }

  /** @param seq the write that it was about, if it was one */
  observe(value: number, seq?: number): void {
    const bounds = this.#bounds;
    let low = 0;
    let high = bounds.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (value <= (bounds[middle] as number)) high = middle;
      else low = middle + 1;
    }
    this.#counts[low] = (this.#counts[low] as number) + 1;
    this.#sum += value;
    if (seq !== undefined)
      this.#exemplars[low] = { labelSet: { seq: String(seq) }, value, timestamp: Date.now() / 1000 };
  }

  samples(name: string, sharedLabels: Labels, into: Sample[]): void {
    const bucket = `${name}_bucket`;
    let total = 0;
    for (const [index, labels] of this.#les.entries()) {
      total += this.#counts[index] as number;
      const exemplar = this.#exemplars[index];
      const sample = { metricName: bucket, labels, sharedLabels, value: total };
      into.push(exemplar === undefined ? sample : { ...sample, exemplar });
    }
    into.push({ metricName: `${name}_sum`, labels: NONE, sharedLabels, value: this.#sum });
    into.push({ metricName: `${name}_count`, labels: NONE, sharedLabels, value: total });
  }
}

/** OpenMetrics wants 1.0 where the classic format lets it be 1; the same series whichever is scraped. */
function upperBound(bound: number): string {
  return Number.isInteger(bound) ? bound.toFixed(1) : String(bound);
}

interface Series {
  readonly labels: Labels;
  readonly cell: Count | Histogram;
}

/** One metric with all its series; shaped like a metric of prom-client, whose registry asks it by `get()`. */
export class Family {
  readonly name: string;
  readonly help: string;
  readonly type: MetricRow["type"];
  readonly aggregator = "sum";
  readonly #buckets: readonly number[];
  #series: Series[] = [];

  constructor(row: MetricRow) {
    this.name = row.name;
    this.help = row.help;
    this.type = row.type;
    this.#buckets = row.buckets ?? [];
  }

  count(labels: Labels = NONE): Count {
    return this.#add(labels, new Count());
  }

  histogram(labels: Labels = NONE): Histogram {
    return this.#add(labels, new Histogram(this.#buckets));
  }

  #add<C extends Count | Histogram>(labels: Labels, cell: C): C {
    this.#series.push({ labels, cell });
    return cell;
  }

  /** The series of a node or route that is gone disappear. */
  drop(label: string, value: string): void {
    this.#series = this.#series.filter((series) => series.labels[label] !== value);
  }

  async get() {
    const values: Sample[] = [];
    for (const { labels, cell } of this.#series) cell.samples(this.name, labels, values);
    return { name: this.name, help: this.help, type: this.type, aggregator: this.aggregator, values };
  }
}

/** A metric whose values are asked for when it is scraped. */
export class ScrapedFamily {
  readonly name: string;
  readonly help: string;
  readonly type: MetricRow["type"];
  readonly aggregator = "sum";
  readonly #read: () => Iterable<Sample>;

  constructor(row: MetricRow, read: () => Iterable<Sample>) {
    this.name = row.name;
    this.help = row.help;
    this.type = row.type;
    this.#read = read;
  }

  async get() {
    const values = [...this.#read()];
    return { name: this.name, help: this.help, type: this.type, aggregator: this.aggregator, values };
  }
}
