import type { ProxyConfigFile } from "../tools/proxy-config.ts";
import type { Goal } from "./goal.ts";

/** Nodes at other addresses than before: all is started anew, at once. */
export function movedNodes(goal: Goal, current: ProxyConfigFile | null): boolean {
  const urls = new Map(goal.proxyConfig.nodes.map((node) => [node.name, node.url]));
  return (current?.nodes ?? []).some(({ name, url }) => urls.has(name) && urls.get(name) !== url);
}
