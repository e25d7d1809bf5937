import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { prometheusConfig } from "../../grafana/provisioning.ts";
import { startProcess } from "./process.ts";
import { tempFolder } from "./temp-folder.ts";
import { until } from "./wait.ts";

/** The system's Prometheus, scraping a balancer as grafana/prometheus.yml says. */

export interface TestPrometheus {
  readonly url: string;
  /** Calls its HTTP API (`/api/v1/…`); gives `data`, throws on an error. */
  ask<T>(path: string, parameters?: Readonly<Record<string, string>>): Promise<T>;
  /** What a query gives now. */
  query(query: string): Promise<readonly Series[]>;
  /** Alerts that fire now. */
  firing(): Promise<readonly Firing[]>;
}

export interface Series {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [number, string];
}

export interface Firing {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface PrometheusSetup {
  /** Between two scrapes, and two evaluations of the rules. */
  readonly interval?: string;
  /** host:port of node_exporters. */
  readonly hosts?: readonly string[];
  /** Rule files, as text. */
  readonly rules?: readonly string[];
}

/** False: it is there. Else why tests that need it are skipped. */
export function withoutPrometheus(): string | false {
  const there = ["prometheus", "promtool"].every((name) => spawnSync(name, ["--version"]).status === 0);
  return there ? false : "no prometheus and promtool: apt-get install prometheus";
}

/** Starts it on a free port, with the storage of exemplars; resolves after its first good scrape. */
export async function startPrometheus(
  t: TestContext,
  { adminUrl, folder }: { readonly adminUrl: string; readonly folder: string },
  { interval = "1s", hosts = [], rules = [] }: PrometheusSetup = {},
): Promise<TestPrometheus> {
  const own = tempFolder(t);
  for (const [index, text] of rules.entries()) writeFileSync(join(own, `rules${index}.yaml`), text);
  const config = join(own, "prometheus.yml");
  const balancers = [new URL(adminUrl).host];
  const passwordFile = join(folder, "admin.password");
  writeFileSync(
    config,
    prometheusConfig({ balancers, passwordFile, hosts, interval, ruleFiles: ["rules*.yaml"] }),
  );
  const { url } = await startProcess(t, {
    name: "prometheus",
    command: "prometheus",
    args: [
      `--config.file=${config}`,
      `--storage.tsdb.path=${join(own, "data")}`,
      "--web.listen-address=127.0.0.1:0",
      "--enable-feature=exemplar-storage",
    ],
    ready: /msg="Listening on" address=(127\.0\.0\.1:\d+).*Server is ready/s,
  });
  const prometheus = api(`http://${url}`);
  await scraped(prometheus);
  return prometheus;
}

function api(url: string): TestPrometheus {
  const ask: TestPrometheus["ask"] = async <T>(path: string, parameters = {}) => {
    const response = await fetch(`${url}${path}?${new URLSearchParams(parameters)}`);
    const body = (await response.json()) as { status: string; data: T; error?: string };
    if (body.status !== "success") throw new Error(`${path}: ${body.error}`);
    return body.data;
  };
  return {
    url,
    ask,
    query: async (query) => (await ask<{ result: readonly Series[] }>("/api/v1/query", { query })).result,
    firing: async () => {
      const { alerts } = await ask<{ alerts: readonly (Firing & { state: string })[] }>("/api/v1/alerts");
      return alerts.filter(({ state }) => state === "firing");
    },
  };
}

interface Targets {
  readonly activeTargets: readonly { readonly health: string; readonly lastError: string }[];
}

/** Waits until all are; throws what Prometheus has against one. */
async function scraped({ ask }: TestPrometheus): Promise<void> {
  let last = "";
  const up = async (): Promise<boolean> => {
    const { activeTargets } = await ask<Targets>("/api/v1/targets");
    last = activeTargets.map(({ lastError }) => lastError).join();
    return activeTargets.length > 0 && activeTargets.every(({ health }) => health === "up");
  };
  await until(up, { timeout: 30_000 }).catch((error: unknown) => {
    throw new Error(`no good scrape by Prometheus: ${last}`, { cause: error });
  });
}
