/** What the steps of a deploy to hosts work on. */
import type { Machine } from "./machines.ts";
import type { NodeBinary } from "./node-binaries.ts";
import type { Facts } from "./probe.ts";
import type { Release } from "./releases.ts";
import type { HostsWork } from "./work.ts";

/** What is to be where. */
export interface Site extends HostsWork {
  /** app1 … as many as are wanted. */
  readonly apps: readonly Machine[];
  readonly release: Release;
  /** What its hosts are told of whose they are. */
  readonly owner: string | null;
  readonly facts: readonly Facts[];
  readonly nodeBinaries: Readonly<Record<string, NodeBinary>>;
  /** What Ansible finds out about the hosts, for this command. */
  readonly factsFolder: string;
  /** Ansible's inventory file. */
  readonly inventory: string;
  /** ansible-playbook */
  readonly ansible: string;
  /** Shows Ansible's output. */
  readonly verbose: boolean;
}
