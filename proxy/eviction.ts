/**
 * At the journal's limit (promise 12): makes room by purging what every member has, before its time (no replay
 * from seq 1 is possible afterwards); if need be at the cost of the members furthest behind, which then need the
 * others' state (bootstrap) instead of what they missed.
 */

import { ERROR_ROWS, type LbError } from "./errors.ts";
import type { Journal } from "./journal/journal.ts";
import type { Log } from "./log.ts";
import type { UpstreamNode } from "./node.ts";
import type { Upstream } from "./upstream.ts";

/** ms */
const SAY_EVERY = 60_000;

export interface EvictionOptions {
  readonly upstream: Upstream;
  readonly journal: Journal;
  readonly minInSync: () => number;
  readonly forget: (node: UpstreamNode, reason: string) => Promise<void>;
  readonly log: Log;
}

export class Eviction {
  readonly #options: EvictionOptions;
  #running: Promise<boolean> | null = null;
  /** When it was last said that writes are refused: monotonic ms. */
  #saidAt = Number.NEGATIVE_INFINITY;

  constructor(options: EvictionOptions) {
    this.#options = options;
  }

  /**
   * Says whether there may be room now; many writes ask at the same time, and it is done once for all.
   * @param error what the write is refused with otherwise
   */
  makeRoom(error: LbError): Promise<boolean> {
    this.#running ??= this.#makeRoom(error).finally(() => {
      this.#running = null;
    });
    return this.#running.then((made) => {
      if (!made) this.#say(error);
      return made;
    });
  }

  /** Once a minute, however many writes are refused. */
  #say({ code, message }: LbError): void {
    if (performance.now() - this.#saidAt < SAY_EVERY) return;
    this.#saidAt = performance.now();
    this.#options.log.alarm("writes are refused", { reason: `${message}. ${ERROR_ROWS[code].next}` });
  }

  async #makeRoom({ code }: LbError): Promise<boolean> {
    const { journal, forget, log } = this.#options;
    const before = journal.first;
    if ((await journal.purge()) > before) return true;
    // The journal is not what takes the room: nothing that it could give up would help.
    if (code === "disk_full") return false;
    if ((await journal.purge(true)) > before) {
      log.alarm("the journal is full: what every member has was purged before its time", {
        first: journal.first,
      });
      return true;
    }
    const victims = this.#victims();
    if (victims.length === 0) return false;
    for (const { name: node, cursor } of victims)
      log.alarm("evicted: the journal is full, and this node holds back its purge", { node, cursor });
    await Promise.all(victims.map((node) => forget(node, "evicted: its backlog outgrew the journal")));
    return (await journal.purge(true)) > before;
  }

  /**
   * The members furthest behind: those away since the same write hold back the purge together. None where others
   * would not gain by it, or too few would be left. One that is in-sync has what it lacks soon, or leaves.
   */
  #victims(): readonly UpstreamNode[] {
    const { upstream, minInSync } = this.#options;
    const { members, inSync } = upstream;
    const lowest = Math.min(...members.map(({ cursor }) => cursor));
    const last = members.filter(({ cursor }) => cursor === lowest);
    if (last.length === members.length || inSync.length < minInSync()) return [];
    return last.some((node) => inSync.includes(node)) ? [] : last;
  }
}
