/** Before anything is changed: the hosts are looked at, and what goes there is at hand. */
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { writeFileSafely } from "../state.ts";
import type { ChangeContext } from "../target.ts";
import { plural } from "../tools/format.ts";
import { allMachines, type Machine } from "./machines.ts";
import { nodeBinaries } from "./node-binaries.ts";
import { findAnsible, installAnsible } from "./private-ansible.ts";
import { type Facts, type Purpose, probe } from "./probe.ts";
import { type HostsRecord, ownerOf } from "./record.ts";
import type { Release } from "./releases.ts";
import type { Site } from "./site.ts";
import type { HostsWork } from "./work.ts";

export interface Prepared {
  readonly facts: readonly Facts[];
  readonly ansible: string;
  readonly nodeBinaries: Site["nodeBinaries"];
}

/**
 * @param local what the state directory knows of the cluster; the balancer's host may know of more machines
 * @param appsOf machines that run app servers, or are to, by what is deployed
 */
export async function prepare(
  work: HostsWork,
  local: HostsRecord | null,
  appsOf: (record: HostsRecord | null) => readonly Machine[],
  { ui }: ChangeContext,
  purpose: Purpose = "install",
): Promise<Prepared> {
  const machines = allMachines(work.machines, appsOf(local));
  const { signal } = work;
  let facts: readonly Facts[] = [];
  let ansible = "";
  let binaries: Site["nodeBinaries"] = {};
  const folder = join(work.state.dir, "ansible");
  await mkdir(join(folder, "tmp"), { recursive: true, mode: 0o700 });
  await rm(join(folder, "facts"), { recursive: true, force: true });
  await ui.steps([
    {
      title: `Look at ${plural(machines.length, "host")}`,
      run: async () => {
        facts = await probe(work, machines, purpose);
        const more = appsOf(deployedOn(facts)).filter((machine) => !machines.includes(machine));
        facts = [...facts, ...(await probe(work, more, purpose))];
      },
    },
    {
      title: "Get Ansible and Node.js ready",
      run: async (say) => {
        const found = await findAnsible(signal);
        if (!found) say("installing a private Ansible, once for this user");
        ansible = (found ?? (await installAnsible(signal))).program;
        binaries = await nodeBinaries(
          work,
          facts.map(({ architecture }) => architecture),
        );
      },
    },
  ]);
  return { facts, ansible, nodeBinaries: binaries };
}

export function siteOf(
  work: HostsWork,
  prepared: Prepared,
  apps: readonly Machine[],
  release: Release,
  record: HostsRecord,
  { verbose }: ChangeContext,
): Site {
  const inventory = join(work.state.dir, "ansible", "inventory.yml");
  const factsFolder = join(work.state.dir, "ansible", "facts");
  return { ...work, ...prepared, apps, release, owner: ownerOf(record), verbose, inventory, factsFolder };
}

/** What the balancer's host knows of the cluster, as it was looked at: before the lock is had. */
export function deployedOn(facts: readonly Facts[]): HostsRecord | null {
  return facts.find(({ deployed }) => deployed !== null)?.deployed ?? null;
}

/** The balancer's own where it has one: another operator may have made it. */
export async function ensureAdminPassword({ state }: HostsWork, facts: readonly Facts[]): Promise<void> {
  const theirs = facts.find(({ adminPassword }) => adminPassword !== null)?.adminPassword;
  if (theirs) return await writeFileSafely(state.adminPassword, `${theirs}\n`);
  if (!existsSync(state.adminPassword)) {
    await writeFileSafely(state.adminPassword, `${randomBytes(24).toString("base64url")}\n`);
  }
}
