/** The end of a cluster on hosts. */
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { ChangeContext, DestroyOptions } from "../target.ts";
import { recordOf } from "./converge.ts";
import { Deployment } from "./deployment.ts";
import { machinesOnRecord } from "./goal.ts";
import { hostsOfOthers, refuseHalfDestroyed, refuseHostsOfOthers } from "./guards.ts";
import { prepare, siteOf } from "./prepare.ts";
import type { Facts } from "./probe.ts";
import { type HostsRecord, type RecordedNode, readRecord } from "./record.ts";
import { currentRelease, releaseOf } from "./releases.ts";
import { withSession } from "./session.ts";
import type { HostsWork } from "./work.ts";

/** @returns false where neither the state directory nor the balancer's host knows of a cluster */
export async function destroyHosts(
  work: HostsWork,
  { keepData }: DestroyOptions,
  context: ChangeContext,
): Promise<boolean> {
  const { config, state, machines } = work;
  const local = await readRecord(state);
  const prepared = await prepare(
    work,
    local,
    (record) => machinesOnRecord(machines, record),
    context,
    "remove",
  );
  const command = keepData ? "destroy --keep-data" : "destroy";
  const destroyed = await withSession(work, command, async (session, signal) => {
    const ours = session.deployed ?? local;
    if (!ours) return false;
    // Whatever the host has forgotten is no reason to leave things running.
    const record = recordOf(work, session.deployed, session.deployed ? local : null);
    if (keepData) refuseHalfDestroyed(record, config.app.kind, prepared.facts);
    const release = record.releases
      ? releaseOf(config, state, record.releases)
      : currentRelease(config, state);
    const { apps, others } = machinesToClean(work, ours, prepared.facts);
    const site = { ...siteOf(work, prepared, apps, release, record, context), signal };
    await using deployment = new Deployment(site, session, record);
    await deployment.render(record.nodes, apps);
    await context.ui.steps([
      {
        title: keepData ? "Stop everything on the hosts" : "Remove everything from the hosts",
        run: async (say, note) => {
          if (others.length > 0) note(leftAlone(others));
          // Half of it deleted, and deployed anew, nodes would hold different things.
          if (!keepData) await deployment.save({ destroying: true });
          await deployment.play({ playbook: "destroy", variables: { keep_data: keepData }, say });
          if (!keepData) await session.forget();
        },
      },
    ]);
    return true;
  });
  if (keepData) return destroyed;
  await rm(state.dir, { recursive: true, force: true });
  const parent = join(config.dir, ".lbctl");
  const left = await readdir(parent).catch(() => ["?"]);
  if (left.length === 0) await rm(parent, { recursive: true });
  return destroyed;
}

/** @throws UserError where the balancer's host, or the monitoring one, is another cluster's by now */
function machinesToClean({ machines }: HostsWork, record: HostsRecord, facts: readonly Facts[]) {
  const { balancer, monitoring } = machines;
  refuseHostsOfOthers(
    record,
    facts.filter(({ machine }) => machine === balancer || machine === monitoring),
  );
  const foreign = hostsOfOthers(record, facts).map(({ machine }) => machine);
  const apps = machinesOnRecord(machines, record).filter((machine) => !foreign.includes(machine));
  const others = record.nodes.filter(({ address }) => !apps.some(({ identity }) => identity === address));
  return { apps, others };
}

function leftAlone(nodes: readonly RecordedNode[]): string {
  const names = nodes.map(({ name, address }) => `${name} (${address})`).join(", ");
  return `what is on ${names} stays: lbctl.yaml does not list it, or another cluster has it`;
}
