/** What target `hosts` needs of this machine, and of the hosts. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { messageOf, UserError } from "../errors.ts";
import { packageRoot } from "../package.ts";
import type { Finding } from "../target.ts";
import { runTool } from "../tool.ts";
import { ANSIBLE_OLDEST, ANSIBLE_VERSION, PYTHON_OLDEST } from "../tools/ansible.ts";
import { wantedApps } from "./converge.ts";
import { allMachines, type Machine } from "./machines.ts";
import { findAnsible, findPython, installAnsible } from "./private-ansible.ts";
import { probe } from "./probe.ts";
import type { HostsWork } from "./work.ts";

/** @param fix installs Ansible where it is missing */
export async function hostsFindings(work: HostsWork, fix: boolean): Promise<readonly Finding[]> {
  const machines = allMachines(work.machines, wantedApps(work));
  return [
    programs(),
    await ssh(work.signal),
    await python(work.signal),
    await ansible(work.signal, fix),
    ...(await Promise.all(machines.map((machine) => host(work, machine)))),
  ];
}

function programs(): Finding {
  const missing = ["proxy.mjs", "app.mjs"]
    .map((name) => join(packageRoot(), "dist", name))
    .filter((file) => !existsSync(file));
  if (missing.length === 0) return good("programs", "complete");
  return { check: "programs", ok: false, found: `no ${missing.join(", ")}`, mend: "npm run build" };
}

async function ssh(signal: AbortSignal): Promise<Finding> {
  const found = await tried(async () => (await runTool({ argv: ["ssh", "-V"], signal })).stderr.trim());
  return found.ok
    ? good("ssh", found.value)
    : { check: "ssh", ok: false, found: "none", mend: "apt-get install openssh-client" };
}

async function python(signal: AbortSignal): Promise<Finding> {
  const found = await tried(() => findPython(signal));
  if (found.ok) return good("Python", found.value);
  const mend = found.error.next[0] ?? "";
  return { check: "Python", ok: false, found: `none from ${PYTHON_OLDEST} on`, mend };
}

async function ansible(signal: AbortSignal, fix: boolean): Promise<Finding> {
  const there = await findAnsible(signal);
  if (there) return good("Ansible", `${there.version} (${there.program})`);
  const lacks = (found: string, mend: string): Finding => ({ check: "Ansible", ok: false, found, mend });
  if (!fix) {
    const mend = `lbctl doctor --fix   # installs ansible-core ${ANSIBLE_VERSION} for lbctl alone; the first deploy does so, too`;
    return lacks(`none from ${ANSIBLE_OLDEST} on`, mend);
  }
  const made = await tried(() => installAnsible(signal));
  return made.ok
    ? good("Ansible", `${made.value.version} (${made.value.program}), just installed`)
    : lacks(made.error.message, made.error.next[0] ?? "");
}

async function host(work: HostsWork, machine: Machine): Promise<Finding> {
  const check = `host ${machine.name}`;
  const found = await tried(() => probe(work, [machine], "install"));
  if (found.ok) return good(check, `${machine.address}, ${found.value[0]?.architecture}`);
  return {
    check,
    ok: false,
    found: found.error.message,
    mend: found.error.next[0] ?? messageOf(found.error),
  };
}

function good(check: string, found: string): Finding {
  return { check, ok: true, found, mend: "" };
}

type Tried<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: UserError };

async function tried<T>(run: () => Promise<T>): Promise<Tried<T>> {
  try {
    return { ok: true, value: await run() };
  } catch (error) {
    if (error instanceof UserError) return { ok: false, error };
    throw error;
  }
}
