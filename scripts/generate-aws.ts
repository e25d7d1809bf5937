/** Draws docs/img/aws.svg from the stack that three nodes make, and writes the snapshot that a test compares with. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { awsSchema } from "../cli/aws/aws-config.ts";
import { stackSettings } from "../cli/aws/stack-settings.ts";
import type { ClusterConfig } from "../cli/cluster-config.ts";
import { drawStack } from "../infra/diagram.ts";
import { synthesize } from "../infra/synth.ts";
import { settings } from "../test/infra/stack.ts";

export const AWS_PICTURE = "docs/img/aws.svg";

/** Everything as it is where lbctl.yaml says no more than `target: aws`, but for one block of administrators. */
export function awsPicture(): string {
  const config = {
    name: "shop",
    nodes: 3,
    ports: { traffic: 80, admin: 1936, apps: 4567, prometheus: null, nodeExporter: null, grafana: null },
    aws: awsSchema.parse({ adminAddresses: ["192.0.2.0/24"] }),
  } satisfies Partial<ClusterConfig>;
  return drawStack(JSON.parse(synthesize(stackSettings(config, "ssh-ed25519 AAAA"))));
}

if (import.meta.main) {
  const root = join(import.meta.dirname, "..");
  writeFileSync(join(root, AWS_PICTURE), awsPicture());
  writeFileSync(join(root, "test/infra/three-nodes.tf.json"), synthesize(settings()));
}
