import { stringify } from "yaml";
import { HOST_JOB, JOB } from "./objectives.ts";

/** What Grafana and Prometheus read at their start. */

/** Grafana: where its Prometheus is; from the environment, so that a port that is taken can be another one. */
export function datasource(): string {
  return stringify({
    apiVersion: 1,
    datasources: [
      {
        name: "lbctl",
        uid: "lbctl",
        type: "prometheus",
        access: "proxy",
        // biome-ignore lint/suspicious/noTemplateCurlyInString: Grafana's way to name an environment variable
        url: "${LBCTL_PROMETHEUS_URL}",
        isDefault: true,
        jsonData: { timeInterval: "15s", httpMethod: "POST" },
      },
    ],
  });
}

/** Grafana: the folder that holds the dashboards. */
export function dashboardProvider(): string {
  return stringify({
    apiVersion: 1,
    providers: [
      {
        name: "lbctl",
        folder: "lbctl",
        type: "file",
        disableDeletion: true,
        allowUiUpdates: false,
        // biome-ignore lint/suspicious/noTemplateCurlyInString: Grafana's way to name an environment variable
        options: { path: "${LBCTL_DASHBOARDS}" },
      },
    ],
  });
}

/** One that is on its own; `local` fills in targets and the password's file. */
export interface Scrape {
  /** host:port of admin listeners. */
  readonly balancers: readonly string[];
  readonly user: string;
  readonly passwordFile: string;
  /** host:port of node_exporters. */
  readonly hosts: readonly string[];
  /** Seconds, as Prometheus writes them. */
  readonly interval: string;
  readonly ruleFiles: readonly string[];
}

const DEFAULT_SCRAPE: Scrape = {
  balancers: ["127.0.0.1:1936"],
  user: "admin",
  passwordFile: "admin.password",
  hosts: ["127.0.0.1:9100"],
  interval: "15s",
  ruleFiles: ["rules/*.yaml"],
};

/** Prometheus: what to scrape and which rules to evaluate. Paths are relative to the file. */
export function prometheusConfig(scrape: Partial<Scrape> = {}): string {
  const { balancers, user, passwordFile, hosts, interval, ruleFiles } = { ...DEFAULT_SCRAPE, ...scrape };
  return stringify({
    global: { scrape_interval: interval, evaluation_interval: interval },
    rule_files: ruleFiles,
    scrape_configs: [
      {
        job_name: JOB,
        basic_auth: { username: user, password_file: passwordFile },
        static_configs: [{ targets: balancers }],
      },
      { job_name: HOST_JOB, static_configs: [{ targets: hosts }] },
    ],
  });
}
