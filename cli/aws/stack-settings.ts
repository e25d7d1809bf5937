/** What lbctl.yaml says, as what infra/ makes machines of. Pure. */
import type { StackSettings } from "../../infra/settings.ts";
import { type ClusterConfig, DEFAULT_NODES } from "../cluster-config.ts";
import { nodeNames } from "../tools/proxy-config.ts";

/** Of the pages that the monitoring host shows to administrators: Grafana, Prometheus, Alertmanager. */
const PAGES = [3000, 9090, 9093];

export function stackSettings(
  config: Pick<ClusterConfig, "name" | "nodes" | "ports" | "aws">,
  publicKey: string,
): StackSettings {
  const { state, monitoring: _, ...aws } = config.aws;
  const { traffic, admin, apps } = config.ports;
  return {
    ...aws,
    cluster: config.name,
    nodes: nodeNames(config.nodes ?? DEFAULT_NODES),
    trafficPorts: [traffic],
    adminPorts: [admin, ...PAGES],
    appPort: apps,
    publicKey,
    state:
      state.backend === "local"
        ? state
        : {
            backend: "s3",
            bucket: state.bucket,
            key: state.key ?? `lbctl/${config.name}/terraform.tfstate`,
            region: state.region ?? aws.region,
          },
  };
}
