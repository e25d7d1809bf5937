/** What Prometheus and Grafana read: the files of grafana/, with this cluster's addresses beside them. */
import { globSync, readFileSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { prometheusConfig } from "../../../grafana/provisioning.ts";
import { packageRoot } from "../../package.ts";
import { type StatePaths, writeFileSafely, writeJson } from "../../state.ts";
import type { ProxyConfigFile } from "../../tools/proxy-config.ts";
import { type Choice, choiceFile } from "./choice.ts";

/** Path below the state directory's `monitoring` → text. */
export type MonitoringFiles = Readonly<Record<string, string>>;

export interface Monitoring {
  readonly choice: Choice;
  readonly files: MonitoringFiles;
}

/** All that those read that are to run. */
export function monitoringOf(choice: Choice, proxyConfig: ProxyConfigFile, state: StatePaths): Monitoring {
  const files = {
    ...(choice.prometheus ? prometheusFiles(proxyConfig, choice, state) : {}),
    ...(choice.grafana ? grafanaFiles() : {}),
  };
  return { choice, files };
}

/** Prometheus: what to scrape, and the rules. The password stays where it is: it is read from there at each scrape. */
function prometheusFiles(
  { admin }: ProxyConfigFile,
  { nodeExporter }: Choice,
  { monitoring }: StatePaths,
): MonitoringFiles {
  const rules = packaged("grafana/rules/*.yaml");
  const config = prometheusConfig({
    balancers: [admin.listen],
    user: admin.user,
    passwordFile: admin.passwordFile,
    hosts: nodeExporter ? [`127.0.0.1:${nodeExporter.port}`] : [],
    ruleFiles: [join(literally(monitoring), "prometheus/rules/*.yaml")],
  });
  return {
    "prometheus/prometheus.yml": `# Written by lbctl deploy.\n${config}`,
    ...under("prometheus/rules", rules, "grafana/rules"),
  };
}

/** Grafana: data source, folder and boards. */
function grafanaFiles(): MonitoringFiles {
  return {
    "grafana/lbctl.ini": "# Written by lbctl deploy. Empty: the settings are in Grafana's environment.\n",
    ...under("grafana/provisioning", packaged("grafana/provisioning/*/*.yaml"), "grafana/provisioning"),
    ...under("grafana/dashboards", packaged("grafana/dashboards/*.json"), "grafana/dashboards"),
  };
}

/** Written anew as a whole, so that no rule or board is left over from an older build; the data stays. */
export async function writeMonitoring(state: StatePaths, { choice, files }: Monitoring): Promise<void> {
  if (!choice.prometheus) return await rm(choiceFile(state), { force: true });
  for (const folder of ["prometheus/data", "grafana/data", "grafana/plugins"])
    await mkdir(join(state.monitoring, folder), { recursive: true, mode: 0o700 });
  for (const folder of ["prometheus/rules", "grafana/provisioning", "grafana/dashboards"])
    await rm(join(state.monitoring, folder), { recursive: true, force: true });
  for (const [path, text] of Object.entries(files)) {
    const file = join(state.monitoring, path);
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    await writeFileSafely(file, text);
  }
  await writeJson(choiceFile(state), choice);
}

/** A path in a pattern of Prometheus: a folder may be called `cluster[1]`. */
function literally(path: string): string {
  return path.replaceAll(/[\\*?[\]]/g, "\\$&");
}

/** Files of this package: path → text, in order. */
function packaged(pattern: string): ReadonlyMap<string, string> {
  const paths = globSync(pattern, { cwd: packageRoot() }).toSorted();
  return new Map(paths.map((path) => [path, readFileSync(join(packageRoot(), path), "utf8")]));
}

function under(folder: string, files: ReadonlyMap<string, string>, from: string): MonitoringFiles {
  return Object.fromEntries([...files].map(([path, text]) => [folder + path.slice(from.length), text]));
}
