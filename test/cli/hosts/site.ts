/** A cluster on hosts as tests of pure parts need it. */
import { awsSchema } from "../../../cli/aws/aws-config.ts";
import type { ClusterConfig } from "../../../cli/cluster-config.ts";
import { listedMachines } from "../../../cli/hosts/machines.ts";
import { emptyRecord, type HostsRecord } from "../../../cli/hosts/record.ts";
import type { HostEntry, HostsConfig } from "../../../cli/hosts-config.ts";
import { statePaths } from "../../../cli/state.ts";

export function entry(address: string): HostEntry {
  return { address, inside: null, user: null, port: null, key: null };
}

export function hostsConfig(changes: Partial<HostsConfig> = {}): HostsConfig {
  return {
    balancer: entry("10.0.0.10"),
    apps: ["10.0.0.11", "10.0.0.12", "10.0.0.13"].map(entry),
    ssh: { user: "admin", port: null, key: "keys/id", hostKeys: "known", jump: null },
    adminAddresses: ["192.0.2.7"],
    monitoring: { host: null, prometheus: "distribution", grafana: "none", artifacts: null },
    ...changes,
  };
}

export function clusterConfig(changes: Partial<ClusterConfig> = {}): ClusterConfig {
  return {
    file: "/work space/lbctl.yaml",
    dir: "/work space",
    name: "shop",
    target: "hosts",
    nodes: 2,
    monitoring: "auto",
    ports: { traffic: 80, admin: 1936, apps: 4567, prometheus: null, nodeExporter: null, grafana: null },
    admin: { user: "admin" },
    tls: null,
    hosts: hostsConfig(),
    app: { kind: "reference" },
    proxy: {},
    aws: awsSchema.parse({}),
    ...changes,
  };
}

export function hostsWork(config = clusterConfig()) {
  const state = statePaths(config.dir, config.name);
  return { config, state, machines: listedMachines(config), signal: new AbortController().signal };
}

export function recordWith(
  nodes: Readonly<Record<string, string>>,
  changes: Partial<HostsRecord> = {},
): HostsRecord {
  return {
    ...emptyRecord("shop"),
    target: "hosts",
    balancerUrl: "http://10.0.0.10",
    adminPort: 1936,
    adminUser: "admin",
    nodes: Object.entries(nodes).map(([name, address]) => ({
      name,
      address,
      url: `http://${address}:4567`,
      empty: true,
    })),
    ...changes,
  };
}
