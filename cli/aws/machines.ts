/** Terraform's outputs as hosts: how SSH gets to each, and under which address the others know it. Pure. */
import type { ClusterConfig } from "../cluster-config.ts";
import { accessOf, type Machine, type Machines } from "../hosts/machines.ts";
import type { StatePaths } from "../state.ts";
import { throughArgs } from "../tools/ssh.ts";
import { type Place, placeFlags } from "./cli-flags.ts";
import type { Outputs } from "./outputs.ts";
import { sessionError, stepsToMachine } from "./session-errors.ts";
import { keyFile } from "./workspace.ts";

/** The user of Debian's images. */
const USER = "admin";
/** Of a machine that was just made nobody knows the key. */
const ACCEPT_NEW = true;

interface Ids {
  readonly instance_id: string;
  readonly private_ip: string;
}

export function toMachines(
  { aws }: ClusterConfig,
  { balancer: front, nodes }: Outputs,
  state: StatePaths,
): Machines {
  const ssm = aws.access === "ssm";
  const place = { region: aws.region, profile: aws.profile };
  const machine = (
    name: string,
    { instance_id, private_ip }: Ids,
    way: Pick<Machine, "address" | "sshArgs">,
  ): Machine => ({
    name,
    // An address may come again, with another machine behind it.
    identity: instance_id,
    inside: private_ip,
    user: USER,
    port: 22,
    key: keyFile(state),
    whenUnreachable: stepsToMachine({ id: instance_id, ...place }),
    ...(ssm ? { explain: (said) => sessionError(said, { name, id: instance_id, ...place }) } : {}),
    ...way,
  });
  const bySession = ({ instance_id }: Ids) => ({
    address: instance_id,
    sshArgs: bySessionManager(place),
  });

  const bySsh = ({ instance_id }: Ids, address: string, gate: readonly string[]) => ({
    address,
    // The elastic address stays when the machine behind it does not: its host key is known by the machine.
    sshArgs: ["-o", `HostKeyAlias=${instance_id}`, ...gate],
  });
  const balancer = machine("balancer", front, ssm ? bySession(front) : bySsh(front, front.address, []));
  const gate = throughArgs(accessOf(balancer, ACCEPT_NEW, state));
  return {
    balancer,
    apps: nodes.map((node) =>
      machine(node.name, node, ssm ? bySession(node) : bySsh(node, node.private_ip, gate)),
    ),
    monitoring: balancer,
    traffic: front.address,
    acceptNewHostKeys: ACCEPT_NEW,
    adminAddresses: aws.adminAddresses,
    prometheus: aws.monitoring.prometheus,
    grafana: aws.monitoring.grafana,
    artifacts: null,
  };
}

/** SSH's bytes go through Session Manager: no open port, and who may is IAM's to say. %h is the instance's id. */
function bySessionManager(place: Place): string[] {
  const session = "aws ssm start-session --target %h --document-name AWS-StartSSHSession";
  const command = `${session} --parameters portNumber=%p${placeFlags(place)}`;
  return ["-o", `ProxyCommand=${command}`];
}
