import type { UpstreamNode } from "../node.ts";

/** What one node made of the writes behind `after`, up to `upTo`, is part of another one's state. */
interface Part {
  readonly donor: UpstreamNode;
  readonly after: number;
  readonly upTo: number;
}

/** Parts that are remembered of one state: nodes that are copied from each other in turn add one each time. */
const MOST_PARTS = 64;

/**
 * Whose copy each node's state is, as far as this process made it: when a donor turns out to have diverged, or to
 * have had another state than was thought, so has what was copied from it since, directly or not.
 */
export class Lineage {
  readonly #parts = new WeakMap<UpstreamNode, readonly Part[]>();

  /** `node` now has the state that `donor` had at `seq`. */
  copied(node: UpstreamNode, donor: UpstreamNode, seq: number): void {
    const own = { donor, after: donor.copiedTo, upTo: seq };
    this.#parts.set(node, [...(this.#parts.get(donor) ?? []), own].slice(-MOST_PARTS));
  }

  /** Its state is not a copy. */
  replayed(node: UpstreamNode): void {
    this.#parts.delete(node);
  }

  /** Of `nodes`, those whose state has in it what `donor` made of write `seq`. */
  heirs(donor: UpstreamNode, seq: number, nodes: readonly UpstreamNode[]): UpstreamNode[] {
    const isIn = (part: Part) => part.donor === donor && part.after < seq && seq <= part.upTo;
    return nodes.filter((node) => this.#parts.get(node)?.some(isIn));
  }

  /** Of `nodes`, those that were given a copy of `donor` itself after `since` (monotonic ms). */
  copiesSince(donor: UpstreamNode, since: number, nodes: readonly UpstreamNode[]): UpstreamNode[] {
    return nodes.filter(
      (node) => this.#parts.get(node)?.at(-1)?.donor === donor && node.bootstrappedAt > since,
    );
  }
}
