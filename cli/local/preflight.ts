/** Before anything is changed: can the cluster be had on this machine? */
import type { ClusterConfig } from "../cluster-config.ts";
import { UserError } from "../errors.ts";
import { ownerOf, type PortState, portState } from "../ports.ts";
import { clusterProcesses } from "../proc.ts";
import type { StatePaths } from "../state.ts";
import { portOf } from "../tools/proxy-config.ts";
import { MONITORING } from "./monitoring/names.ts";

export interface WantedPort {
  readonly port: number;
  /** Where it is set: `ports/traffic` */
  readonly setting: string;
}

/** Every port that the cluster needs, in the order of lbctl.yaml. Of what watches it those that were named: others are found. */
export function wantedPorts(config: ClusterConfig, nodes: readonly string[]): WantedPort[] {
  return [
    { port: config.ports.traffic, setting: "ports/traffic" },
    { port: config.ports.admin, setting: "ports/admin" },
    ...nodes.map((node) => ({ port: portOf(config, node), setting: `ports/apps (${node})` })),
    ...(config.monitoring === "off" ? [] : MONITORING).flatMap((name) => {
      const port = config.ports[name];
      return port === null ? [] : [{ port, setting: `ports/${name}` }];
    }),
  ];
}

/** @throws UserError naming every port that is taken, and by whom */
export async function checkPorts(
  config: ClusterConfig,
  nodes: readonly string[],
  state: StatePaths,
): Promise<void> {
  const problems = await portProblems(wantedPorts(config, nodes), state);
  if (problems.length === 0) return;
  throw new UserError("expected the cluster's ports to be free", {
    problems,
    next: [
      "stop what listens there, or choose other ports in lbctl.yaml (lbctl plan says what that restarts):",
      `ports: { ${otherPorts(config.ports, problems)} }   # lbctl init writes the file`,
    ],
  });
}

/** For the settings that have a problem, and only for these: what is not in the way stays where it is. */
function otherPorts(ports: ClusterConfig["ports"], problems: readonly string[]): string {
  const keys = new Set(problems.map((problem) => /^ports\/(\w+)/.exec(problem)?.[1] ?? ""));
  return Object.entries(ports)
    .filter(([key, port]) => keys.has(key) && port !== null)
    .map(([key, port]) => `${key}: ${Number(port) + (key === "apps" ? 100 : 1)}`)
    .join(", ");
}

export async function portProblems(ports: readonly WantedPort[], state: StatePaths): Promise<string[]> {
  const ours = new Set(clusterProcesses(state.dir).map(({ pid }) => pid));
  const found = await Promise.all(ports.map(async (port) => ({ ...port, is: await portState(port.port) })));
  return found
    .filter(({ is }) => is !== "free")
    .flatMap(({ port, setting, is }) => {
      const owner = ownerOf(port);
      if (owner && ours.has(owner.pid)) return [];
      return [`${setting}: expected port ${port} to be free, got ${described(is, owner)}`];
    });
}

function described(is: PortState, owner: ReturnType<typeof ownerOf>): string {
  if (is === "not allowed") return "no permission to listen on it (ports below 1024 need root)";
  return owner ? `pid ${owner.pid}: ${owner.command.slice(0, 80)}` : "a process of another user on it";
}
