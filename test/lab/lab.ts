/** Real hosts on one computer, in a network of their own: see docs/lab.md. */

import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { LabHost } from "./host.ts";
import { networkDown, networkUp, run } from "./network.ts";
import { CONTROLLER, FOLDER, PLACE, USER } from "./place.ts";
import { rootFilesystem } from "./root-filesystem.ts";

/** As it is written to lab.json. */
export interface Lab {
  /** Of `ip netns`: whatever talks to the hosts runs in it. */
  readonly netns: string;
  /** This computer's address in there. */
  readonly controller: string;
  readonly hosts: readonly { readonly name: string; readonly address: string }[];
  /** The private key, and who may sign in with it (and become root by sudo). */
  readonly key: string;
  readonly user: string;
  readonly knownHosts: string;
}

/** Brings up `count` hosts; those that are up already stay as they are. */
export async function labUp(count: number): Promise<Lab> {
  if (process.getuid?.() !== 0) throw new Error("the lab: expected to be run by root, got another user");
  mkdirSync(FOLDER, { recursive: true, mode: 0o700 });
  if (!existsSync(PLACE.key))
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "lbctl lab", "-f", PLACE.key);
  rootFilesystem();
  networkUp(CONTROLLER);
  const hosts = Array.from({ length: count }, (_, index) => new LabHost(index + 1));
  await Promise.all(hosts.map((host) => host.start()));
  const lab: Lab = {
    netns: PLACE.netns,
    controller: CONTROLLER,
    hosts: hosts.map(({ name, address }) => ({ name, address })),
    key: PLACE.key,
    user: USER,
    knownHosts: PLACE.knownHosts,
  };
  writeFileSync(PLACE.json, `${JSON.stringify(lab, null, 2)}\n`);
  return lab;
}

/** Ends the hosts and removes all that a lab left behind, but for the cached root file system. */
export async function labDown(): Promise<void> {
  const names = existsSync(PLACE.hosts) ? readdirSync(PLACE.hosts) : [];
  await Promise.all(names.map((name) => new LabHost(Number(name.slice("host".length))).remove()));
  networkDown();
  rmSync(FOLDER, { recursive: true, force: true });
}

/** The lab that is up. */
export function readLab(): Lab {
  return JSON.parse(readFileSync(PLACE.json, "utf8")) as Lab;
}
