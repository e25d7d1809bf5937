/** Asking the running balancer for something, and waiting until it is so. */
import type { NodeState, NodeStatus, Status } from "../../proxy/api.ts";
import { AdminClient } from "../admin-client.ts";
import { type Cluster, loadClusterOf } from "../cluster.ts";
import { UserError } from "../errors.ts";
import { signal as send } from "../proc.ts";
import { logFile } from "../state.ts";
import { count, plural } from "../tools/format.ts";
import { lastLines } from "../tools/log-lines.ts";
import { waitFor } from "../wait.ts";
import { observe, runningProcess } from "./observed.ts";
import { BALANCER } from "./specs.ts";
import { keepsDying, processFailure } from "./supervision.ts";
import type { Work } from "./work.ts";

/** Without progress, in ms. */
export const PATIENCE = 30_000;

/** An operator, or a rule, keeps the node out; it isn't waited for. */
export const KEPT_OUT: ReadonlySet<NodeState> = new Set(["draining", "maint", "quarantined"]);

/** Ready: at least `minInSync` nodes are in-sync. */
export async function untilReady(work: Work, cluster: Cluster): Promise<void> {
  const admin = new AdminClient(cluster, work.signal);
  let last: Status | null = null;
  const ready = await waitFor(
    async (progress) => {
      await throwIfDying(work);
      last = await admin.statusIfUp();
      if (last?.nodes.some(({ state }) => state === "catching-up")) progress();
      return last !== null && (await admin.isReady());
    },
    { signal: work.signal, patience: PATIENCE },
  );
  if (!ready) throw last ? tooFew(last) : await silence(work);
}

function tooFew({ minInSync, inSync, nodes }: Status): UserError {
  const wanted = plural(minInSync, "node");
  return new UserError(`expected ${wanted} in-sync within ${PATIENCE / 1000} s, got ${inSync}`, {
    problems: nodes.map(described),
    next: ["lbctl status", "lbctl logs balancer"],
  });
}

async function silence({ state }: Work): Promise<UserError> {
  const running = runningProcess((await observe(state)).supervisor, BALANCER);
  return new UserError(`expected the balancer to answer within ${PATIENCE / 1000} s, got nothing`, {
    problems: await lastLines(logFile(state, BALANCER), 10),
    next: [
      "lbctl logs balancer   # what it did last",
      ...(running ? [`kill -9 ${running.pid}   # it is started anew, and nothing is lost`] : []),
      "lbctl deploy   # waits once more",
    ],
  });
}

async function throwIfDying({ state }: Work): Promise<void> {
  const dying = (await observe(state)).supervisor?.processes.find(keepsDying);
  if (dying) throw await processFailure(state, dying);
}

/** Waits for those that nobody keeps out, for as long as they move on. */
export async function untilInSync(
  work: Work,
  nodes: readonly string[],
  say: (detail: string) => void,
): Promise<void> {
  const admin = new AdminClient(await loadClusterOf(work.config), work.signal);
  let last = "";
  const done = await waitFor(
    async (progress) => {
      await throwIfDying(work);
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
    { signal: work.signal, patience: PATIENCE },
  );
  if (done) return;
  const status = await admin.statusIfUp();
  const late = nodesOf(status, nodes).filter(({ state }) => state !== "in-sync");
  throw new UserError(`expected ${nodes.join(", ")} in-sync, got no progress for ${PATIENCE / 1000} s`, {
    problems: late.map(described),
    next: [
      "lbctl status",
      ...late.map(({ name }) => `lbctl logs ${name}`),
      "lbctl deploy   # goes on waiting",
    ],
  });
}

/** SIGHUP, then the balancer's own word for it. */
export async function reloadBalancer(work: Work, cluster: Cluster): Promise<void> {
  const admin = new AdminClient(cluster, work.signal);
  const before = (await admin.status()).reload?.at ?? 0;
  const process = runningProcess((await observe(work.state)).supervisor, BALANCER);
  if (!process || process.pid === null || process.startTime === null) return;
  send({ pid: process.pid, startTime: process.startTime }, "SIGHUP");
  const reload = await waitFor(
    async () => {
      const status = await admin.statusIfUp();
      return status?.reload && status.reload.at > before ? status.reload : null;
    },
    { signal: work.signal, patience: PATIENCE },
  );
  if (reload?.ok) return;
  throw new UserError(
    "expected the balancer to take its new config, got a refusal; it goes on with the old one",
    {
      problems: reload?.problems ?? ["no answer to SIGHUP"],
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
