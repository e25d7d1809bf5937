/** What runs beside a local cluster and watches it, where it is installed. Nothing of it may ever hold up the cluster. */

/** Names of programs, of their processes, and of what they are called in lbctl.yaml's `ports`. Grafana comes last. */
export const MONITORING = ["prometheus", "nodeExporter", "grafana"] as const;
export type MonitoringName = (typeof MONITORING)[number];

/** As people know them. */
export const TITLES: Readonly<Record<MonitoringName, string>> = {
  prometheus: "Prometheus",
  nodeExporter: "node_exporter",
  grafana: "Grafana",
};

/** Those that people look at, and that are waited for; Grafana first: that is the one to look at. */
export const WITH_PAGE = ["grafana", "prometheus"] as const;

/** @param process its name */
export function isMonitoring(process: string): process is MonitoringName {
  return MONITORING.some((name) => name === process);
}
