import { UpstreamNode } from "./node.ts";
import type { NodeState } from "./node-state.ts";

export type UpstreamListener = (node: UpstreamNode, from: NodeState, to: NodeState) => void;

/** The set of nodes, in config order; keeps the lists that reads and writes ask for at every request. */
export class Upstream {
  #nodes: UpstreamNode[] = [];
  #inSync: UpstreamNode[] = [];
  readonly #listeners: UpstreamListener[] = [];

  /** All nodes, in config order. */
  get nodes(): readonly UpstreamNode[] {
    return this.#nodes;
  }

  /** Those that may answer reads, in config order. */
  get inSync(): readonly UpstreamNode[] {
    return this.#inSync;
  }

  get members(): readonly UpstreamNode[] {
    return this.#nodes.filter((node) => node.member);
  }

  /** More than half of the members. */
  get quorum(): number {
    return Math.floor(this.members.length / 2) + 1;
  }

  get(name: string): UpstreamNode | undefined {
    return this.#nodes.find((node) => node.name === name);
  }

  /**
   * Why these nodes can't take the place of those that there are, as problems with their paths; empty: they can. A node
   * gets its history from one that is in-sync: without any, nobody would ever get one again.
   */
  problemsOf(next: readonly { readonly name: string; readonly url: string }[]): string[] {
    const stays = ({ name, url }: UpstreamNode) =>
      next.some((node) => node.name === name && node.url === url);
    if (this.#inSync.length === 0 || this.#inSync.some(stays)) return [];
    const names = this.#inSync.map(({ name }) => name).join(", ");
    return [
      `nodes: expected one of those in-sync (${names}) to keep its name and url, got none; change them one after the other: each new one gets its state from those that stay`,
    ];
  }

  /** Called after every change of a node's state, in the order of subscription. */
  onChange(listener: UpstreamListener): void {
    this.#listeners.push(listener);
  }

  add(config: { name: string; url: string; empty: boolean }): UpstreamNode {
    const node = new UpstreamNode(config, (changed, from, to) => this.#changed(changed, from, to));
    this.#nodes = [...this.#nodes, node];
    return node;
  }

  /** Takes a node out; its listeners see it leave as `down` first, so that nothing waits for it. */
  remove(name: string): void {
    const node = this.get(name);
    if (node === undefined) return;
    node.removed = true;
    node.apply("maint", "removed");
    this.#nodes = this.#nodes.filter((other) => other !== node);
  }

  /** Follows the order of a new config. */
  reorder(names: readonly string[]): void {
    this.#nodes = this.#nodes.toSorted((a, b) => names.indexOf(a.name) - names.indexOf(b.name));
    this.#refresh();
  }

  #changed(node: UpstreamNode, from: NodeState, to: NodeState): void {
    this.#refresh();
    for (const listener of this.#listeners) listener(node, from, to);
  }

  #refresh(): void {
    this.#inSync = this.#nodes.filter((node) => node.state === "in-sync");
  }
}
