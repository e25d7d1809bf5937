/** Where a lab is on this computer. LBCTL_LAB names another one, so that two can be up at the same time. */

import { createHash } from "node:crypto";
import { join } from "node:path";

/** At most 8 long: names of network interfaces are made of it. */
export const LAB = process.env.LBCTL_LAB ?? "lbctl";
export const FOLDER = `/var/lib/lbctl-lab/${LAB}`;

export const PLACE = {
  netns: `${LAB}-lab`,
  bridge: `${LAB}-br`,
  /** What `lab:up` wrote: see Lab. */
  json: join(FOLDER, "lab.json"),
  key: join(FOLDER, "id_ed25519"),
  knownHosts: join(FOLDER, "known_hosts"),
  hosts: join(FOLDER, "hosts"),
} as const;

/** Who may sign in by the key, and become root by sudo. */
export const USER = "admin";
/**
 * The lab's network is its own: these addresses mean nothing outside. They differ from lab to lab all the same, since
 * ssh's kept connections go by address.
 */
export const ADDRESSES = `10.77.${LAB === "lbctl" ? 0 : 1 + ((createHash("sha256").update(LAB).digest()[0] ?? 0) % 200)}`;
/** This computer's address in the lab's network. */
export const CONTROLLER = `${ADDRESSES}.1`;

if (!/^[a-z0-9]{1,8}$/.test(LAB)) throw new Error(`LBCTL_LAB: expected 1 to 8 of a-z and 0-9, got ${LAB}`);
