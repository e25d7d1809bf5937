import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { startProcess } from "./process.ts";
import { tempFolder } from "./temp-folder.ts";
import { until } from "./wait.ts";

/** The system's Prometheus, scraping a balancer. */

export interface TestPrometheus {
  readonly url: string;
  /** Calls its HTTP API (`/api/v1/…`); gives `data`, throws on an error. */
  ask<T>(path: string, parameters: Readonly<Record<string, string>>): Promise<T>;
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
): Promise<TestPrometheus> {
  const own = tempFolder(t);
  const config = join(own, "prometheus.yml");
  writeFileSync(config, JSON.stringify(configFor(new URL(adminUrl).host, join(folder, "admin.password"))));
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
  const prometheus = { url: `http://${url}`, ask: asker(`http://${url}`) };
  await until(() => scraped(prometheus), { timeout: 30_000, what: "a good scrape by Prometheus" });
  return prometheus;
}

/** JSON is YAML, too. */
function configFor(target: string, password_file: string): unknown {
  const basic_auth = { username: "admin", password_file };
  return {
    global: { scrape_interval: "1s" },
    scrape_configs: [{ job_name: "lb", basic_auth, static_configs: [{ targets: [target] }] }],
  };
}

function asker(url: string): TestPrometheus["ask"] {
  return async <T>(path: string, parameters: Readonly<Record<string, string>>) => {
    const response = await fetch(`${url}${path}?${new URLSearchParams(parameters)}`);
    const body = (await response.json()) as { status: string; data: T; error?: string };
    if (body.status !== "success") throw new Error(`${path}: ${body.error}`);
    return body.data;
  };
}

interface Targets {
  readonly activeTargets: readonly { readonly health: string; readonly lastError: string }[];
}

/** Throws what Prometheus has against a scrape that went wrong. */
async function scraped({ ask }: TestPrometheus): Promise<boolean> {
  const { activeTargets } = await ask<Targets>("/api/v1/targets", {});
  const [target] = activeTargets;
  if (target?.health === "down") throw new Error(`scrape: ${target.lastError}`);
  return target?.health === "up";
}
