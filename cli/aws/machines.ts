/** Terraform's outputs as hosts: how SSH gets to each, and under which address the others know it. */
import { join } from "node:path";
import type { ClusterConfig } from "../cluster-config.ts";
import { UserError } from "../errors.ts";
import type { Machine, Machines } from "../hosts/machines.ts";
import { readJson, type StatePaths, statePaths, writeJson } from "../state.ts";
import { shellWord } from "../tools/format.ts";
import { nodeNames } from "../tools/proxy-config.ts";
import type { Outputs } from "./outputs.ts";
import { keyFile, terraformDir } from "./workspace.ts";

/** The user of Debian's images. */
export const USER = "admin";

/** Kept beside the state, so that status and logs ask neither Terraform nor AWS. */
export function outputsFile(state: StatePaths): string {
  return join(terraformDir(state), "outputs.json");
}

export async function keepOutputs(state: StatePaths, outputs: Outputs): Promise<void> {
  await writeJson(outputsFile(state), outputs);
}

/** @returns null where no machine has been made, as far as is known here */
export async function keptOutputs(state: StatePaths): Promise<Outputs | null> {
  return readJson<Outputs>(outputsFile(state));
}

/** @throws UserError where nothing is deployed */
export async function machinesOf(config: ClusterConfig): Promise<Machines> {
  const state = statePaths(config.dir, config.name);
  const outputs = await keptOutputs(state);
  if (outputs) return toMachines(config, outputs, keyFile(state));
  throw new UserError(`expected a deployed cluster "${config.name}", got no machines`, {
    code: "not_deployed",
    next: ["lbctl deploy"],
  });
}

/** Those of the nodes that are wanted. */
export function toMachines(config: ClusterConfig, outputs: Outputs, key: string): Machines {
  const wanted = config.nodes === null ? null : new Set(nodeNames(config.nodes));
  const nodes = outputs.nodes.filter(({ name }) => wanted === null || wanted.has(name));
  const { access } = config.aws;
  const gate = outputs.balancer;
  const machine = (
    name: string,
    { instance_id, private_ip }: { instance_id: string; private_ip: string },
  ): Machine => ({
    name,
    address: access === "ssm" ? instance_id : name === "balancer" ? gate.address : private_ip,
    inside: private_ip,
    user: USER,
    port: 22,
    key,
    sshArgs:
      access === "ssm" ? bySessionManager(config) : name === "balancer" ? [] : through(gate.address, key),
  });
  const balancer = machine("balancer", gate);
  return {
    balancer,
    apps: nodes.map((node) => machine(node.name, node)),
    monitoring: balancer,
    traffic: gate.address,
  };
}

/** SSH's bytes go through Session Manager: no open port, and who may is IAM's to say. %h is the instance's id. */
function bySessionManager({ aws: { region, profile } }: ClusterConfig): string[] {
  const command = [
    "aws ssm start-session --target %h --document-name AWS-StartSSHSession --parameters portNumber=%p",
    `--region ${region}`,
    ...(profile === null ? [] : [`--profile ${shellWord(profile)}`]),
  ].join(" ");
  return ["-o", `ProxyCommand=${command}`];
}

/** Nodes have no public address: on from the balancer, where no key is left. */
function through(gate: string, key: string): string[] {
  return [
    "-o",
    `ProxyCommand=ssh -i ${shellWord(key)} -o StrictHostKeyChecking=accept-new -W %h:%p ${USER}@${gate}`,
  ];
}
