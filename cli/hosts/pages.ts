/** Where Grafana and Prometheus of a cluster on hosts are looked at, and whether they answer from here. */
import type { Dashboard } from "../target.ts";
import type { Machines } from "./machines.ts";

/** How long one is waited for, in ms: the packet filter drops what it does not let in. */
const ANSWER_WITHIN = 2000;

const PAGES = [
  {
    process: "grafana",
    name: "Grafana",
    port: 3000,
    unit: "grafana-server",
    shown: "/d/lbctl-overview",
    asked: "/api/health",
  },
  {
    process: "prometheus",
    name: "Prometheus",
    port: 9090,
    unit: "prometheus",
    shown: "/alerts",
    asked: "/-/ready",
  },
] as const;

/** Those that lbctl installs; asked directly, as a browser will. */
export function hostsDashboards(machines: Machines): Promise<readonly Dashboard[]> {
  const { balancer, monitoring, traffic } = machines;
  const host = monitoring === balancer ? traffic : monitoring.address;
  const installed = PAGES.filter(({ process }) => machines[process] !== "none");
  return Promise.all(
    installed.map(async ({ process, name, port, unit, shown, asked }) => {
      const url = `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
      const elsewhere = `is this address in adminAddresses? Else: systemctl status ${unit} on ${monitoring.name}`;
      return { name, process, url: url + shown, answers: await answers(url + asked), elsewhere };
    }),
  );
}

async function answers(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(ANSWER_WITHIN) });
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false;
  }
}
