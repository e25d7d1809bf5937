/** The network of the lab, and programs run in it. */

import { execFileSync, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { PLACE } from "./place.ts";

/** Runs a program to its end; gives its output, throws with its stderr. */
export function run(command: string, ...args: readonly string[]): string {
  const done = spawnSync(command, [...args], { encoding: "utf8" });
  if (done.error) throw done.error;
  if (done.status !== 0) {
    throw new Error(
      `${[command, ...args].join(" ")}: ended with ${done.status ?? done.signal}\n${done.stderr}`,
    );
  }
  return done.stdout;
}

/** Whether it ended with 0. */
export function works(command: string, ...args: readonly string[]): boolean {
  return spawnSync(command, [...args], { stdio: "ignore" }).status === 0;
}

/** The command line that runs another one in the lab's network. */
export function inLab(...argv: readonly string[]): readonly [string, ...string[]] {
  return ["nsenter", `--net=/run/netns/${PLACE.netns}`, "--", ...argv];
}

/** Makes the network namespace with the bridge, if it is not there. */
export function networkUp(address: string): void {
  if (existsSync(`/run/netns/${PLACE.netns}`)) return;
  run("ip", "netns", "add", PLACE.netns);
  const { bridge } = PLACE;
  for (const line of [
    ["link", "set", "lo", "up"],
    ["link", "add", bridge, "type", "bridge"],
    ["address", "add", `${address}/24`, "dev", bridge],
    ["link", "set", bridge, "up"],
  ]) {
    const [command, ...args] = inLab("ip", ...line);
    execFileSync(command, args);
  }
}

export function networkDown(): void {
  if (existsSync(`/run/netns/${PLACE.netns}`)) run("ip", "netns", "delete", PLACE.netns);
}
