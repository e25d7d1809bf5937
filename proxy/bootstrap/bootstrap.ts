/**
 * Gives a node without history the state of the others (DESIGN §3): by replay from seq 1 where that is whole,
 * else by a snapshot that a donor streams to it, else it waits for an operator's copy and says so.
 */

import type { Member } from "../cluster.ts";
import { LbError } from "../errors.ts";
import type { UpstreamNode } from "../node.ts";
import { Arrival } from "./arrival.ts";
import { Donors } from "./donors.ts";
import type { BootstrapParts } from "./give-history.ts";
import { Lineage } from "./lineage.ts";
import { ManualCopies } from "./manual-copies.ts";

export type BootstrapOptions = Omit<BootstrapParts, "donors" | "lineage" | "notes">;

export class Bootstrap {
  readonly #parts: BootstrapParts;
  readonly #manual: ManualCopies;
  /** Nodes on their way in. */
  readonly #arrivals = new Map<UpstreamNode, Arrival>();
  /** Donors that operators asked for, until the node is in `joining`. */
  readonly #asked = new WeakMap<UpstreamNode, Member>();
  #stopped = false;

  constructor(options: BootstrapOptions) {
    const { cluster, journal } = options;
    const donors = new Donors(cluster, journal, (node) => this.#manual.seqOf(node));
    this.#parts = { ...options, donors, lineage: new Lineage(), notes: new WeakMap() };
    this.#manual = new ManualCopies(this.#parts);
    cluster.upstream.onChange(() => this.changed());
  }

  /** What is going on with a node without history, or what it waits for. */
  note(node: UpstreamNode): string | null {
    const note = this.#parts.notes.get(node);
    if (note !== undefined) return note;
    // A hold ends with the process; that the node is in maint does not.
    const { name, state } = node;
    const next = `lbctl nodes resync ${name} --from DONOR --manual, or lbctl nodes ready ${name}`;
    return state === "maint" ? `has no history, and no copy is under way; ${next}` : null;
  }

  /** Where a donor is held for an operator's copies, and to which nodes; null: it is not held. */
  held(donor: UpstreamNode): { at: number; for: readonly string[] } | null {
    const targets = this.#manual.targetsOf(donor).map(({ name }) => name);
    return targets.length === 0 ? null : { at: this.#manual.seqOf(donor), for: targets };
  }

  stop(): void {
    this.#stopped = true;
    for (const arrival of this.#arrivals.values()) arrival.stop();
    this.#manual.stop();
  }

  /** A node changed, or was removed: what goes on between it and others may be over. */
  changed(): void {
    for (const arrival of this.#arrivals.values()) arrival.changed();
    this.#manual.changed();
  }

  /** A node in `joining` came up: gives it what it lacks, in the background, until it has it. */
  begin(node: UpstreamNode): void {
    if (this.#stopped || this.#arrivals.has(node)) return;
    const asked = this.#asked.get(node) ?? null;
    this.#asked.delete(node);
    const ended = () => this.#arrivals.delete(node);
    const arrival = new Arrival(this.#parts, this.#parts.cluster.member(node.name), asked, ended);
    this.#arrivals.set(node, arrival);
    arrival.start();
  }

  /** An operator asks for it: the node's state is thrown away and made anew from a donor. */
  async resync(name: string, from: string | undefined): Promise<{ from: string }> {
    const { cluster, config, donors } = this.#parts;
    const { node } = cluster.member(name);
    const donor = donors.named(node, from);
    if (config().app.snapshot === null) {
      const detail = `the app offers no snapshot (app.snapshot); use --from ${donor.node.name} --manual`;
      throw new LbError("no_bootstrap", detail);
    }
    this.#refuse(node);
    this.#manual.end(node, "a resync from a snapshot was asked for");
    const running = this.#arrivals.get(node);
    if (running !== undefined && node.state === "joining")
      return { from: running.ask(donor, from !== undefined) };
    this.#asked.set(node, donor);
    await cluster.forget(node, `resync from ${donor.node.name}`);
    if (node.removed) throw new LbError("resync_ended", `${name} was removed meanwhile`);
    node.apply("ready", "resync");
    return { from: donor.node.name };
  }

  /** Holds the donor at a seq until the operator's copy is in place (`resyncDone`). */
  async resyncManual(name: string, from: string | undefined): Promise<{ from: string; seq: number }> {
    const { cluster, donors } = this.#parts;
    const target = cluster.member(name);
    const donor = donors.named(target.node, from);
    this.#refuse(target.node);
    return await this.#manual.begin(target, donor, () => this.#empty(target, donor.node.name));
  }

  /** The operator's copy is in place: the node goes on from where its donor was held. */
  async resyncDone(name: string): Promise<void> {
    await this.#manual.done(this.#parts.cluster.member(name));
  }

  /** An operator decides otherwise about a node: its manual copy, if there is one, is over. */
  giveUp(node: UpstreamNode, why: string): void {
    this.#manual.end(node, why);
  }

  /** `donor` answered write `seq` otherwise than the others: what was copied from it since did so, too. */
  diverged(donor: UpstreamNode, seq: number): void {
    const { cluster, lineage } = this.#parts;
    const why = `its state is a copy of ${donor.name}, which diverged at write ${seq}`;
    for (const heir of lineage.heirs(donor, seq, cluster.upstream.nodes)) this.#drop(heir, why);
  }

  /** `donor` had another state than was thought, at some time after `since`: what was copied from it then has, too. */
  replaced(donor: UpstreamNode, since: number): void {
    const { cluster, lineage } = this.#parts;
    const why = `its state is a copy of ${donor.name}, whose own had been replaced`;
    for (const copy of lineage.copiesSince(donor, since, cluster.upstream.nodes)) {
      const { bootstrappedAt } = copy;
      this.#drop(copy, why);
      this.replaced(copy, bootstrappedAt);
    }
  }

  #drop(node: UpstreamNode, why: string): void {
    const { cluster, log } = this.#parts;
    // It stays out anyway, and whoever mends that gives it another state.
    if (!node.history || node.state === "quarantined") return;
    const last = cluster.upstream.inSync.every((other) => other === node);
    const what = last ? "would drop the state of the last in-sync node" : "the state of a node is dropped";
    log.alarm(what, { node: node.name, reason: why });
    if (!last) cluster.forget(node, why).catch((error: unknown) => log.bug("forget", error));
  }

  #refuse(node: UpstreamNode): void {
    const { donors } = this.#parts;
    const targets = this.#manual.targetsOf(node).map(({ name }) => name);
    if (targets.length > 0) {
      const detail = `${node.name} is held as the donor of ${targets.join(", ")}`;
      throw new LbError("donor_held", detail);
    }
    donors.refuseLast(node);
    donors.refuseSetAside();
  }

  /** Takes a node out for an operator's copy. Resolves when nothing is on its way to it any more. */
  async #empty(target: Member, from: string): Promise<void> {
    const { cluster, notes } = this.#parts;
    const { node } = target;
    node.apply("maint", `waits for the operator's copy of ${from}`);
    notes.set(node, "waits for the writes on their way to it to end");
    await cluster.forget(node, `manual resync from ${from}`);
    await this.#arrivals.get(node)?.over;
    await cluster.rest(target);
  }
}
