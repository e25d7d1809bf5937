import type { HostsConfig } from "./hosts-config.ts";

/** The port that each is known by: where a local cluster begins to look for a free one, and what machines of its own use. */
export const USUAL_PORTS = { prometheus: 9090, nodeExporter: 9100, grafana: 3000 } as const;

/** Of the balancer's machine, for administrators: stats page and admin API, and the pages of what monitors. */
export function adminPortsOf(
  { prometheus, grafana }: Pick<HostsConfig["monitoring"], "prometheus" | "grafana">,
  admin: number,
): number[] {
  return [
    admin,
    ...(grafana === "none" ? [] : [USUAL_PORTS.grafana]),
    ...(prometheus === "none" ? [] : [USUAL_PORTS.prometheus]),
  ];
}
