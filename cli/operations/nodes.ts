import type { NodeStatus, ResyncStarted } from "../../proxy/api.ts";
import type { Cluster } from "../cluster.ts";
import { UserError } from "../errors.ts";
import { onRecord } from "./change.ts";
import { type ReachedCluster, reach } from "./reach.ts";

export interface NodeRequest {
  readonly config: string | undefined;
  readonly node: string;
  readonly signal: AbortSignal;
}

/** Finishes what is in flight, takes no reads. */
export async function drain(request: NodeRequest, force: boolean): Promise<NodeStatus> {
  await using reached = await find(request);
  const { config, admin } = reached;
  return await onRecord(config, `nodes drain ${request.node}${force ? " --force" : ""}`, () =>
    admin.drain(request.node, force),
  );
}

/** Back into the reads, through catching-up. */
export async function ready(request: NodeRequest, force: boolean): Promise<NodeStatus> {
  await using reached = await find(request);
  const { config, admin } = reached;
  return await onRecord(config, `nodes ready ${request.node}${force ? " --force" : ""}`, () =>
    admin.ready(request.node, force),
  );
}

export interface ResyncOptions {
  readonly from: string | undefined;
  readonly manual: boolean;
}

/** Gives the node the state of another one. */
export async function resync(request: NodeRequest, { from, manual }: ResyncOptions): Promise<ResyncStarted> {
  await using reached = await find(request);
  const { config, cluster, admin } = reached;
  if (from !== undefined) checkNode(cluster, from, "--from");
  const how = `${from === undefined ? "" : ` --from ${from}`}${manual ? " --manual" : ""}`;
  return await onRecord(config, `nodes resync ${request.node}${how}`, () =>
    admin.resync(request.node, { ...(from === undefined ? {} : { from }), ...(manual ? { manual } : {}) }),
  );
}

/** The operator's own copy is in place. */
export async function resyncDone(request: NodeRequest): Promise<NodeStatus> {
  await using reached = await find(request);
  const { config, admin } = reached;
  return await onRecord(config, `nodes resync ${request.node} --done`, () => admin.resyncDone(request.node));
}

async function find({ config, node, signal }: NodeRequest): Promise<ReachedCluster> {
  const reached = await reach(config, signal);
  try {
    checkNode(reached.cluster, node, "NAME");
    return reached;
  } catch (error) {
    await reached[Symbol.asyncDispose]();
    throw error;
  }
}

function checkNode(cluster: Cluster, node: string, what: string): void {
  const names = cluster.nodes.map(({ name }) => name);
  if (names.includes(node)) return;
  throw new UserError(`${what}: expected one of ${names.join(", ")}, got ${JSON.stringify(node)}`, {
    exitCode: 2,
    next: ["lbctl nodes list"],
  });
}
