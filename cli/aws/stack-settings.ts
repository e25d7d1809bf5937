/** What lbctl.yaml says, as what infra/ makes machines of. Pure. */
import type { StackSettings } from "../../infra/settings.ts";
import { type ClusterConfig, DEFAULT_NODES } from "../cluster-config.ts";
import { USUAL_PORTS } from "../monitoring-ports.ts";
import { nodeNames } from "../tools/proxy-config.ts";

export function stackSettings(
  config: Pick<ClusterConfig, "name" | "nodes" | "ports" | "aws">,
  publicKey: string,
): StackSettings {
  const { state, monitoring, ...aws } = config.aws;
  const { traffic, admin, apps } = config.ports;
  const [prometheus, grafana] = [monitoring.prometheus !== "none", monitoring.grafana !== "none"];
  return {
    ...aws,
    cluster: config.name,
    nodes: nodeNames(config.nodes ?? DEFAULT_NODES),
    trafficPorts: [traffic],
    adminPorts: [
      admin,
      ...(grafana ? [USUAL_PORTS.grafana] : []),
      ...(prometheus ? [USUAL_PORTS.prometheus] : []),
    ],
    nodePorts: [apps, ...(prometheus ? [USUAL_PORTS.nodeExporter] : [])],
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
