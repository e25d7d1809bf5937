/** The machines of a cluster: from lbctl.yaml, or from what made them. */
import { homedir } from "node:os";
import { join } from "node:path";
import type { ClusterConfig } from "../cluster-config.ts";
import { UserError } from "../errors.ts";
import { fileBeside } from "../file-beside.ts";
import type { HostEntry, HostsConfig } from "../hosts-config.ts";
import type { StatePaths } from "../state.ts";
import { nodeNames } from "../tools/proxy-config.ts";
import type { SshAccess } from "../tools/ssh.ts";

export interface Machine {
  /** In inventory, messages and output: `balancer`, `app1`, `monitoring`. */
  readonly name: string;
  /** Where ssh reaches it. */
  readonly address: string;
  /** Tells it from another machine that takes its place. */
  readonly identity: string;
  /** Where the other machines reach it. */
  readonly inside: string;
  readonly user: string | null;
  readonly port: number | null;
  /** Private key file, absolute. */
  readonly key: string | null;
  /** More options of ssh: a jump host, a proxy command. */
  readonly sshArgs: readonly string[];
  /** What a tool on the way there says in its own words, as an error; null where it is ssh that speaks. */
  readonly explain?: (said: string) => UserError | null;
  /** What to do about one that can't be reached, beside trying ssh. */
  readonly whenUnreachable?: readonly string[];
}

export interface Machines {
  readonly balancer: Machine;
  /** app1, app2 … in this order: as many as there are to choose from. */
  readonly apps: readonly Machine[];
  /** The balancer's own, or another. */
  readonly monitoring: Machine;
  /** Host of the URL that clients use. */
  readonly traffic: string;
  /** Takes the key that an unknown host shows. */
  readonly acceptNewHostKeys: boolean;
  readonly adminAddresses: readonly string[];
  readonly prometheus: "distribution" | "artifacts" | "none";
  readonly grafana: "vendor" | "artifacts" | "none";
  /** Folder with packages, absolute. */
  readonly artifacts: string | null;
}

/** Those that `hosts:` lists. */
export function listedMachines({ hosts, dir }: ClusterConfig): Machines {
  if (!hosts) throw new Error("expected a config with the section hosts, got one without");
  const machine = (name: string, entry: HostEntry) => machineOf(name, entry, hosts, dir);
  const { monitoring } = hosts;
  const balancer = machine("balancer", hosts.balancer);
  return {
    balancer,
    apps: hosts.apps.map((entry, index) => machine(`app${index + 1}`, entry)),
    monitoring: monitoring.host ? machine("monitoring", monitoring.host) : balancer,
    traffic: balancer.address,
    acceptNewHostKeys: hosts.ssh.hostKeys === "accept-new",
    adminAddresses: hosts.adminAddresses,
    prometheus: monitoring.prometheus,
    grafana: monitoring.grafana,
    artifacts: monitoring.artifacts === null ? null : fileBeside(dir, monitoring.artifacts),
  };
}

function machineOf(name: string, entry: HostEntry, { ssh }: HostsConfig, dir: string): Machine {
  const key = entry.key ?? ssh.key;
  return {
    name,
    address: entry.address,
    identity: entry.address,
    inside: entry.inside ?? entry.address,
    user: entry.user ?? ssh.user,
    port: entry.port ?? ssh.port,
    key: key === null ? null : fileBeside(dir, key),
    sshArgs: ssh.jump === null ? [] : ["-J", ssh.jump],
  };
}

/** @throws UserError saying what is missing where there are fewer machines than nodes wanted */
export function machinesFor(machines: Machines, nodes: number): readonly Machine[] {
  if (machines.apps.length >= nodes) return machines.apps.slice(0, nodes);
  const missing = nodeNames(nodes).slice(machines.apps.length);
  throw new UserError(
    `expected ${nodes} hosts for app servers, got ${machines.apps.length}: none for ${missing.join(", ")}`,
    {
      code: "too_few_hosts",
      next: [
        `list ${missing.length} more in hosts/apps of lbctl.yaml, then do it again: nothing has changed`,
      ],
    },
  );
}

export function accessOf(machine: Machine, acceptNew: boolean, state: StatePaths): SshAccess {
  const { address, user, port, key, sshArgs } = machine;
  const own = process.env.HOME ?? homedir();
  const knownHosts = [join(state.dir, "known_hosts"), join(own, ".ssh", "known_hosts")];
  return { address, user, port, key, knownHosts, acceptNew, args: sshArgs };
}

/** Each once: a machine may have two roles. */
export function allMachines(machines: Machines, apps: readonly Machine[]): Machine[] {
  return [...new Set([machines.balancer, ...apps, machines.monitoring])];
}
