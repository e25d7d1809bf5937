/** Where Grafana and Prometheus of a cluster on hosts are looked at, and whether they answer from here. */
import { answers, PATHS } from "../monitoring-pages.ts";
import { USUAL_PORTS } from "../monitoring-ports.ts";
import type { Dashboard } from "../target.ts";
import { shellWord } from "../tools/format.ts";
import { forwardArgv } from "../tools/ssh.ts";
import { urlHost } from "../tools/url-host.ts";
import { accessOf, type Machines } from "./machines.ts";
import type { HostsWork } from "./work.ts";

const SERVICES = [
  { process: "grafana", name: "Grafana", port: USUAL_PORTS.grafana, unit: "grafana-server" },
  { process: "prometheus", name: "Prometheus", port: USUAL_PORTS.prometheus, unit: "prometheus" },
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

/** To the balancer's host, which may reach all that is on it. */
export function wayToPages({ machines, state, config }: HostsWork): string {
  const { balancer, monitoring, acceptNewHostKeys } = machines;
  const beside = SERVICES.filter(({ process }) => monitoring === balancer && machines[process] !== "none");
  const forwards = [
    { from: STATS_PORT, host: "127.0.0.1", port: config.ports.admin },
    ...beside.map(({ port }) => ({ from: port, host: "127.0.0.1", port })),
  ];
  return forwardArgv(accessOf(balancer, acceptNewHostKeys, state), forwards)
    .map(shellWord)
    .join(" ");
}

/** On this machine. */
const STATS_PORT = 1936;
