import type { Member } from "../cluster.ts";
import { formatDuration } from "../config/units.ts";
import { LbError } from "../errors.ts";
import { reasonOf } from "../leg.ts";
import type { UpstreamNode } from "../node.ts";
import { whyNotFrom } from "./donors.ts";
import { type BootstrapParts, giveHistory } from "./give-history.ts";
import { unlessAborted } from "./time-limit.ts";

/** One copy that an operator makes: its donor is held from the first to the last moment of this. */
interface ManualCopy {
  readonly target: Member;
  readonly donor: Member;
  readonly seq: number;
  /** Aborted when it is over. */
  readonly over: AbortController;
  /** Ends it when it is forgotten. */
  readonly timer: NodeJS.Timeout;
  /** Lets the donor's deliveries go on. */
  release: () => void;
  /** The donor is at rest, and the target in maint, without history: the operator may copy. */
  begun: boolean;
  /** The copy is in place, and being taken in. */
  taking: Promise<void> | null;
}

/** The copies that operators make by hand, at most one to a node. Each holds its donor until it is over. */
export class ManualCopies {
  readonly #parts: BootstrapParts;
  readonly #copies = new Map<UpstreamNode, ManualCopy>();
  /** Why the last one to a node ended before its time. */
  readonly #ended = new WeakMap<UpstreamNode, string>();

  constructor(parts: BootstrapParts) {
    this.#parts = parts;
  }

  /** Nodes that are held now. */
  targetsOf(donor: UpstreamNode): readonly UpstreamNode[] {
    return [...this.#copies.values()]
      .filter((copy) => copy.donor.node === donor)
      .map(({ target }) => target.node);
  }

  /** Where a donor is held; infinity: it is not. */
  seqOf(donor: UpstreamNode): number {
    const seqs = [...this.#copies.values()].filter((copy) => copy.donor.node === donor).map(({ seq }) => seq);
    return Math.min(Number.POSITIVE_INFINITY, ...seqs);
  }

  /**
   * Holds the donor; only then `empty` takes the target out and makes it a node without history. Resolves when the
   * operator may copy. Rejects with no_donor, last_in_sync, no_bootstrap, or resync_ended when it is over meanwhile.
   */
  async begin(
    target: Member,
    donor: Member,
    empty: () => Promise<void>,
  ): Promise<{ from: string; seq: number }> {
    this.end(target.node, "another one was asked for");
    const copy = this.#open(target, donor);
    const { signal } = copy.over;
    try {
      copy.release = await this.#parts.donors.hold(donor, copy.seq, signal);
      signal.throwIfAborted();
      this.#parts.donors.refuseLast(target.node);
      await unlessAborted(signal, empty());
      signal.throwIfAborted();
    } catch (error) {
      this.#close(copy, reasonOf(error));
      // It may have been over before it had this.
      copy.release();
      throw error;
    }
    copy.begun = true;
    const { name } = target.node;
    const next = `then: lbctl nodes resync ${name} --done`;
    this.#parts.notes.set(target.node, `manual copy of ${donor.node.name} at seq ${copy.seq}; ${next}`);
    return { from: donor.node.name, seq: copy.seq };
  }

  /** The operator's copy is in place. Rejects with not_resyncing, or resync_ended. */
  async done({ node }: Member): Promise<void> {
    const copy = this.#copies.get(node);
    if (copy === undefined || !copy.begun) {
      const why = this.#ended.get(node);
      throw new LbError(
        "not_resyncing",
        `${node.name} has no manual resync under way${why ? ` (${why})` : ""}`,
      );
    }
    copy.taking ??= this.#take(copy).finally(() => {
      copy.taking = null;
    });
    await copy.taking;
  }

  /** Does nothing where there is none to `node`. */
  end(node: UpstreamNode, why: string): void {
    const copy = this.#copies.get(node);
    if (copy !== undefined) this.#close(copy, why);
  }

  /** Some node changed: a copy may be of no use any more. */
  changed(): void {
    for (const copy of [...this.#copies.values()]) {
      const why = whyOver(copy);
      if (why !== null) this.#close(copy, why);
    }
  }

  /** The process ends: nothing is sent to a donor any more, so none is let go. */
  stop(): void {
    for (const { timer, over } of this.#copies.values()) {
      clearTimeout(timer);
      over.abort(new LbError("shutting_down", "the balancer stops"));
    }
    this.#copies.clear();
  }

  #open(target: Member, donor: Member): ManualCopy {
    const { config, donors } = this.#parts;
    const { manualCopyTimeout } = config().limits;
    const copy: ManualCopy = {
      target,
      donor,
      seq: donors.seqOf(donor),
      over: new AbortController(),
      timer: setTimeout(() => this.#forgotten(copy, manualCopyTimeout), manualCopyTimeout),
      release: () => {},
      begun: false,
      taking: null,
    };
    this.#copies.set(target.node, copy);
    this.#ended.delete(target.node);
    return copy;
  }

  async #take(copy: ManualCopy): Promise<void> {
    const { target, donor, seq, over } = copy;
    const { signal } = over;
    await giveHistory(this.#parts, target, { kind: "manual", seq, donor: donor.node, signal });
    signal.throwIfAborted();
    this.#drop(copy);
    target.node.apply("ready", "the operator's copy is in place");
  }

  #forgotten(copy: ManualCopy, after: number): void {
    const facts = { node: copy.target.node.name, donor: copy.donor.node.name, seq: copy.seq };
    this.#parts.log.alarm("a manual copy was not done in time: its donor goes on", facts);
    const limit = `${formatDuration(after)} (limits.manualCopyTimeout)`;
    this.#close(copy, `it was not done within ${limit}, so it is too old`);
  }

  #close(copy: ManualCopy, why: string): void {
    const { target, donor, seq, over } = copy;
    if (over.signal.aborted) return;
    const { name, history } = target.node;
    const what = `the manual copy of ${donor.node.name} at seq ${seq} is over: ${why}`;
    const next = `lbctl nodes resync ${name} --from DONOR --manual begins another`;
    this.#ended.set(target.node, what);
    if (!history && !target.node.removed) this.#parts.notes.set(target.node, `${what}; ${next}`);
    over.abort(new LbError("resync_ended", what));
    this.#drop(copy);
  }

  /** Its donor goes on; by identity, since a newer one to the same node may have taken its place. */
  #drop(copy: ManualCopy): void {
    clearTimeout(copy.timer);
    if (this.#copies.get(copy.target.node) === copy) this.#copies.delete(copy.target.node);
    copy.release();
  }
}

/** Null: it goes on. */
function whyOver({ target, donor, begun }: ManualCopy): string | null {
  const { node } = target;
  if (node.removed) return `${node.name} was removed`;
  if (begun && node.state !== "maint") return `${node.name} is ${node.state}: ${node.reason}`;
  const { name, state, reason } = donor.node;
  if (state === "down")
    return `${name} went down: ${reason} (put it in maint first where its app has to be stopped)`;
  return whyNotFrom(donor);
}
