import { setTimeout as pause } from "node:timers/promises";
import type { Member } from "../cluster.ts";
import { LbError } from "../errors.ts";
import { reasonOf } from "../leg.ts";
import type { BootstrapKind } from "../metrics/metrics.ts";
import { whyNotFrom } from "./donors.ts";
import { type BootstrapParts, giveHistory } from "./give-history.ts";
import { copySnapshot } from "./snapshot-copy.ts";
import { wayIn } from "./way-in.ts";

/** ms between two tries: doubled with each that failed, up to the last. */
const RETRY = 2_000;
const LONGEST_RETRY = 30_000;

/** A node without history on its way in: tries, as long as it is in `joining`, until it has the others' state. */
export class Arrival {
  readonly #parts: BootstrapParts;
  readonly #target: Member;
  readonly #ended: () => void;
  /** Resolves when it has ended, one way or the other, and nothing is under way to the node; never rejects. */
  over: Promise<void> = Promise.resolve();
  /** Aborts the try under way, and the pause before the next. */
  #trying = new AbortController();
  #pausing = new AbortController();
  /** What the try under way does, and whom it copies from. */
  #kind: BootstrapKind | null = null;
  #donor: Member | null = null;
  /** Whom an operator wants copied; whose copy failed last. */
  #asked: Member | null;
  #failed: Member | null = null;
  #stopped = false;

  /**
   * @param asked the donor that an operator's resync names
   * @param ended called in the moment from which another arrival of the node may begin
   */
  constructor(parts: BootstrapParts, target: Member, asked: Member | null, ended: () => void) {
    this.#parts = parts;
    this.#target = target;
    this.#asked = asked;
    this.#ended = ended;
  }

  /** Call once. */
  start(): void {
    this.over = this.#run();
  }

  async #run(): Promise<void> {
    for (let failures = 0; this.#goesOn; ) {
      failures = (await this.#try()) ? 0 : failures + 1;
      if (this.#goesOn) await this.#pause(Math.min(LONGEST_RETRY, RETRY * 2 ** Math.max(0, failures - 1)));
    }
    this.#ended();
  }

  /** A resync is asked for while one is under way; gives the name of the donor that it is from now on. */
  ask(donor: Member, named: boolean): string {
    if (this.#donor !== null && (!named || this.#donor.node === donor.node)) return this.#donor.node.name;
    this.#asked = donor;
    this.#pausing.abort();
    if (this.#donor !== null) this.#end(`a resync from ${donor.node.name} was asked for`);
    return donor.node.name;
  }

  /** Some node changed: what is copied may not be sound any more, or the node may not be meant to get it. */
  changed(): void {
    const why = this.#whyNotTo() ?? (this.#donor && whyNotFrom(this.#donor));
    if (why !== null) this.#end(why);
  }

  stop(): void {
    this.#stopped = true;
    this.#end("the balancer stops");
  }

  #end(why: string): void {
    this.#trying.abort(new LbError("resync_ended", why));
    if (!this.#goesOn) this.#pausing.abort();
  }

  get #goesOn(): boolean {
    return !this.#stopped && this.#target.node.state === "joining";
  }

  /** A node that is down may be busy with what it is given: whether it gets it, its connection tells. */
  #whyNotTo(): string | null {
    const { name, removed, state, reason } = this.#target.node;
    if (removed) return `${name} was removed`;
    return state === "maint" || state === "quarantined" ? `${name} is in ${state}: ${reason}` : null;
  }

  /** Says whether nothing failed; there may have been nothing to do. */
  async #try(): Promise<boolean> {
    this.#trying = new AbortController();
    try {
      await this.#once(this.#trying.signal);
      return true;
    } catch (error) {
      this.#failedWith(error);
      return false;
    } finally {
      this.#kind = null;
      this.#donor = null;
    }
  }

  async #once(signal: AbortSignal): Promise<void> {
    const { cluster, notes, journal, config } = this.#parts;
    const { node } = this.#target;
    // What the app carries out later would be on top of the state that it is given.
    if (!cluster.atRest(this.#target)) {
      notes.set(node, "waits for the writes on their way to it to end");
      await cluster.rest(this.#target);
      signal.throwIfAborted();
    }
    const way = wayIn(node, { journal, path: config().app.snapshot, donors: this.#donors });
    if (way.kind === "none") notes.set(node, way.note);
    else if (way.kind === "replay") await this.#replay(signal);
    else await this.#copy(way.donor, way.path, signal);
  }

  async #replay(signal: AbortSignal): Promise<void> {
    this.#kind = "replay";
    this.#parts.notes.set(this.#target.node, "replay from seq 1");
    await giveHistory(this.#parts, this.#target, { kind: "replay", seq: 0, donor: null, signal });
  }

  async #copy(donor: Member, path: string, signal: AbortSignal): Promise<void> {
    const { donors, journal, log, notes } = this.#parts;
    const target = this.#target;
    const { node } = target;
    const from = donor.node.name;
    this.#kind = "snapshot";
    this.#donor = donor;
    notes.set(node, `snapshot from ${from}`);
    const seq = donors.seqOf(donor);
    log.bootstrap({ node: node.name, kind: "snapshot", step: "begin", from, seq });
    const begins = () => {
      node.blank = false;
      return journal.saveNode(node.row());
    };
    await copySnapshot({ path, donor, target, seq, signal, begins }, donors);
    await giveHistory(this.#parts, target, { kind: "snapshot", seq, donor: donor.node, signal });
    this.#asked = null;
  }

  /** The one that an operator wants first, the one that failed last. */
  get #donors(): readonly Member[] {
    const rank = ({ node }: Member) => (node === this.#asked?.node ? 0 : node === this.#failed?.node ? 2 : 1);
    return this.#parts.donors.for(this.#target.node).toSorted((a, b) => rank(a) - rank(b));
  }

  #failedWith(error: unknown): void {
    const { node } = this.#target;
    const kind = this.#kind;
    if (this.#stopped || node.removed || kind === null) return;
    this.#failed = this.#donor;
    if (this.#asked?.node === this.#donor?.node) this.#asked = null;
    const why = error instanceof LbError ? error.message : reasonOf(error);
    this.#parts.notes.set(node, `${kind} failed: ${why}${this.#goesOn ? "; tries again" : ""}`);
    this.#parts.metrics.bootstrap(node.name, kind, false);
    this.#parts.log.bootstrap({ node: node.name, kind, step: "failed", error });
  }

  /** Cut short when there is news. */
  async #pause(ms: number): Promise<void> {
    this.#pausing = new AbortController();
    await pause(ms, undefined, { signal: this.#pausing.signal }).catch(() => {});
  }
}
