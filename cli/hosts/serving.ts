/** Whom the balancer serves before a deploy changes anything. */
import type { Status } from "../../proxy/api.ts";
import { Hung } from "../admin-errors.ts";
import { waitFor } from "../wait.ts";
import type { Deployment } from "./deployment.ts";

/** A moment in which no node is in-sync is no outage: they are looked at for a while. */
export async function serves(deployment: Deployment, status: Status | "hangs" | null): Promise<boolean> {
  if (status === "hangs") return true;
  if (status === null || status.inSync > 0) return status !== null;
  const { admin, signal } = await deployment.ask();
  const found = await waitFor(async () => ((await admin.statusIfUp())?.inSync ?? 0) > 0, {
    signal,
    patience: MOMENT,
  });
  return found !== null;
}

/** Longer than health checks take to find a node again, in ms. */
const MOMENT = 10_000;

/** @returns null where it serves nobody. A deployed one that hangs has too much to do, perhaps, and serves all the same. */
export async function lookAtBalancer(deployment: Deployment): Promise<Status | "hangs" | null> {
  const { nodes, releases } = deployment.record;
  if (nodes.length === 0) return null;
  try {
    return await deployment.statusUnlessHung();
  } catch (error) {
    if (error instanceof Hung) return releases === null ? null : "hangs";
    throw error;
  }
}
