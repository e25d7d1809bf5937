/** What this machine has for watching a local cluster, and how to get the rest. */
import { type ClusterConfig, CONFIG_FILE } from "../../cluster-config.ts";
import type { Finding } from "../../target.ts";
import { MONITORING, type MonitoringName, TITLES } from "./names.ts";
import { findProgram, isExecutable, type MonitoringProgram } from "./programs.ts";

/** Prometheus and node_exporter are in Debian and Ubuntu; Grafana is nowhere but at its maker's. */
const APT: Readonly<Record<MonitoringName, string>> = {
  prometheus:
    "sudo apt-get install prometheus   # its own service needs not run: sudo systemctl disable --now prometheus",
  nodeExporter: "sudo apt-get install prometheus-node-exporter",
  grafana:
    "its maker's apt repository, in four lines: https://grafana.com/docs/grafana/latest/setup-grafana/installation/debian/",
};

const ELSEWHERE: Readonly<Record<MonitoringName, string>> = {
  prometheus: "https://prometheus.io/download/ (put `prometheus` on the PATH)",
  nodeExporter: "https://prometheus.io/download/#node_exporter (put `node_exporter` on the PATH)",
  grafana: "https://grafana.com/grafana/download (unpack it, and put its `bin` on the PATH)",
};

/** None where it is switched off. */
export function monitoringFindings(
  { monitoring }: Pick<ClusterConfig, "monitoring">,
  find: (name: MonitoringName) => MonitoringProgram | null = findProgram,
): readonly Finding[] {
  if (monitoring === "off") return [];
  const where = isExecutable("/usr/bin/apt-get") ? APT : ELSEWHERE;
  return MONITORING.map((name) => {
    const program = find(name);
    return {
      check: TITLES[name],
      ok: program !== null,
      found: program?.executable ?? "not installed; the stats page shows the cluster without it",
      mend: program ? "" : `${where[name]}; then: lbctl deploy (or monitoring: off in ${CONFIG_FILE})`,
      optional: true,
    };
  });
}
