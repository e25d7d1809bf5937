/** The balancer of a local cluster: asked by its admin API, told by a signal to its process. */
import { AdminClient } from "../admin-client.ts";
import * as waits from "../balancer-waits.ts";
import type { Cluster } from "../cluster.ts";
import { UserError } from "../errors.ts";
import { signal as send } from "../proc.ts";
import { logFile } from "../state.ts";
import { lastLines } from "../tools/log-lines.ts";
import { observe, runningProcess } from "./observed.ts";
import { BALANCER } from "./specs.ts";
import { keepsDying, processFailure } from "./supervision.ts";
import type { Work } from "./work.ts";

export function askedOf(work: Work, cluster: Cluster): waits.Asked {
  const { signal } = work;
  return {
    admin: new AdminClient(cluster, signal),
    signal,
    watch: () => throwIfDying(work),
    silence: () => silence(work),
  };
}

/** SIGHUP, then the balancer's own word for it. */
export async function reloadBalancer(work: Work, cluster: Cluster): Promise<void> {
  const asked = askedOf(work, cluster);
  const before = (await asked.admin.status()).reload?.at ?? 0;
  const process = runningProcess((await observe(work.state)).supervisor, BALANCER);
  if (!process || process.pid === null || process.startTime === null) return;
  send({ pid: process.pid, startTime: process.startTime }, "SIGHUP");
  await waits.untilReloaded(asked, before);
}

async function silence({ state }: Work): Promise<UserError> {
  const running = runningProcess((await observe(state)).supervisor, BALANCER);
  return new UserError(`expected the balancer to answer within ${waits.PATIENCE / 1000} s, got nothing`, {
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
