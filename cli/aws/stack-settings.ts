/** What lbctl.yaml says, as what infra/ makes machines of. Pure. */
import type { StackSettings } from "../../infra/settings.ts";
import { type ClusterConfig, DEFAULT_NODES } from "../cluster-config.ts";
import { nodeNames } from "../tools/proxy-config.ts";

/** Of a host: the same for every cluster, as each has machines of its own. */
export const HTTP_PORT = 80;
export const ADMIN_PORT = 1936;
export const APP_PORT = 4567;

export function stackSettings(config: ClusterConfig, publicKey: string): StackSettings {
  const { state, ...aws } = config.aws;
  return {
    ...aws,
    cluster: config.name,
    nodes: nodeNames(config.nodes ?? DEFAULT_NODES),
    trafficPorts: [HTTP_PORT],
    adminPort: ADMIN_PORT,
    appPort: APP_PORT,
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
