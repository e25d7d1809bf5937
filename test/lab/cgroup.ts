/** Each host is a control group of its own, in every hierarchy that systemd looks at. */

import { existsSync, globSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { LAB } from "./place.ts";

const MOUNT = "/sys/fs/cgroup";

/** The folders of a host's groups, there or not: one, or two where version 1 is still in use. */
export function cgroups(host: string): string[] {
  const roots = existsSync(join(MOUNT, "cgroup.controllers"))
    ? [MOUNT]
    : ["unified", "systemd"].map((name) => join(MOUNT, name)).filter((folder) => existsSync(folder));
  return roots.map((root) => join(root, `lbctl-lab-${LAB}`, host));
}

/** All that runs on a host, and its nspawn. */
export function processesIn(host: string): number[] {
  const files = cgroups(host).flatMap((folder) => globSync(`${folder}/**/cgroup.procs`));
  const pids = files.flatMap((file) => pidsOf(file));
  return [...new Set(pids)];
}

/** Kills what runs on a host; true: nothing did any more. */
export function killAll(host: string): boolean {
  const pids = processesIn(host);
  for (const folder of cgroups(host)) {
    const kill = join(folder, "cgroup.kill");
    if (existsSync(kill)) writeFileSync(kill, "1");
  }
  return pids.length === 0;
}

function pidsOf(file: string): number[] {
  try {
    return readFileSync(file, "utf8").split("\n").filter(Boolean).map(Number);
  } catch {
    return []; // the group ended meanwhile
  }
}
