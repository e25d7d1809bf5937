import { setTimeout as sleep } from "node:timers/promises";
import type { NodeStatus, Status } from "../../proxy/api.ts";
import { messageOf } from "../errors.ts";
import type { BenchAdmin } from "./options.ts";

export interface CatchUp {
  /** The last that the balancer said; null: nothing. */
  readonly status: Status | null;
  /** Nodes that did not reach the head in time, and why. */
  readonly behind: readonly string[];
}

const POLL_MS = 200;

/** Waits until every node has acked all that is in the journal. */
export async function waitForHead(
  admin: BenchAdmin,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<CatchUp> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const answer = await admin.status().catch(messageOf);
    const status = typeof answer === "string" ? null : answer;
    const behind =
      status === null ? [`the balancer's status could not be had: ${answer}`] : nodesBehind(status);
    // An operator's or a rule's decision: waiting doesn't end these.
    const idle = status !== null && status.writesOpen === 0;
    const hopeless = status?.nodes.every((node) => isThere(node, status) || isSetApart(node)) ?? false;
    if ((behind.length === 0 && idle) || hopeless || performance.now() > deadline) return { status, behind };
    await sleep(POLL_MS, undefined, { signal });
  }
}

function nodesBehind(status: Status): string[] {
  return status.nodes
    .filter((node) => !isThere(node, status))
    .map(({ name, state, cursor, reason }) => {
      const why = reason === null ? state : `${state}: ${reason}`;
      return `${name} is at ${cursor} of ${status.head} (${why})`;
    });
}

function isThere(node: NodeStatus, status: Status): boolean {
  return node.cursor >= status.head;
}

function isSetApart({ state }: NodeStatus): boolean {
  return state === "maint" || state === "quarantined";
}
