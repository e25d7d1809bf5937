/** What deploy would change: Ansible's check mode, with what would be in files before and after. */
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { makeStateDir } from "../state.ts";
import type { Change, ChangeContext } from "../target.ts";
import { recordOf, wantedApps, withOthers } from "./converge.ts";
import { writeInventory } from "./deployment.ts";
import { leftBehind, type NodeGoal, nodeGoal, nodesFor, refuseOnlyNewUrls } from "./goal.ts";
import { refuseHalfDestroyed, refuseHostsOfOthers, refuseUnknownData, unseenNodes } from "./guards.ts";
import type { Machine, Machines } from "./machines.ts";
import { runPlaybook } from "./playbook.ts";
import { deployedOn, ensureAdminPassword, prepare, siteOf } from "./prepare.ts";
import { type HostsRecord, type RecordedNode, readRecord } from "./record.ts";
import { currentRelease } from "./releases.ts";
import type { HostsWork } from "./work.ts";

export async function planHosts(work: HostsWork, context: ChangeContext): Promise<readonly Change[]> {
  const apps = wantedApps(work);
  await makeStateDir(work.state);
  const local = await readRecord(work.state);
  const prepared = await prepare(work, local, (known) => withOthers(work, apps, known), context);
  const theirs = deployedOn(prepared.facts);
  const record = recordOf(work, theirs, local);
  const goal = nodeGoal(record, apps);
  refuseHostsOfOthers(record, prepared.facts);
  refuseHalfDestroyed(record, work.config.app.kind, prepared.facts);
  refuseOnlyNewUrls(work.config, record, goal.staying, null);
  refuseUnknownData(record, prepared.facts, goal.entering);
  await ensureAdminPassword(work, prepared.facts);
  const release = currentRelease(work.config, work.state);
  const folder = await mkdtemp(join(work.state.dir, "ansible", "plan-"));
  try {
    const site = {
      ...siteOf(work, prepared, apps, release, record, context),
      inventory: join(folder, "inventory.yml"),
    };
    const nodes = nodesFor(work.config, record, apps);
    await writeInventory(site, nodes, apps);
    const changes: Change[] = theirs || local ? nodeChanges(record, local, goal, work, apps) : [];
    for (const playbook of ["hosts", "apps", "balancer", "monitoring"] as const) {
      const variables = { lb_app_serial: apps.length };
      await context.ui.steps([
        {
          title: `Compare ${playbook}`,
          run: async (say) => {
            const found = await runPlaybook(site, { playbook, check: true, variables, say });
            changes.push(...found.map(changeOf));
          },
        },
      ]);
    }
    return changes;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function isListed({ apps }: Machines, { address }: RecordedNode): boolean {
  return apps.some(({ identity }) => identity === address);
}

function changeOf({
  host,
  role,
  task,
  diff,
}: {
  host: string;
  role: string | null;
  task: string;
  diff: string;
}): Change {
  return {
    action: "change",
    what: role === null ? host : `${host} ${role}`,
    detail: task,
    ...(diff === "" ? {} : { diff }),
  };
}

function nodeChanges(
  record: HostsRecord,
  local: HostsRecord | null,
  { entering, leaving, replaced }: NodeGoal,
  { config, machines }: HostsWork,
  apps: readonly Machine[],
): Change[] {
  const unseen = unseenNodes(record, apps, local, "deploy");
  return [
    ...[...leaving, ...replaced].map(
      (node): Change => ({
        action: "remove",
        what: node.name,
        detail: [
          `${node.url}, drained first`,
          isListed(machines, node)
            ? "then its data is deleted"
            : `what is on ${node.address}, listed no more, stays`,
          ...(unseen.includes(node) ? ["added from elsewhere: deploy asks before"] : []),
        ].join(", "),
      }),
    ),
    ...leftBehind(machines, record, apps).map(
      ({ name, address }): Change => ({
        action: "remove",
        what: name,
        detail: `${address}, where a command was stopped before it was a node`,
      }),
    ),
    ...nodesFor(config, record, entering).map(
      ({ name, url }): Change => ({
        action: "add",
        what: name,
        detail: `${url}, joins once it has every write`,
      }),
    ),
  ];
}
