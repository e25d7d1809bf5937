/** Command lines and environment of what watches a local cluster: pure. */

import { createHash } from "node:crypto";
import { basename, join } from "node:path";
import { FIRST_BOARD } from "../../monitoring-pages.ts";
import type { StatePaths } from "../../state.ts";
import type { ProcessSpec } from "../processes.ts";
import type { Choice, Chosen } from "./choice.ts";
import type { MonitoringFiles } from "./files.ts";
import { MONITORING, type MonitoringName } from "./names.ts";

/** Prometheus drops what is older, or beyond the size; the error budget's month has to fit. */
const KEPT_FOR = "31d";
const KEPT_AT_MOST = "1GB";

interface Started {
  /** After the executable. */
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** @param files what each reads: with other ones it is started anew */
export function monitoringSpecs(choice: Choice, files: MonitoringFiles, state: StatePaths): ProcessSpec[] {
  return MONITORING.flatMap((name) => {
    const chosen = choice[name];
    if (!chosen) return [];
    const { args, env = {} } = STARTED[name](chosen, state, choice);
    const read = Object.entries(files).filter(([path]) => path.startsWith(`${name}/`));
    const argv = [chosen.executable, ...args];
    return [{ name, argv, env, revision: digest([env, read]), stopTimeout: 10_000 }];
  });
}

const STARTED: Readonly<
  Record<MonitoringName, (chosen: Chosen, state: StatePaths, choice: Choice) => Started>
> = {
  prometheus: ({ port }, { monitoring }) => ({
    args: [
      `--config.file=${join(monitoring, "prometheus/prometheus.yml")}`,
      `--storage.tsdb.path=${join(monitoring, "prometheus/data")}`,
      `--storage.tsdb.retention.time=${KEPT_FOR}`,
      `--storage.tsdb.retention.size=${KEPT_AT_MOST}`,
      `--web.listen-address=127.0.0.1:${port}`,
      // Else any page in a browser on this machine could read the figures.
      `--web.cors.origin=http://127\\.0\\.0\\.1:${port}`,
      "--enable-feature=exemplar-storage",
      "--log.format=json",
    ],
  }),
  nodeExporter: ({ port }) => ({
    args: [
      `--web.listen-address=127.0.0.1:${port}`,
      // Of no use here, and noisy where it has no access.
      "--no-collector.systemd",
      "--log.format=json",
    ],
  }),
  grafana: ({ executable, home, port }, { monitoring }, { prometheus }) => ({
    args: [
      ...(basename(executable) === "grafana" ? ["server"] : []),
      `--homepath=${home}`,
      `--config=${join(monitoring, "grafana/lbctl.ini")}`,
    ],
    env: grafanaEnv(join(monitoring, "grafana"), port, prometheus?.port ?? 0),
  }),
};

/**
 * Grafana's settings as variables, where paths need no quoting. Who can reach the port may look, nobody can change
 * anything: no login, no user. It neither calls home nor fetches plugins.
 */
function grafanaEnv(dir: string, port: number, prometheusPort: number): Record<string, string> {
  return {
    LBCTL_PROMETHEUS_URL: `http://127.0.0.1:${prometheusPort}`,
    LBCTL_DASHBOARDS: join(dir, "dashboards"),
    GF_SERVER_HTTP_ADDR: "127.0.0.1",
    GF_SERVER_HTTP_PORT: String(port),
    GF_SERVER_DOMAIN: "127.0.0.1",
    GF_SERVER_ENFORCE_DOMAIN: "true",
    GF_PATHS_DATA: join(dir, "data"),
    GF_PATHS_LOGS: join(dir, "data/log"),
    GF_PATHS_PLUGINS: join(dir, "plugins"),
    GF_PATHS_PROVISIONING: join(dir, "provisioning"),
    GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH: join(dir, "dashboards", `${FIRST_BOARD}.json`),
    GF_AUTH_ANONYMOUS_ENABLED: "true",
    GF_AUTH_ANONYMOUS_ORG_ROLE: "Viewer",
    GF_AUTH_DISABLE_LOGIN_FORM: "true",
    GF_AUTH_BASIC_ENABLED: "false",
    GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION: "true",
    GF_ANALYTICS_REPORTING_ENABLED: "false",
    GF_ANALYTICS_CHECK_FOR_UPDATES: "false",
    GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES: "false",
    GF_NEWS_NEWS_FEED_ENABLED: "false",
    GF_PLUGINS_PREINSTALL_DISABLED: "true",
    GF_SNAPSHOTS_EXTERNAL_ENABLED: "false",
    GF_LOG_MODE: "console",
    GF_LOG_CONSOLE_FORMAT: "json",
    GF_LOG_LEVEL: "warn",
  };
}

function digest(value: unknown): string {
  return createHash("sha256").update(JSON.stringify(value)).digest("hex").slice(0, 12);
}
