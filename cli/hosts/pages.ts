/** Where Grafana and Prometheus of a cluster on hosts are looked at, and whether they answer from here. */
import { answers, PATHS } from "../monitoring-pages.ts";
import type { Dashboard } from "../target.ts";
import { urlHost } from "../tools/url-host.ts";
import type { Machines } from "./machines.ts";

const SERVICES = [
  { process: "grafana", name: "Grafana", port: 3000, unit: "grafana-server" },
  { process: "prometheus", name: "Prometheus", port: 9090, unit: "prometheus" },
] as const;

/** Those that lbctl installs; asked directly, as a browser will. */
export function hostsDashboards(machines: Machines): Promise<readonly Dashboard[]> {
  const { balancer, monitoring, traffic } = machines;
  const host = urlHost(monitoring === balancer ? traffic : monitoring.address);
  const installed = SERVICES.filter(({ process }) => machines[process] !== "none");
  return Promise.all(
    installed.map(async ({ process, name, port, unit }) => {
      const url = `http://${host}:${port}`;
      const { shown, asked } = PATHS[process];
      const elsewhere = `is this address in adminAddresses? Else: systemctl status ${unit} on ${monitoring.name}`;
      return { name, process, url: url + shown, answers: await answers(url + asked), elsewhere };
    }),
  );
}
