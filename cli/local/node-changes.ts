/** Which nodes come, go, move or run another build: pure. */
import type { ProxyConfigFile, ProxyNode } from "../tools/proxy-config.ts";
import type { Goal } from "./goal.ts";
import { movedNodes } from "./moved-nodes.ts";
import { type Observed, runningProcess } from "./observed.ts";
import { outdated } from "./plan.ts";
import type { ProcessSpec } from "./processes.ts";
import { BALANCER } from "./specs.ts";
import type { Convergence } from "./work.ts";

/** Known to the balancer, and not wanted any more. */
export function leavingNodes(goal: Goal, { proxyConfig }: Observed): ProxyNode[] {
  return (proxyConfig?.nodes ?? []).filter(({ name }) => !goal.nodes.includes(name));
}

/** Not known to the balancer: whatever data it has from an earlier life has to go. */
export function enteringNodes(goal: Goal, current: ProxyConfigFile | null): string[] {
  const known = new Set(current?.nodes.map(({ name }) => name));
  return goal.nodes.filter((name) => !known.has(name));
}

/** Nodes that run another build: restarted one at a time, drained first. */
export function outdatedApps({ goal, observed }: Convergence): string[] {
  if (!runningProcess(observed.supervisor, BALANCER) || movedNodes(goal, observed.proxyConfig)) return [];
  return goal.nodes.filter((name) => {
    const [before, after] = [specOf(observed.wanted?.processes, name), specOf(goal.processes, name)];
    return before && after && outdated(before, after) && runningProcess(observed.supervisor, name);
  });
}

export function specOf(specs: readonly ProcessSpec[] | undefined, name: string): ProcessSpec | undefined {
  return specs?.find((spec) => spec.name === name);
}
