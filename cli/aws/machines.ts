/** Terraform's outputs as hosts: how SSH gets to each, and under which address the others know it. Pure. */
import type { ClusterConfig } from "../cluster-config.ts";
import type { Machine, Machines } from "../hosts/machines.ts";
import { shellWord } from "../tools/format.ts";
import type { Outputs } from "./outputs.ts";

/** The user of Debian's images. */
const USER = "admin";

interface Ids {
  readonly instance_id: string;
  readonly private_ip: string;
}

/** @param key private key file, absolute */
export function toMachines(
  { aws }: ClusterConfig,
  { balancer: front, nodes }: Outputs,
  key: string,
): Machines {
  const machine = (
    name: string,
    { instance_id, private_ip }: Ids,
    way: Pick<Machine, "address" | "sshArgs">,
  ) => ({
    name,
    inside: private_ip,
    user: USER,
    port: 22,
    key,
    // A machine that takes another's place is another host to SSH, and its key a new one.
    ...(aws.access === "ssm"
      ? { address: instance_id, sshArgs: bySessionManager(aws.region, aws.profile) }
      : way),
  });
  const balancer = machine("balancer", front, { address: front.address, sshArgs: [] });
  return {
    balancer,
    apps: nodes.map((node) =>
      machine(node.name, node, { address: node.private_ip, sshArgs: through(front.address, key) }),
    ),
    monitoring: balancer,
    traffic: front.address,
    acceptNewHostKeys: true,
    adminAddresses: aws.adminAddresses,
    prometheus: aws.monitoring.prometheus,
    grafana: aws.monitoring.grafana,
    artifacts: null,
  };
}

/** SSH's bytes go through Session Manager: no open port, and who may is IAM's to say. %h is the instance's id. */
function bySessionManager(region: string, profile: string | null): string[] {
  const command = [
    "aws ssm start-session --target %h --document-name AWS-StartSSHSession --parameters portNumber=%p",
    `--region ${region}`,
    ...(profile === null ? [] : [`--profile ${shellWord(profile)}`]),
  ].join(" ");
  return ["-o", `ProxyCommand=${command}`];
}

/** Nodes have no public address: on from the balancer, where no key is left. */
function through(gate: string, key: string): string[] {
  const command = `ssh -i ${shellWord(key)} -o BatchMode=yes -o StrictHostKeyChecking=accept-new -W %h:%p ${USER}@${gate}`;
  return ["-o", `ProxyCommand=${command}`];
}
