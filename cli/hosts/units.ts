/** The processes of a cluster on hosts: systemd's units, as systemd sees them. */
import { UserError } from "../errors.ts";
import type { ProcessReport } from "../target.ts";
import { runTool } from "../tool.ts";
import { sshArgv } from "../tools/ssh.ts";
import { accessOf, type Machine } from "./machines.ts";
import type { HostsRecord } from "./record.ts";
import type { HostsWork } from "./work.ts";

export const BALANCER = "balancer";

export interface Unit {
  /** `balancer`, `app1` … */
  readonly name: string;
  readonly unit: "lb-proxy" | "lb-app";
  readonly machine: Machine;
}

/** With an app of its own a node has no unit of ours. */
export function unitsOf({ machines, config }: HostsWork, record: HostsRecord): Unit[] {
  const apps = record.nodes.flatMap(({ name, address }): Unit[] => {
    const machine = machines.apps.find((one) => one.name === name && one.identity === address);
    return machine && config.app.kind !== "none" ? [{ name, unit: "lb-app", machine }] : [];
  });
  return [{ name: BALANCER, unit: "lb-proxy", machine: machines.balancer }, ...apps];
}

const PROPERTIES = [
  "ActiveState",
  "SubState",
  "MainPID",
  "NRestarts",
  "ExecMainStartTimestamp",
  "ExecMainExitTimestamp",
  "Result",
];

export async function reportOf(work: HostsWork, { name, unit, machine }: Unit): Promise<ProcessReport> {
  const command = `systemctl show ${unit}.service --timestamp=unix --property=${PROPERTIES.join(",")}`;
  try {
    const argv = sshArgv(accessOf(machine, work.machines.acceptNewHostKeys, work.state), command);
    const { code, stdout, stderr } = await runTool({ argv, signal: work.signal });
    return code === 0 ? parseUnit(name, stdout) : silent(name, stderr);
  } catch (error) {
    if (error instanceof UserError && !work.signal.aborted) return silent(name, error.message);
    throw error;
  }
}

/** @param text as systemctl show prints it */
export function parseUnit(name: string, text: string): ProcessReport {
  const said = new Map(
    text.split("\n").map((line): [string, string] => {
      const at = line.indexOf("=");
      return [line.slice(0, at), line.slice(at + 1)];
    }),
  );
  const [state, sub, result] = [said.get("ActiveState"), said.get("SubState"), said.get("Result")];
  const pid = Number(said.get("MainPID") ?? 0);
  const ended = timeOf(said.get("ExecMainExitTimestamp"));
  return {
    name,
    state: stateOf(state ?? "", sub ?? ""),
    pid: pid > 0 ? pid : null,
    startedAt: pid > 0 ? timeOf(said.get("ExecMainStartTimestamp")) : null,
    restarts: Number(said.get("NRestarts") ?? 0),
    failing: sub === "auto-restart" || state === "failed",
    lastExit:
      result !== undefined && result !== "success"
        ? `${result}${ended === null ? "" : `, ${new Date(ended).toISOString()}`}`
        : null,
  };
}

function stateOf(state: string, sub: string): ProcessReport["state"] {
  if (state === "active" || state === "reloading") return "running";
  if (sub === "auto-restart" || state === "activating") return "waiting";
  return state === "deactivating" ? "stopping" : "stopped";
}

/** `@1732795200` */
function timeOf(text: string | undefined): number | null {
  const seconds = /^@(\d+)/.exec(text ?? "")?.[1];
  return seconds === undefined ? null : Number(seconds) * 1000;
}

function silent(name: string, said: string): ProcessReport {
  const [first = "no answer"] = said.split("\n").filter((line) => line.trim() !== "");
  return {
    name,
    state: "stopped",
    pid: null,
    startedAt: null,
    restarts: 0,
    failing: false,
    lastExit: `not known: ${first.trim()}`,
  };
}
