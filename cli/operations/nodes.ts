import type { NodeStatus, ResyncStarted } from "../../proxy/api.ts";
import { AdminClient } from "../admin-client.ts";
import { type Cluster, loadClusterOf } from "../cluster.ts";
import type { ClusterConfig } from "../cluster-config.ts";
import { loadClusterConfig } from "../config-file.ts";
import { UserError } from "../errors.ts";
import { onRecord } from "./change.ts";

export interface NodeRequest {
  readonly config: string | undefined;
  readonly node: string;
  readonly signal: AbortSignal;
}

/** Finishes what is in flight, takes no reads. */
export async function drain(request: NodeRequest, force: boolean): Promise<NodeStatus> {
  const { config, admin } = await find(request);
  return onRecord(config, `nodes drain ${request.node}${force ? " --force" : ""}`, () =>
    admin.drain(request.node, force),
  );
}

/** Back into the reads, through catching-up. */
export async function ready(request: NodeRequest, force: boolean): Promise<NodeStatus> {
  const { config, admin } = await find(request);
  return onRecord(config, `nodes ready ${request.node}${force ? " --force" : ""}`, () =>
    admin.ready(request.node, force),
  );
}

export interface ResyncOptions {
  readonly from: string | undefined;
  readonly manual: boolean;
}

/** Gives the node the state of another one. */
export async function resync(request: NodeRequest, { from, manual }: ResyncOptions): Promise<ResyncStarted> {
  const { config, cluster, admin } = await find(request);
  if (from !== undefined) checkNode(cluster, from, "--from");
  const how = `${from === undefined ? "" : ` --from ${from}`}${manual ? " --manual" : ""}`;
  return onRecord(config, `nodes resync ${request.node}${how}`, () =>
    admin.resync(request.node, { ...(from === undefined ? {} : { from }), ...(manual ? { manual } : {}) }),
  );
}

/** The operator's own copy is in place. */
export async function resyncDone(request: NodeRequest): Promise<NodeStatus> {
  const { config, admin } = await find(request);
  return onRecord(config, `nodes resync ${request.node} --done`, () => admin.resyncDone(request.node));
}

interface Found {
  readonly config: ClusterConfig;
  readonly cluster: Cluster;
  readonly admin: AdminClient;
}

async function find({ config: flag, node, signal }: NodeRequest): Promise<Found> {
  const config = await loadClusterConfig(flag);
  const cluster = await loadClusterOf(config);
  checkNode(cluster, node, "NAME");
  return { config, cluster, admin: new AdminClient(cluster, signal) };
}

function checkNode(cluster: Cluster, node: string, what: string): void {
  const names = cluster.nodes.map(({ name }) => name);
  if (names.includes(node)) return;
  throw new UserError(`${what}: expected one of ${names.join(", ")}, got ${JSON.stringify(node)}`, {
    exitCode: 2,
    next: ["lbctl nodes list"],
  });
}
