/**
 * At the journal's limit (promise 12): makes room by purging what every member has, before its time (no replay
 * from seq 1 is possible afterwards); if need be at the cost of the member furthest behind, which then needs the
 * others' state (bootstrap) instead of what it missed.
 */

import type { Journal } from "./journal/journal.ts";
import type { Log } from "./log.ts";
import type { UpstreamNode } from "./node.ts";
import type { Upstream } from "./upstream.ts";

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

  constructor(options: EvictionOptions) {
    this.#options = options;
  }

  /** Says whether there may be room now; many writes ask at the same time, and it is done once for all. */
  makeRoom(): Promise<boolean> {
    this.#running ??= this.#makeRoom().finally(() => {
      this.#running = null;
    });
    return this.#running;
  }

  async #makeRoom(): Promise<boolean> {
    const { journal, forget, log } = this.#options;
    const before = journal.first;
    if ((await journal.purge()) > before) return true;
    if ((await journal.purge(true)) > before) {
      log.alarm("the journal is full: what every member has was purged before its time", {
        first: journal.first,
      });
      return true;
    }
    const victim = this.#victim();
    if (victim === null) return false;
    log.alarm("evicted: the journal is full, and this node holds back its purge", {
      node: victim.name,
      cursor: victim.cursor,
    });
    await forget(victim, "evicted: its backlog outgrew the journal");
    return (await journal.purge(true)) > before;
  }

  /** The member furthest behind, if it alone holds back the purge, and enough others serve. */
  #victim(): UpstreamNode | null {
    const { upstream, minInSync } = this.#options;
    const [last, next] = upstream.members.toSorted((a, b) => a.cursor - b.cursor);
    if (last === undefined || next === undefined || last.cursor === next.cursor) return null;
    return upstream.inSync.filter((node) => node !== last).length < minInSync() ? null : last;
  }
}
