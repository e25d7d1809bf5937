/** Nodes that leave a running cluster: drained, then removed, as many at a time as leave what writes wait for. */
import type { NodeStatus, Status } from "../proxy/api.ts";
import { type Asked, KEPT_OUT, nodesOf, PATIENCE } from "./balancer-waits.ts";
import { UserError } from "./errors.ts";
import { plural } from "./tools/format.ts";
import { waitFor } from "./wait.ts";

/** What is taken out in one go. */
export interface Departure {
  readonly nodes: readonly string[];
  /** False: until it is removed writes need it in-sync, so it can't be drained; what is in flight at it may end. */
  readonly drained: boolean;
}

/** A draining node is a member still, and counts for the majority that a write with `ack: quorum` waits for. */
export function neededInSync({ minInSync, routes }: Status, members: number): number {
  const quorum = routes.some(({ to, policy }) => to === "all" && policy === "quorum");
  return Math.max(1, minInSync, quorum ? Math.floor(members / 2) + 1 : 0);
}

/** @returns null: nobody may go before more nodes are in-sync */
export function nextDeparture(status: Status, leaving: readonly string[]): Departure | null {
  const { inSync, members } = status;
  const serves = ({ state }: NodeStatus) => state === "in-sync";
  const here = nodesOf(status, leaving);
  const [serving, idle] = [here.filter(serves).map(nameOf), here.filter((node) => !serves(node)).map(nameOf)];
  const spare = Math.max(0, inSync - neededInSync(status, members));
  const nodes = [...idle, ...serving.slice(Math.max(0, serving.length - spare))];
  if (nodes.length > 0) return { nodes, drained: true };
  const last = serving.at(-1);
  if (last === undefined || inSync - 1 < neededInSync(status, members - 1)) return null;
  return { nodes: [last], drained: false };
}

/** @param remove has the balancer forget these */
export async function takeOut(
  asked: Asked,
  leaving: readonly string[],
  remove: (nodes: readonly string[]) => Promise<void>,
  say: (detail: string) => void,
): Promise<void> {
  let left = leaving;
  while (left.length > 0) {
    const { nodes, drained } = await departure(asked, left);
    if (drained) await drain(asked, nodes, say);
    say(`removing ${nodes.join(", ")}`);
    await remove(nodes);
    left = left.filter((node) => !nodes.includes(node));
  }
}

async function departure({ admin, signal }: Asked, left: readonly string[]): Promise<Departure> {
  const next = await waitFor(async () => nextDeparture(await admin.status(), left), {
    signal,
    patience: PATIENCE,
  });
  if (next) return next;
  const { inSync } = await admin.status();
  throw new UserError(`expected more nodes in-sync before ${left.join(", ")} can go, got ${inSync}`, {
    next: ["lbctl status   # bring one of those that stay back first", "lbctl deploy   # goes on"],
  });
}

/**
 * Until no read is in flight. What is still open after that is cut: the balancer retries reads elsewhere. Writes
 * don't count: a draining node goes on getting them, and the others have them, too.
 */
export async function drain(
  { admin, signal }: Asked,
  nodes: readonly string[],
  say: (detail: string) => void,
): Promise<void> {
  for (const { name, state } of nodesOf(await admin.status(), nodes)) {
    if (!KEPT_OUT.has(state)) await admin.drain(name, false);
  }
  const reads = async () => {
    const counts = nodesOf(await admin.status(), nodes).map(({ inFlightReads }) => inFlightReads);
    return counts.reduce((sum, count) => sum + count, 0);
  };
  await waitFor(
    async () => {
      const open = await reads();
      say(`draining ${nodes.join(", ")}: ${plural(open, "read")} in flight`);
      return open === 0;
    },
    { signal, patience: PATIENCE },
  );
}

function nameOf({ name }: NodeStatus): string {
  return name;
}
