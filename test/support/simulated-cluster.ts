/**
 * A cluster that was under load for 15 minutes, in a moment: the real history and metrics, fed by a model of nodes with
 * a clock of its own. For looking at the stats page in states that take long to come about.
 */

import type { NodeState, NodeStatus, Status } from "../../proxy/api.ts";
import { ERROR_ROWS } from "../../proxy/errors.ts";
import { History } from "../../proxy/history/history.ts";
import { createMetrics, type Metrics } from "../../proxy/metrics/metrics.ts";
import { FakeControl, type Mutable, node, route } from "../proxy/admin/fake-control.ts";

export interface Scenario {
  readonly nodes: number;
  readonly readsPerSecond: number;
  readonly writesPerSecond: number;
  /** Called for each second, 900 to 0 before now, before it is counted. */
  readonly happens?: (ago: number, cluster: SimulatedCluster) => void;
}

/** How long the model looks back. */
const SECONDS = 900;

export class SimulatedCluster {
  readonly control: FakeControl;
  readonly metrics: Metrics;
  readonly history: History;
  readonly #random = pseudoRandom(7);
  readonly #scenario: Scenario;
  #head = 184_000;
  #now: number;
  /** How many records a second a node that is behind can take. */
  readonly pace = new Map<string, number>();

  constructor(scenario: Scenario) {
    this.#scenario = scenario;
    this.#now = Date.now() - (SECONDS + 1) * 1000;
    const since = this.#now - 3_600_000;
    const names = Array.from({ length: scenario.nodes }, (_, index) => `app${index + 1}`);
    const busy = scenario.readsPerSecond > 0;
    this.control = new FakeControl(
      names.map((name) =>
        node(name, { since, cursor: this.#head, reads: busy ? 4_000_000 : 0, acks: busy ? 184_000 : 0 }),
      ),
    );
    this.control.more = {
      cluster: "shop",
      startedAt: since,
      head: this.#head,
      members: names.length,
      connections: busy ? 64 : 0,
      routes: [
        route("writes", { to: "all", policy: "all", match: "POST /register, /changePassword" }),
        route("reads", { match: "GET, HEAD *" }),
      ],
    };
    this.metrics = createMetrics({
      routes: [
        { name: "writes", to: "all" },
        { name: "reads", to: "one" },
      ],
      nodes: names,
      codes: Object.keys(ERROR_ROWS),
    });
    this.metrics.watch(this.control);
    this.history = new History({ control: this.control, metrics: this.metrics });
  }

  /** Lives through the 15 minutes. */
  run(): this {
    for (let ago = SECONDS; ago >= 0; ago--) {
      this.#now += 1000;
      this.#scenario.happens?.(ago, this);
      this.#second();
      this.history.sample(this.#now);
    }
    return this;
  }

  node(name: string): Mutable<NodeStatus> {
    const found = this.control.nodes.find((one) => one.name === name);
    if (found === undefined) throw new Error(`no node ${name}`);
    return found;
  }

  set(name: string, state: NodeState, reason: string): void {
    const one = this.node(name);
    const from = one.state;
    Object.assign(one, { state, reason, since: this.#now });
    this.history.nodeChanged(name, from, state, reason, this.#now);
  }

  get now(): number {
    return this.#now;
  }

  /** One second's requests, with a slow wave and some noise in their number. */
  #second(): void {
    const wave = 1 + 0.12 * Math.sin(this.#now / 70_000) + 0.04 * (this.#random() - 0.5);
    const reads = Math.round(this.#scenario.readsPerSecond * wave);
    const writes = Math.round(this.#scenario.writesPerSecond * wave);
    const serving = this.control.nodes.filter(({ state }) => state === "in-sync");
    for (let index = 0; index < reads; index++) this.#read(serving);
    for (let index = 0; index < writes; index++) this.#write();
    for (const one of this.control.nodes) this.#deliver(one, writes);
    this.#count(reads, writes);
  }

  #read(serving: readonly Mutable<NodeStatus>[]): void {
    const seconds = this.#seconds(0.0016);
    this.metrics.readDone("reads", 200, seconds);
    const one = serving[Math.floor(this.#random() * serving.length)];
    if (one === undefined) return;
    one.reads++;
    this.metrics.readLeg(one.name, "ok", seconds * 0.9);
  }

  #write(): void {
    this.#head++;
    this.metrics.writeDone("writes", {
      policy: "all",
      outcome: "ok",
      status: 201,
      seconds: this.#seconds(0.006),
      seq: this.#head,
    });
  }

  #deliver(one: Mutable<NodeStatus>, writes: number): void {
    const takes = !["down", "maint", "joining", "quarantined"].includes(one.state);
    const most = this.pace.get(one.name) ?? Number.POSITIVE_INFINITY;
    const done = takes ? Math.min(this.#head - one.cursor, most) : 0;
    for (let index = 0; index < Math.min(done, 200); index++)
      this.metrics.writeLeg(one.name, "ok", this.#seconds(0.004), one.cursor + index + 1);
    one.cursor += done;
    one.acks += done;
    one.lag = this.#head - one.cursor;
    one.catchUpRate = done;
    one.catchUpEta = one.lag === 0 ? 0 : done > writes ? one.lag / (done - writes) : null;
    one.oldestUndelivered = writes === 0 ? 0 : one.lag / writes;
    one.inFlightReads = one.state === "in-sync" ? Math.floor(this.#random() * 4) : 0;
    one.inFlightWrites = takes && writes > 0 ? Math.floor(this.#random() * 3) : 0;
    const ok = one.state !== "down";
    const detail = ok ? "200 in 1 ms" : (one.reason ?? "");
    one.connections = ok ? 4 : 0;
    one.lastCheck = { ok, at: this.#now - 400, detail };
  }

  #count(reads: number, writes: number): void {
    const before: Status = this.control.status();
    const [first, second] = before.routes;
    if (first === undefined || second === undefined) return;
    this.control.more = {
      ...this.control.more,
      head: this.#head,
      journalBytes: 61_000_000 + (this.#head - 184_000) * 420,
      writesOpen: writes > 0 ? 2 : 0,
      routes: [
        { ...first, requests: first.requests + writes, inFlight: writes > 0 ? 2 : 0 },
        { ...second, requests: second.requests + reads, inFlight: reads > 0 ? 3 : 0 },
      ],
      totals: {
        ...before.totals,
        reads: (this.control.more.totals?.reads ?? 0) + reads,
        writes: (this.control.more.totals?.writes ?? 0) + writes,
      },
    };
  }

  /** Around `middle`, with a long tail. */
  #seconds(middle: number): number {
    const spread = -Math.log(1 - this.#random() * 0.999);
    return middle * (0.5 + spread * 0.7);
  }
}

/** The same numbers each time (mulberry32). */
function pseudoRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
