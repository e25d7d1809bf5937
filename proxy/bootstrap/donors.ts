import type { Cluster, Member } from "../cluster.ts";
import { LbError } from "../errors.ts";
import type { Journal } from "../journal/journal.ts";
import type { UpstreamNode } from "../node.ts";
import { timeLimit } from "./time-limit.ts";

/** ms: how long a donor's deliveries may pause until it is at rest, and until its copy is fixed. */
export const HOLD_TIMEOUT = 30_000;

/** Which nodes may give their state, and how one of them is brought to rest for it. */
export class Donors {
  readonly #cluster: Cluster;
  readonly #journal: Journal;
  readonly #heldAt: (donor: UpstreamNode) => number;

  /** @param heldAt where an operator's copy holds a donor; infinity: it is not held */
  constructor(cluster: Cluster, journal: Journal, heldAt: (donor: UpstreamNode) => number) {
    this.#cluster = cluster;
    this.#journal = journal;
    this.#heldAt = heldAt;
  }

  /** Where a copy of it would be: at the head, or where it is held already. */
  seqOf({ node }: Member): number {
    return Math.min(this.#journal.head, this.#heldAt(node));
  }

  /** In config order. */
  for(node: UpstreamNode): readonly Member[] {
    return this.#cluster.members.filter((other) => other.node !== node && other.node.state === "in-sync");
  }

  /** The donor that an operator names, else the first. Throws no_donor. */
  named(node: UpstreamNode, from: string | undefined): Member {
    const donors = this.for(node);
    const donor = from === undefined ? donors[0] : donors.find((member) => member.node.name === from);
    if (donor !== undefined) return donor;
    const names = donors.map((member) => member.node.name).join(", ") || "none is in-sync";
    const detail = `expected an in-sync donor other than ${node.name} (${names}), got ${from ?? "none"}`;
    throw new LbError("no_donor", detail);
  }

  /** Throws last_in_sync. */
  refuseLast(node: UpstreamNode): void {
    const { inSync } = this.#cluster.upstream;
    if (inSync.length !== 1 || inSync[0] !== node) return;
    const detail = `${node.name} is the last in-sync node: nobody could give it its state`;
    throw new LbError("last_in_sync", detail);
  }

  /**
   * A donor does not have what is set aside, and a node that goes on behind it would never get it. Throws
   * no_bootstrap.
   */
  refuseSetAside(seq = this.#journal.head): void {
    const open = [...this.#cluster.writes.aside].filter((aside) => aside <= seq);
    if (open.length === 0) return;
    const which = `write ${Math.min(...open)} is set aside, and no copy would have it`;
    throw new LbError("no_bootstrap", `${which}; lbctl writes retry ${open[0]} or skip ${open[0]} first`);
  }

  /**
   * Brings the donor to rest at `seq`; gives what lets it go on. Rejects with no_donor when that takes longer
   * than HOLD_TIMEOUT, and with the signal's reason.
   */
  async hold({ node, delivery }: Member, seq: number, given: AbortSignal): Promise<() => void> {
    const late = `${node.name} did not come to rest at write ${seq} within ${HOLD_TIMEOUT / 1000} s`;
    using limit = timeLimit(HOLD_TIMEOUT, () => new LbError("no_donor", late), given);
    const release = await delivery.hold(seq, limit.signal);
    try {
      limit.signal.throwIfAborted();
      this.refuseSetAside(seq);
      return release;
    } catch (error) {
      release();
      throw error;
    }
  }
}

/** Why nothing may be copied from a donor any more; null: its state is as sound as when the copy began. */
export function whyNotFrom({ node }: Member): string | null {
  const { name, reason } = node;
  if (node.removed) return `${name} was removed`;
  if (node.state === "quarantined") return `${name} was quarantined: ${reason}`;
  if (!node.history) return `${name} lost its history: ${reason}`;
  return null;
}
