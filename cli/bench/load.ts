import { Arrivals } from "./arrivals.ts";
import { Latency } from "./latency.ts";
import { ReadLoad } from "./load-reads.ts";
import type { LoadOptions } from "./load-shared.ts";
import { WriteLoad } from "./load-writes.ts";
import type { BenchSettings } from "./options.ts";
import { seededRandom } from "./random.ts";
import type { Exchange, Sender } from "./sender.ts";
import { Tally } from "./tally.ts";

/**
 * The open loop: sends each request when it is due, whatever became of those before it, and counts its latency from
 * when it was due. Whatever cannot be sent is an error, never left out.
 */
export class Load {
  readonly reads: ReadLoad;
  readonly writes: WriteLoad;
  /** How late requests left, in ms: the generator's own fault, and part of the latencies. */
  readonly sendLag = new Latency();
  readonly startedAt = performance.now();
  inFlightMax = 0;
  readonly #options: LoadOptions;
  readonly #readArrivals: Arrivals;
  readonly #writeArrivals: Arrivals;
  readonly #end = Promise.withResolvers<void>();
  #allSent = false;

  constructor(options: LoadOptions) {
    this.#options = options;
    const { settings } = options;
    this.#readArrivals = arrivals(settings, settings.reads, 1);
    this.#writeArrivals = arrivals(settings, settings.writes, 2);
    const shared = {
      ...options,
      random: seededRandom(settings.seed),
      ended: () => this.#finishIfIdle(),
      send: (sender: Sender, exchange: Exchange, intendedAt: number) => {
        sender.send(exchange);
        this.sendLag.record(exchange.sentAt - intendedAt);
      },
    };
    this.reads = new ReadLoad(shared, new Tally(this.startedAt + settings.durationMs));
    this.writes = new WriteLoad(shared, new Tally(this.startedAt + settings.durationMs));
  }

  get inFlight(): number {
    return this.#options.senders.reads.inFlight + this.writes.inFlight;
  }

  /** Runs the whole schedule, and returns when the last answer is in or given up on. */
  async run(): Promise<void> {
    const { signal } = this.#options;
    const stop = () => this.#end.reject(signal.reason);
    signal.addEventListener("abort", stop, { once: true });
    if (signal.aborted) stop();
    else this.#wake();
    await this.#end.promise.finally(() => signal.removeEventListener("abort", stop));
  }

  /** Sends all that is due, then sleeps until the next is. */
  #wake(): void {
    if (this.#options.signal.aborted) return;
    const elapsed = performance.now() - this.startedAt;
    const last = this.#writeArrivals;
    while (last.next <= elapsed) {
      const due = last.take();
      this.writes.due(this.startedAt + due, last.next === Number.POSITIVE_INFINITY);
    }
    while (this.#readArrivals.next <= elapsed) this.reads.due(this.startedAt + this.#readArrivals.take());
    this.inFlightMax = Math.max(this.inFlightMax, this.inFlight);
    this.#sleep(elapsed);
  }

  #sleep(elapsed: number): void {
    const { durationMs } = this.#options.settings;
    const next = Math.min(this.#writeArrivals.next, this.#readArrivals.next);
    // The load lasts for its whole duration, also when the gap behind the last arrival is long.
    const wakeAt = next === Number.POSITIVE_INFINITY && elapsed < durationMs ? durationMs : next;
    if (wakeAt !== Number.POSITIVE_INFINITY) {
      setTimeout(() => this.#wake(), Math.max(1, this.startedAt + wakeAt - performance.now()));
      return;
    }
    this.#allSent = true;
    this.#finishIfIdle();
  }

  #finishIfIdle(): void {
    if (this.#allSent && this.inFlight === 0) this.#end.resolve();
  }
}

function arrivals(settings: BenchSettings, rate: number, stream: number): Arrivals {
  const { durationMs, slotMs, seed } = settings;
  const random = settings.arrivals === "poisson" ? seededRandom(seed + stream * 7919) : null;
  return new Arrivals({ rate, durationMs, slotMs, random });
}
