/** What is kept of a cluster on hosts, in the state directory and on the balancer's host: that one is right. */
import type { Cluster } from "../cluster.ts";
import type { ClusterConfig, TargetName } from "../cluster-config.ts";
import { UserError } from "../errors.ts";
import { readJson, type StatePaths, statePaths } from "../state.ts";
import { otherTarget } from "../state-target.ts";

/** Names of the releases that run. */
export interface Releases {
  readonly proxy: string;
  /** Null: lbctl does not install the app. */
  readonly app: string | null;
}

export interface RecordedNode {
  readonly name: string;
  readonly url: string;
  /** The identity of its machine: another one is another node. */
  readonly address: string;
  /** It held nothing when it came in. */
  readonly empty: boolean;
}

export interface HostsRecord {
  readonly format: 1;
  readonly name: string;
  /** Tells it from another cluster of this name; from the first deploy on. Missing in older records. */
  readonly id?: string;
  readonly target: TargetName;
  readonly balancerUrl: string;
  readonly adminPort: number;
  readonly adminUser: string;
  /** What the balancer knows, or is about to be told. */
  readonly nodes: readonly RecordedNode[];
  /** Identities of machines: installed by lbctl, and not yet known to the balancer. */
  readonly entering: readonly string[];
  /** Likewise: of nodes that lbctl began to remove. */
  readonly leaving: readonly string[];
  /** Nodes that lbctl, and no operator, took out of the reads: to upgrade them, or because they were to leave. */
  readonly takenOut: readonly string[];
  /** A destroy began to delete data. Missing in older records. */
  readonly destroying?: boolean;
  /** Digest of all settings but nodes and releases, once a deploy with them was finished. */
  readonly settings: string | null;
  /** Null until the first deploy is finished. */
  readonly releases: Releases | null;
  /** What a deploy began to install and has not finished. */
  readonly installing: Releases | null;
  /** It is `lbctl rollback` that installs: run again it goes on, instead of back from there. Missing in older records. */
  readonly rollingBack?: boolean;
  /** What ran before `releases`. */
  readonly before: Releases | null;
  /** False: no node's answer came through the balancer at the end of the deploy of `releases`. Missing in older records. */
  readonly answered?: boolean;
}

export function sameReleases(a: Releases | null, b: Releases | null): boolean {
  return a !== null && b !== null && a.proxy === b.proxy && a.app === b.app;
}

/** As each of its hosts says whose it is; null: nothing was deployed yet. */
export function ownerOf({ name, id }: Pick<HostsRecord, "name" | "id">): string | null {
  return id === undefined ? null : `${name} ${id}`;
}

/** Of a cluster of which nothing is there yet. */
export function emptyRecord(
  name: string,
): Omit<HostsRecord, "balancerUrl" | "adminPort" | "adminUser" | "target"> {
  return {
    format: 1,
    name,
    nodes: [],
    entering: [],
    leaving: [],
    takenOut: [],
    settings: null,
    releases: null,
    installing: null,
    rollingBack: false,
    before: null,
  };
}

export function readRecord(state: StatePaths): Promise<HostsRecord | null> {
  return readJson<HostsRecord>(state.record);
}

/** @throws UserError where nothing is deployed */
export async function deployedRecord(config: ClusterConfig): Promise<HostsRecord> {
  const state = statePaths(config.dir, config.name);
  const record = await readRecord(state);
  if (record?.target === config.target) return record;
  if (record) throw otherTarget(config.name, state.dir, record.target, config.target);
  throw new UserError(`expected a deployed cluster "${config.name}", got none (no ${state.record})`, {
    code: "not_deployed",
    next: ["lbctl deploy"],
  });
}

/** The cluster as its record says. @param adminHost where the admin API is reached */
export function clusterOf(config: ClusterConfig, record: HostsRecord, adminHost: string): Cluster {
  const state = statePaths(config.dir, config.name);
  return {
    name: config.name,
    target: config.target,
    configFile: config.file,
    state,
    balancerUrl: record.balancerUrl,
    certificate: config.tls?.cert ?? null,
    adminUrl: `http://${adminHost}:${record.adminPort}`,
    adminUser: record.adminUser,
    adminPasswordFile: state.adminPassword,
    nodes: record.nodes.map(({ name, url }) => ({ name, url })),
  };
}
