/**
 * Another release, or other settings, for nodes that serve: one at a time, each out of the reads before and in-sync
 * after. One that does not come back stops the roll, with the rest still serving.
 */
import type { NodeStatus } from "../../proxy/api.ts";
import { type Asked, described, KEPT_OUT, nodesOf, PATIENCE, untilInSync } from "../balancer-waits.ts";
import { UserError } from "../errors.ts";
import { drain, neededInSync } from "../removal.ts";
import type { Step, Ui } from "../ui.ts";
import { waitFor } from "../wait.ts";
import type { Deployment } from "./deployment.ts";
import type { Machine } from "./machines.ts";

/** Compares first: a node that has all already is left alone. */
export async function rollSteps(
  deployment: Deployment,
  staying: readonly Machine[],
  ui: Ui,
): Promise<readonly Step[]> {
  if (staying.length === 0) return [];
  let outdated = new Set<string>();
  await ui.steps([
    {
      title: `Compare ${staying.map(({ name }) => name).join(", ")}`,
      run: async (say) => {
        const limit = staying.map(({ name }) => name);
        const variables = { lb_app_serial: limit.length };
        const changes = await deployment.play({ playbook: "apps", check: true, limit, variables, say });
        outdated = new Set(changes.map(({ host }) => host));
      },
    },
  ]);
  const { takenOut } = deployment.record;
  const { admin } = await deployment.ask();
  const status = await admin.statusIfUp();
  // Those that serve nobody first: they may be what the others have to wait for.
  const isServing = ({ name }: Machine) => nodesOf(status, [name])[0]?.state === "in-sync";
  return staying
    .toSorted((a, b) => Number(isServing(a)) - Number(isServing(b)))
    .filter(({ name }) => outdated.has(name) || takenOut.includes(name))
    .map(({ name }) => ({
      title: outdated.has(name) ? `Upgrade ${name}` : `Bring ${name} back`,
      run: (say) => roll(deployment, name, staying.length, say),
    }));
}

async function roll(
  deployment: Deployment,
  node: string,
  nodes: number,
  say: (detail: string) => void,
): Promise<void> {
  const asked = await deployment.ask();
  const ours =
    deployment.record.takenOut.includes(node) || (await takeOut(deployment, asked, node, nodes, say));
  try {
    await deployment.play({ playbook: "apps", limit: [node], say });
    if (ours) await bringBack(asked, node, say);
    else await untilInSync(asked, [node], say);
  } catch (error) {
    deployment.site.signal.throwIfAborted();
    throw error instanceof UserError ? notBack(node, error) : error;
  }
  await deployment.save({ takenOut: deployment.record.takenOut.filter((name) => name !== node) });
}

/** @returns false where it isn't ours to bring back: it served nobody, is alone, or an operator keeps it out */
async function takeOut(
  deployment: Deployment,
  asked: Asked,
  node: string,
  nodes: number,
  say: (detail: string) => void,
): Promise<boolean> {
  const status = await asked.admin.status();
  const [found] = nodesOf(status, [node]);
  if (!found || found.state === "down" || KEPT_OUT.has(found.state) || nodes === 1) return false;
  await untilSpare(asked, node, say);
  await deployment.save({ takenOut: [...deployment.record.takenOut, node] });
  await drain(asked, [node], say);
  return true;
}

/** The others must be enough for writes. */
async function untilSpare(
  { admin, signal }: Asked,
  node: string,
  say: (detail: string) => void,
): Promise<void> {
  const spare = await waitFor(
    async () => {
      const status = await admin.status();
      const others = status.nodes.filter(({ name, state }) => name !== node && state === "in-sync");
      const needed = neededInSync(status, status.members);
      say(`${others.length} of the others in-sync, ${needed} needed`);
      return others.length >= needed;
    },
    { signal, patience: PATIENCE },
  );
  if (spare) return;
  throw new UserError(`expected enough other nodes in-sync before ${node} is upgraded, got too few`, {
    code: "too_few_in_sync",
    next: ["lbctl status   # bring the others back first", "lbctl deploy   # goes on"],
  });
}

/** Healthy, caught up as far as it goes while it is out, back, in-sync. */
async function bringBack(asked: Asked, node: string, say: (detail: string) => void): Promise<void> {
  const since = Date.now();
  let last: NodeStatus | undefined;
  const healthy = await waitFor(
    async (progress) => {
      const [now] = nodesOf(await asked.admin.statusIfUp(), [node]);
      if (now && now.cursor !== last?.cursor) progress();
      last = now ?? last;
      if (last) say(described(last));
      return now?.lastCheck?.ok === true && now.lag <= MOST_LAG && Date.now() - since > SETTLED;
    },
    { signal: asked.signal, patience: PATIENCE },
  );
  if (!healthy) {
    throw new UserError(`expected ${node} to be healthy again, got ${last ? described(last) : "no answer"}`, {
      code: "node_not_back",
    });
  }
  if (last && KEPT_OUT.has(last.state)) await asked.admin.ready(node, false);
  await untilInSync(asked, [node], say);
}

/** So far behind it is when it is brought back: under load there is always something on its way. */
const MOST_LAG = 500;
/** Longer than the interval of health checks, so that the last one is of the new process; in ms. */
const SETTLED = 1_500;

/** Not the node's doing, or with a next step of its own. */
const OF_THE_WAY = /^(host_unreachable|disk_full|session_tools_missing|aws_\w+)$/;

function notBack(node: string, { message, problems, next, code }: UserError): UserError {
  return new UserError(`${node} did not come back, so the roll stopped here: ${message}`, {
    code: code !== null && OF_THE_WAY.test(code) ? code : "node_not_back",
    problems: [...problems, "the other nodes go on serving"],
    next: [
      ...next,
      `lbctl logs ${node}   # what its app says`,
      "lbctl deploy   # once it is mended: goes on from here",
      "lbctl rollback   # or back to the release before",
    ],
  });
}
