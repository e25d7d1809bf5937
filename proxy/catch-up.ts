/** How fast each node's cursor moves, and when it will have caught up: from samples of the last seconds. */

/** What is sampled. */
export interface Cursors {
  readonly head: number;
  readonly nodes: readonly CursorOf[];
}

interface CursorOf {
  readonly name: string;
  readonly cursor: number;
  /** When its last bootstrap ended (monotonic ms): its cursor was set then, not moved. */
  readonly bootstrappedAt: number;
}

export interface CatchUpSpeed {
  /** Records per second that the cursor moved. */
  readonly rate: number;
  /** Seconds until the lag is gone if all goes on like that; 0 without lag, null while the lag does not shrink. */
  readonly eta: number | null;
}

interface Sample {
  readonly at: number;
  readonly head: number;
  readonly cursor: number;
  readonly bootstrappedAt: number;
}

const INTERVAL = 1000;
/** Seconds that are looked at: a scrape each 15 s misses nothing. */
const WINDOW = 15;

export class CatchUp {
  readonly #cursors: () => Cursors;
  readonly #samples = new Map<string, Sample[]>();
  readonly #timer: NodeJS.Timeout;

  /** Samples once a second until `stop`. */
  constructor(cursors: () => Cursors) {
    this.#cursors = cursors;
    this.#timer = setInterval(() => this.sample(performance.now()), INTERVAL);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** @param now monotonic ms */
  sample(now: number): void {
    const { head, nodes } = this.#cursors();
    const names = new Set(nodes.map(({ name }) => name));
    for (const name of this.#samples.keys()) if (!names.has(name)) this.#samples.delete(name);
    for (const { name, cursor, bootstrappedAt } of nodes) {
      const before = this.#samples.get(name) ?? [];
      const last = before.at(-1);
      const moved = last === undefined || (last.bootstrappedAt === bootstrappedAt && last.cursor <= cursor);
      const kept = moved ? before.slice(-WINDOW) : [];
      this.#samples.set(name, [...kept, { at: now, head, cursor, bootstrappedAt }]);
    }
  }

  /** What the samples of a node say; nothing is known in its first second: it has not moved. */
  speed(name: string): CatchUpSpeed {
    const samples = this.#samples.get(name) ?? [];
    const [first] = samples;
    const last = samples.at(-1);
    if (first === undefined || last === undefined) return { rate: 0, eta: null };
    const seconds = (last.at - first.at) / 1000;
    const rate = seconds > 0 ? (last.cursor - first.cursor) / seconds : 0;
    const lag = last.head - last.cursor;
    if (lag <= 0) return { rate, eta: 0 };
    const shrinks = first.head - first.cursor - lag;
    return { rate, eta: shrinks > 0 ? (lag * seconds) / shrinks : null };
  }
}
