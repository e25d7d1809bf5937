/** Waiting for the running balancer until something is so, for as long as it moves on; every target does. */
import type { NodeState, NodeStatus, ReloadStatus, Status } from "../proxy/api.ts";
import type { AdminClient } from "./admin-client.ts";
import { UserError } from "./errors.ts";
import { count, plural } from "./tools/format.ts";
import { waitFor } from "./wait.ts";

/** Without progress, in ms. */
export const PATIENCE = 30_000;

/** An operator, or a rule, keeps the node out; it isn't waited for. */
export const KEPT_OUT: ReadonlySet<NodeState> = new Set(["draining", "maint", "quarantined"]);

/** The balancer that is asked, and what its target knows besides. */
export interface Asked {
  readonly admin: AdminClient;
  readonly signal: AbortSignal;
  /** Throws where waiting is of no use: a process keeps dying. */
  readonly watch: () => Promise<void>;
  /** What to say when the balancer gives no answer. */
  readonly silence: () => Promise<UserError>;
}

/** Ready: at least `minInSync` nodes are in-sync. */
export async function untilReady({ admin, signal, watch, silence }: Asked): Promise<void> {
  let last: Status | null = null;
  const ready = await waitFor(
    async (progress) => {
      await watch();
      last = await admin.statusIfUp();
      if (last?.nodes.some(({ state }) => state === "catching-up")) progress();
      return last !== null && (await admin.isReady());
    },
    { signal, patience: PATIENCE },
  );
  if (!ready) throw last ? tooFew(last) : await silence();
}

function tooFew({ minInSync, inSync, nodes }: Status): UserError {
  const wanted = plural(minInSync, "node");
  return new UserError(`expected ${wanted} in-sync within ${PATIENCE / 1000} s, got ${inSync}`, {
    problems: nodes.map(described),
    next: ["lbctl status", "lbctl logs balancer"],
  });
}

/** Waits for those that nobody keeps out, for as long as they move on. */
export async function untilInSync(
  { admin, signal, watch }: Asked,
  nodes: readonly string[],
  say: (detail: string) => void,
): Promise<void> {
  let last = "";
  const done = await waitFor(
    async (progress) => {
      await watch();
      const status = await admin.statusIfUp();
      if (!status) return null;
      const waiting = nodesOf(status, nodes).filter(
        ({ state }) => state !== "in-sync" && !KEPT_OUT.has(state),
      );
      const now = waiting.map(({ name, state, cursor }) => `${name} ${state} ${cursor}`).join();
      if (now !== last) progress();
      last = now;
      say(waiting.map(shortly).join(", "));
      return waiting.length === 0 && nodesOf(status, nodes).length === nodes.length;
    },
    { signal, patience: PATIENCE },
  );
  if (!done) throw late(nodes, await admin.statusIfUp());
}

function late(nodes: readonly string[], status: Status | null): UserError {
  const out = nodesOf(status, nodes).filter(({ state }) => state !== "in-sync");
  return new UserError(`expected ${nodes.join(", ")} in-sync, got no progress for ${PATIENCE / 1000} s`, {
    problems: out.map(described),
    next: [
      "lbctl status",
      ...out.map(({ name }) => `lbctl logs ${name}`),
      "lbctl deploy   # goes on waiting",
    ],
  });
}

/** After SIGHUP: the balancer's own word for it. @param before `at` of the reload before, 0 where there was none */
export async function untilReloaded({ admin, signal }: Asked, before: number): Promise<void> {
  const reload = await waitFor<ReloadStatus>(
    async () => {
      const status = await admin.statusIfUp();
      return status?.reload && status.reload.at > before ? status.reload : null;
    },
    { signal, patience: PATIENCE },
  );
  if (!reload?.ok) throw reloadRefused(reload?.problems ?? ["no answer to SIGHUP"]);
}

export function reloadRefused(problems: readonly string[]): UserError {
  return new UserError(
    "expected the balancer to take its new config, got a refusal; it goes on with the old one",
    {
      code: "config_refused",
      problems,
      next: ["correct lbctl.yaml, then: lbctl deploy", "lbctl logs balancer"],
    },
  );
}

export function nodesOf(status: Status | null, names: readonly string[]): NodeStatus[] {
  return (status?.nodes ?? []).filter(({ name }) => names.includes(name));
}

function shortly({ name, state, lag }: NodeStatus): string {
  return lag > 0 ? `${name} ${state}, ${count(lag)} behind` : `${name} ${state}`;
}

export function described(node: NodeStatus): string {
  const why = node.reason ?? node.lastCheck?.detail ?? node.bootstrap;
  return why ? `${shortly(node)}: ${why}` : shortly(node);
}
