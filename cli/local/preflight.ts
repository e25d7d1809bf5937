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
  /** Where it is set: `traffic` of `ports`. */
  readonly key: keyof ClusterConfig["ports"];
  /** Of the apps, which have one setting together. */
  readonly node?: string;
}

/** Every port that the cluster needs, in the order of lbctl.yaml. Of what watches it those that were named: others are found. */
export function wantedPorts(config: ClusterConfig, nodes: readonly string[]): WantedPort[] {
  return [
    { port: config.ports.traffic, key: "traffic" },
    { port: config.ports.admin, key: "admin" },
    ...nodes.map((node): WantedPort => ({ port: portOf(config, node), key: "apps", node })),
    ...(config.monitoring === "off" ? [] : MONITORING).flatMap((key): WantedPort[] => {
      const port = config.ports[key];
      return port === null ? [] : [{ port, key }];
    }),
  ];
}

/** @throws UserError naming every port that is taken, and by whom */
export async function checkPorts(
  config: ClusterConfig,
  nodes: readonly string[],
  state: StatePaths,
): Promise<void> {
  const busy = await busyPorts(wantedPorts(config, nodes), state);
  if (busy.length === 0) return;
  throw new UserError("expected the cluster's ports to be free", {
    problems: busy.map(({ problem }) => problem),
    next: [
      "stop what listens there, or choose other ports in lbctl.yaml (lbctl plan says what that restarts):",
      `ports: { ${otherPorts(config.ports, busy)} }   # lbctl init writes the file`,
    ],
  });
}

/** For the settings that have a problem, and only for these: what is not in the way stays where it is. */
function otherPorts(ports: ClusterConfig["ports"], busy: readonly WantedPort[]): string {
  const keys = new Set(busy.map(({ key }) => key));
  return [...keys].map((key) => `${key}: ${(ports[key] ?? 0) + (key === "apps" ? 100 : 1)}`).join(", ");
}

/** Those that somebody else has, each with what is to be said of it. */
export async function busyPorts(
  ports: readonly WantedPort[],
  state: StatePaths,
): Promise<(WantedPort & { readonly problem: string })[]> {
  const ours = new Set(clusterProcesses(state.dir).map(({ pid }) => pid));
  const found = await Promise.all(
    ports.map(async (wanted) => ({ wanted, is: await portState(wanted.port) })),
  );
  return found
    .filter(({ is }) => is !== "free")
    .flatMap(({ wanted, is }) => {
      const { port, key, node } = wanted;
      const owner = ownerOf(port);
      if (owner && ours.has(owner.pid)) return [];
      const setting = `ports/${key}${node === undefined ? "" : ` (${node})`}`;
      return [
        { ...wanted, problem: `${setting}: expected port ${port} to be free, got ${described(is, owner)}` },
      ];
    });
}

function described(is: PortState, owner: ReturnType<typeof ownerOf>): string {
  if (is === "not allowed") return "no permission to listen on it (ports below 1024 need root)";
  return owner ? `pid ${owner.pid}: ${owner.command.slice(0, 80)}` : "a process of another user on it";
}
