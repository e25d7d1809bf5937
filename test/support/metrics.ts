import { readFileSync } from "node:fs";
import { join } from "node:path";
import { METRICS, type MetricKey } from "../../proxy/metrics/metrics-table.ts";

/** What a scrape says. */

/** Where to scrape, and whose folder has the password. */
interface Scrapable {
  readonly adminUrl: string;
  readonly folder: string;
}

/** A sample's name with its labels → its value. */
export type Samples = ReadonlyMap<string, number>;

/** Reads either format; an exemplar behind a value is left out. */
export function parseSamples(text: string): Samples {
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(
    lines.map((line) => {
      const [sample = ""] = line.split(" # ", 1);
      const end = sample.lastIndexOf(" ");
      return [sample.slice(0, end), Number(sample.slice(end).replace("Inf", "Infinity"))];
    }),
  );
}

/** Credentials of the admin user, as a header field. */
export function adminAuthorization({ folder }: Pick<Scrapable, "folder">): string {
  const password = readFileSync(join(folder, "admin.password"), "utf8").trim();
  return `Basic ${Buffer.from(`admin:${password}`).toString("base64")}`;
}

/** One scrape; `accept`: the header field. */
export async function scrape(from: Scrapable, accept = "*/*"): Promise<{ type: string; body: string }> {
  const headers = { accept, authorization: adminAuthorization(from) };
  const response = await fetch(`${from.adminUrl}/metrics`, { headers });
  const body = await response.text();
  if (!response.ok) throw new Error(`GET /metrics answered ${response.status}: ${body}`);
  return { type: response.headers.get("content-type") ?? "", body };
}

/**
 * The value of a metric of the table now, summed over the series that have all these labels (of a histogram: what
 * was observed so many times). Throws where there is none: all are exported from the start.
 */
export async function metricValue(
  from: Scrapable,
  key: MetricKey,
  labels: Readonly<Record<string, string>> = {},
): Promise<number> {
  const { name, type } = METRICS[key];
  const sampleName = type === "histogram" ? `${name}_count` : name;
  const wanted = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
  const samples = parseSamples((await scrape(from)).body);
  const found = [...samples].filter(
    ([sample]) =>
      (sample === sampleName || sample.startsWith(`${sampleName}{`)) &&
      wanted.every((label) => sample.includes(label)),
  );
  if (found.length === 0) throw new Error(`no series of ${sampleName} with ${wanted.join(", ")}`);
  return found.reduce((sum, [, value]) => sum + value, 0);
}
