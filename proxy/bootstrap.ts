/**
 * Gives a node without history the state of the others (DESIGN §3): by replay from seq 1 where that is whole,
 * else by a snapshot that a donor streams to it, else it waits for an operator's copy and says so.
 */

import { request } from "undici";
import type { Cluster, Member } from "./cluster.ts";
import type { Config } from "./config/config.ts";
import { LbError } from "./errors.ts";
import type { Journal } from "./journal/journal.ts";
import { reasonOf } from "./leg.ts";
import type { Log } from "./log.ts";
import type { BootstrapKind, Metrics } from "./metrics/metrics.ts";
import type { UpstreamNode } from "./node.ts";

export interface BootstrapOptions {
  readonly cluster: Cluster;
  readonly journal: Journal;
  readonly config: () => Config;
  readonly log: Log;
  readonly metrics: Metrics;
}

/** ms: how long a donor may take to come to rest and to begin its snapshot; deliveries to it wait so long. */
const HOLD_TIMEOUT = 30_000;
/** ms: how long a whole snapshot may take. */
const COPY_TIMEOUT = 3_600_000;
/** ms between two tries. */
const RETRY = 2_000;

interface ManualCopy {
  readonly seq: number;
  /** Lets the donor's deliveries go on. */
  readonly release: () => void;
}

export class Bootstrap {
  readonly #options: BootstrapOptions;
  /** What is going on with a node, or what it waits for; for `status`. */
  readonly #notes = new Map<string, string>();
  readonly #running = new Set<UpstreamNode>();
  readonly #manual = new Map<string, ManualCopy>();
  readonly #stop = new AbortController();

  constructor(options: BootstrapOptions) {
    this.#options = options;
  }

  note(name: string): string | null {
    return this.#notes.get(name) ?? null;
  }

  stop(): void {
    this.#stop.abort();
  }

  /** Other nodes were removed: no donor waits for a copy to them any more. */
  keepOnly(names: readonly string[]): void {
    for (const [name, { release }] of [...this.#manual]) {
      if (names.includes(name)) continue;
      release();
      this.#manual.delete(name);
    }
  }

  /** A node in `joining` came up: gives it what it lacks, in the background, until it has it. */
  begin(node: UpstreamNode): void {
    if (this.#running.has(node) || this.#manual.has(node.name)) return;
    this.#running.add(node);
    void this.#untilDone(node).finally(() => this.#running.delete(node));
  }

  /** An operator asks for it: the node's state is thrown away and made anew from a donor. */
  async resync(name: string, from: string | undefined): Promise<{ from: string }> {
    const { cluster, journal } = this.#options;
    const { node } = cluster.member(name);
    const donor = this.#donorFor(node, from);
    if (this.#options.config().app.snapshot === null) {
      const detail = `the app offers no snapshot (app.snapshot); use --from ${donor.node.name} --manual`;
      throw new LbError("no_bootstrap", detail);
    }
    this.#refuseLast(node);
    this.#refuseSetAside(journal.head);
    if (this.#running.has(node)) return { from: donor.node.name };
    // Before it is in `joining`, which would begin something else.
    this.#running.add(node);
    await cluster.forget(node, `resync from ${donor.node.name}`).catch((error: unknown) => {
      this.#running.delete(node);
      throw error;
    });
    node.apply("ready", "resync");
    void this.#snapshot(cluster.member(name), donor)
      .catch((error: unknown) => this.#failed(node, "snapshot", error))
      .finally(() => {
        this.#running.delete(node);
        if (node.state === "joining") this.begin(node);
      });
    return { from: donor.node.name };
  }

  /** Holds the donor at a seq until the operator's copy is in place (`resyncDone`). */
  async resyncManual(name: string, from: string | undefined): Promise<{ from: string; seq: number }> {
    const { cluster, journal } = this.#options;
    const { node } = cluster.member(name);
    const donor = this.#donorFor(node, from);
    this.#refuseLast(node);
    this.#refuseSetAside(journal.head);
    node.apply("maint", `waits for the operator's copy of ${donor.node.name}`);
    await cluster.forget(node, `manual resync from ${donor.node.name}`);
    this.#manual.get(name)?.release();
    this.#manual.delete(name);
    const seq = journal.head;
    const release = await this.#hold(donor, seq);
    this.#manual.set(name, { seq, release });
    this.#notes.set(
      name,
      `manual copy of ${donor.node.name} at seq ${seq}; then: lbctl nodes resync ${name} --done`,
    );
    return { from: donor.node.name, seq };
  }

  /** The operator's copy is in place: the node goes on from where its donor was held. */
  async resyncDone(name: string): Promise<void> {
    const { cluster } = this.#options;
    const member = cluster.member(name);
    const copy = this.#manual.get(name);
    if (copy === undefined) throw new LbError("not_resyncing", `${name} has no manual resync under way`);
    this.#manual.delete(name);
    copy.release();
    await this.#took(member, copy.seq, "manual");
    member.node.apply("ready", "the operator's copy is in place");
  }

  async #untilDone(node: UpstreamNode): Promise<void> {
    while (node.state === "joining" && !this.#stop.signal.aborted) {
      try {
        await this.#once(node);
      } catch (error) {
        this.#failed(node, "snapshot", error);
      }
      if (node.state === "joining") await this.#wait();
    }
  }

  async #once(node: UpstreamNode): Promise<void> {
    const { cluster, journal, config } = this.#options;
    const member = cluster.member(node.name);
    if (node.empty && node.blank && journal.first === 1 && journal.foundedEmpty) {
      this.#notes.set(node.name, "replay from seq 1");
      await this.#took(member, 0, "replay");
    } else if (config().app.snapshot !== null) {
      const donor = this.#donors(node)[0];
      if (donor === undefined) this.#notes.set(node.name, "waits for an in-sync node to copy from");
      else await this.#snapshot(member, donor);
    } else this.#notes.set(node.name, this.#advice(node));
  }

  /** A donor's deliveries pause until its point-in-time copy is fixed, then its stream goes to the node. */
  async #snapshot({ node, delivery }: Member, donor: Member): Promise<void> {
    const path = this.#options.config().app.snapshot ?? "/";
    const from = donor.node.name;
    this.#notes.set(node.name, `snapshot from ${from}`);
    const seq = this.#options.journal.head;
    this.#options.log.bootstrap({ node: node.name, kind: "snapshot", step: "begin", from, seq });
    const copying = AbortSignal.any([this.#stop.signal, AbortSignal.timeout(COPY_TIMEOUT)]);
    const release = await this.#hold(donor, seq);
    let copy: Awaited<ReturnType<typeof request>>;
    try {
      copy = await request(new URL(path, donor.node.url), { signal: copying, headersTimeout: HOLD_TIMEOUT });
    } finally {
      release();
    }
    if (copy.statusCode !== 200) {
      await copy.body.dump();
      throw new LbError(
        "snapshot_failed",
        `expected 200 from GET ${path} of ${from}, got ${copy.statusCode}`,
      );
    }
    // From here on it may hold anything.
    node.blank = false;
    await this.#options.journal.saveNode(node.row());
    const type = copy.headers["content-type"];
    const taken = await request(new URL(path, node.url), {
      method: "PUT",
      body: copy.body,
      headers: { "content-type": typeof type === "string" ? type : "application/octet-stream" },
      signal: copying,
      headersTimeout: COPY_TIMEOUT,
    });
    await taken.body.dump();
    if (taken.statusCode >= 300) {
      throw new LbError(
        "snapshot_failed",
        `expected 2xx from PUT ${path} of ${node.name}, got ${taken.statusCode}`,
      );
    }
    await this.#took({ node, delivery }, seq, "snapshot");
  }

  /** Brings the donor to rest at `seq`; gives what lets it go on. */
  async #hold(donor: Member, seq: number): Promise<() => void> {
    const signal = AbortSignal.any([this.#stop.signal, AbortSignal.timeout(HOLD_TIMEOUT)]);
    const release = await donor.delivery.hold(seq, signal);
    try {
      this.#refuseSetAside(seq);
      return release;
    } catch (error) {
      release();
      throw error;
    }
  }

  /** A donor does not have what is set aside, and a node that goes on behind it would never get it. */
  #refuseSetAside(seq: number): void {
    const open = [...this.#options.cluster.writes.aside].filter((aside) => aside <= seq);
    if (open.length === 0) return;
    const which = `write ${Math.min(...open)} is set aside, and no copy would have it`;
    throw new LbError("no_bootstrap", `${which}; lbctl writes retry ${open[0]} or skip ${open[0]} first`);
  }

  async #took(
    { node, delivery }: Pick<Member, "node" | "delivery">,
    seq: number,
    kind: BootstrapKind,
  ): Promise<void> {
    // Removed meanwhile, or another machine by the same name: what was copied is not that one's.
    if (this.#options.cluster.upstream.get(node.name) !== node) return;
    // An app's state has a new id after an import; the next check tells.
    node.stateId = null;
    node.bootstrappedAt = performance.now();
    await delivery.restart(seq);
    this.#notes.delete(node.name);
    this.#options.metrics.bootstrap(node.name, kind, true);
    this.#options.log.bootstrap({ node: node.name, kind, step: "done", seq });
    node.apply("bootstrapped", `${kind} up to seq ${seq}`);
  }

  #failed(node: UpstreamNode, kind: BootstrapKind, error: unknown): void {
    if (this.#stop.signal.aborted) return;
    this.#notes.set(node.name, `${kind} failed: ${reasonOf(error)}; tries again`);
    this.#options.metrics.bootstrap(node.name, kind, false);
    this.#options.log.bootstrap({ node: node.name, kind, step: "failed", error });
  }

  #donors(node: UpstreamNode): readonly Member[] {
    return this.#options.cluster.members.filter(
      (other) => other.node !== node && other.node.state === "in-sync",
    );
  }

  #donorFor(node: UpstreamNode, from: string | undefined): Member {
    const donors = this.#donors(node);
    const donor = from === undefined ? donors[0] : donors.find((member) => member.node.name === from);
    if (donor !== undefined) return donor;
    const names = donors.map((member) => member.node.name).join(", ") || "none is in-sync";
    throw new LbError(
      "no_donor",
      `expected an in-sync donor other than ${node.name} (${names}), got ${from ?? "none"}`,
    );
  }

  #refuseLast(node: UpstreamNode): void {
    const { inSync } = this.#options.cluster.upstream;
    if (inSync.length === 1 && inSync[0] === node) {
      throw new LbError(
        "last_in_sync",
        `${node.name} is the last in-sync node: nobody could give it its state`,
      );
    }
  }

  #advice(node: UpstreamNode): string {
    const why = node.empty
      ? "the journal does not reach back to an empty beginning"
      : "it is not declared empty, and what it holds is not known";
    return `cannot be brought in by itself: ${why}, and the app offers no snapshot; lbctl nodes resync ${node.name} --from DONOR --manual`;
  }

  #wait(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, RETRY);
      this.#stop.signal.addEventListener("abort", () => {
        clearTimeout(timer);
        resolve();
      });
    });
  }
}
