/**
 * The nodes, and what belongs to each: connections, health, delivery. Wires what one of these parts sees to
 * what another must do; the decisions themselves are in node-state.ts and write.ts.
 */

import { setTimeout as pause } from "node:timers/promises";
import { type Config, ConfigError, type NodeConfig } from "./config/config.ts";
import { type AttemptEnd, Delivery, type Doubt, isFinal } from "./delivery.ts";
import { LbError } from "./errors.ts";
import type { ReadFailure } from "./exchange.ts";
import { type CheckResult, Health } from "./health.ts";
import { traceIdOf } from "./http/headers.ts";
import type { Journal } from "./journal/journal.ts";
import { type Attempt, type LegOutcome, sendLeg, unanswered } from "./leg.ts";
import type { Log } from "./log.ts";
import type { Metrics } from "./metrics/metrics.ts";
import type { UpstreamNode } from "./node.ts";
import { isAnother, noticeState, startProblems } from "./node-identity.ts";
import type { NodeState } from "./node-state.ts";
import { createPools, destroyPools, type NodePools } from "./pool.ts";
import { RecentRecords } from "./recent-records.ts";
import type { JournalRecord, NodeRow } from "./record.ts";
import type { Tracing } from "./tracing/tracing.ts";
import { Upstream } from "./upstream.ts";
import { Writes } from "./writes.ts";

/** More can't be: `limits.writesOpen` bounds what is under way at a time. */
const MOST_UNSETTLED = 1_000_000;

/** A node with everything that works for it. */
export interface Member {
  readonly node: UpstreamNode;
  readonly pools: NodePools;
  readonly delivery: Delivery;
  readonly health: Health;
}

export interface ClusterOptions {
  readonly config: Config;
  readonly journal: Journal;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly tracing: Tracing;
  /** A node without history came up: it needs the others' state. */
  readonly needsHistory: (node: UpstreamNode) => void;
  /** A node answered write `seq` otherwise than the others; by now it may have another state. */
  readonly diverged: (node: UpstreamNode, seq: number) => void;
  /** A node's state turned out to be another one than before; it was the right one at `since` (monotonic ms). */
  readonly replaced: (node: UpstreamNode, since: number) => void;
}

export class Cluster {
  readonly upstream = new Upstream();
  readonly writes: Writes;
  readonly #recent = new RecentRecords();
  readonly #members = new Map<string, Member>();
  /** Removed ones whose last writes are still on their way. */
  readonly #leaving = new Set<Member>();
  readonly #journal: Journal;
  readonly #log: Log;
  readonly #metrics: Metrics;
  readonly #tracing: Tracing;
  readonly #needsHistory: (node: UpstreamNode) => void;
  readonly #replaced: (node: UpstreamNode, since: number) => void;
  #config: Config;

  constructor({ config, journal, log, metrics, tracing, needsHistory, diverged, replaced }: ClusterOptions) {
    this.#config = config;
    this.#journal = journal;
    this.#log = log;
    this.#metrics = metrics;
    this.#tracing = tracing;
    this.#needsHistory = needsHistory;
    this.#replaced = replaced;
    this.writes = new Writes({
      upstream: this.upstream,
      journal,
      deliveries: {
        acceptError: (node, seq) => this.#members.get(node)?.delivery.acceptError(seq),
        setAside: (seq) => this.#each(({ delivery }) => delivery.setAside(seq)),
        putBack: (seq) => this.#each(({ delivery }) => delivery.putBack(seq)),
      },
      settings: () => ({ ...this.#config.writes, routes: this.#config.routes }),
      diverged,
      log,
      metrics,
    });
    this.upstream.onChange((node, from, to) => this.#stateChanged(node, from, to));
  }

  /** Adds the nodes of the config with what the journal knows of them, and starts to check them. */
  async start(): Promise<void> {
    const known = await this.#journal.nodes();
    const problems = startProblems(known, this.#config.nodes);
    if (problems.length > 0) throw new ConfigError(problems);
    const rows = new Map(known.map((row) => [row.name, row]));
    for (const config of this.#config.nodes) {
      const row = rows.get(config.name);
      if (row === undefined) await this.#addNew(config, known.length === 0);
      else if (isAnother(row, config)) await this.#addInstead(config, row);
      else await this.#addKnown(config, row);
      rows.delete(config.name);
    }
    for (const name of rows.keys()) await this.#journal.removeNode(name);
    await this.#recoverWrites();
    this.#each(({ health }) => health.start());
  }

  /**
   * Waits until every node is in-sync, or `timeout` ms: at a start no node is up before its first health check. For
   * whoever has clients waiting already, and would have to refuse the first of them.
   */
  async settled(timeout: number): Promise<void> {
    const end = performance.now() + timeout;
    const { upstream } = this;
    while (upstream.inSync.length < upstream.nodes.length && performance.now() < end) await pause(5);
  }

  /** Nothing is sent to any node from here on. */
  async stop(): Promise<void> {
    this.writes.stop();
    this.#each(({ delivery, health }) => {
      delivery.stop();
      health.stop();
    });
    await Promise.all([...this.#members.values()].map(({ pools }) => destroyPools(pools)));
  }

  /** Follows a new config: nodes removed, added (joining), or re-created where the address changed. */
  async reload(config: Config): Promise<void> {
    this.#config = config;
    for (const { node } of [...this.#members.values()]) {
      const now = config.nodes.find(({ name }) => name === node.name);
      if (now === undefined || now.url !== node.url) await this.remove(node.name);
    }
    for (const now of config.nodes) {
      const member = this.#members.get(now.name);
      if (member !== undefined) this.#configure(member, now);
      else (await this.#addNew(now, false)).health.start();
    }
    this.upstream.reorder(config.nodes.map(({ name }) => name));
    this.#metrics.setNodes(config.nodes.map(({ name }) => name));
    this.writes.reconfigured();
  }

  #configure({ node, health }: Member, { empty }: NodeConfig): void {
    node.empty = empty;
    health.configure(this.#config.health);
  }

  /** For good: what is in flight may end, the journal forgets the node. */
  async remove(name: string): Promise<void> {
    const member = this.#members.get(name);
    if (member === undefined) return;
    this.upstream.remove(name);
    this.#members.delete(name);
    member.health.stop();
    member.delivery.stop();
    this.#leaving.add(member);
    void member.delivery.rest().then(() => this.#leaving.delete(member));
    await this.#journal.removeNode(name);
    const { reads, writes } = member.pools;
    void Promise.all([reads.close(), writes.close()]).catch((error: unknown) =>
      this.#log.bug("remove", error),
    );
  }

  /** Called by the journal with what it has on disk now: the nodes may see it (promise 1). */
  committed(records: readonly JournalRecord[]): void {
    this.#recent.push(records);
    this.writes.committed(records);
    this.#each(({ delivery }) => delivery.wake());
  }

  member(name: string): Member {
    const member = this.#members.get(name);
    if (member !== undefined) return member;
    const names = [...this.#members.keys()].join(", ");
    throw new LbError("unknown_node", `expected one of ${names}, got ${JSON.stringify(name)}`);
  }

  get members(): readonly Member[] {
    return this.upstream.nodes.flatMap(({ name }) => this.#members.get(name) ?? []);
  }

  pools(node: UpstreamNode): NodePools {
    return this.member(node.name).pools;
  }

  /** No write is on its way to the node, nor to its address by a name that was removed. */
  atRest(member: Member): boolean {
    return this.#deliveriesTo(member).every(({ idle }) => idle);
  }

  /** Resolves once that is so for a node that gets nothing new; at the latest after `attemptTimeout`. */
  async rest(member: Member): Promise<void> {
    await Promise.all(this.#deliveriesTo(member).map((delivery) => delivery.rest()));
  }

  /** What the read path saw of a node (passive health). */
  readLeg(node: UpstreamNode, outcome: LegOutcome, startedAt: number, failure: ReadFailure | null): void {
    const ms = performance.now() - startedAt;
    this.#metrics.readLeg(node.name, outcome, ms / 1000);
    if (outcome === "queued") return; // nothing was sent
    node.reads++;
    if (outcome === "ok") return;
    if (outcome !== "aborted") node.readErrors++;
    if (failure !== null) this.#log.legFailed({ node: node.name, outcome, ms, ...failure });
    this.#tellHealth(node, outcome, startedAt);
  }

  /**
   * An operator's skip, for good and on all nodes alike: of a write that is set aside, or that no node has acked
   * so far. Waits for the attempts under way (`writes.attemptTimeout`). Rejects with not_set_aside.
   */
  async skip(seq: number): Promise<void> {
    if (!this.writes.aside.has(seq) && this.writes.isUnanswered(seq)) {
      this.writes.setAside(seq, "an operator gave it up");
    }
    await Promise.all(this.members.map(({ delivery }) => delivery.attemptOver(seq)));
    if (!this.writes.aside.has(seq)) throw notSetAside(seq);
    await this.#journal.setAside(seq, false);
    this.writes.skipped(seq);
    this.#each(({ delivery }) => delivery.skip(seq));
  }

  /** An operator's retry of a write that is set aside. Rejects with not_set_aside. */
  async retry(seq: number): Promise<void> {
    if (!this.writes.aside.has(seq)) throw notSetAside(seq);
    await this.#journal.setAside(seq, false);
    if (!this.writes.aside.has(seq)) throw notSetAside(seq);
    this.writes.putBack(seq);
  }

  /** Makes a node in-sync if it has every answered record. */
  progressed(node: UpstreamNode): void {
    const member = this.#members.get(node.name);
    if (member === undefined || node.state !== "catching-up") return;
    if (member.delivery.caughtUp((seq) => this.writes.mayWait(seq, node.name)))
      node.apply("caught-up", "has caught up");
  }

  /** Records whose outcome an earlier process did not store are decided anew. */
  async #recoverWrites(): Promise<void> {
    for (const { seq, keyHash } of await this.#journal.pending(Number.POSITIVE_INFINITY, "set-aside")) {
      this.writes.aside.add(seq, keyHash);
    }
    for (const { seq, acks, purged } of await this.#journal.pending(MOST_UNSETTLED, "unsettled")) {
      const [record] = purged ? [] : await this.#journal.read(seq, 1);
      if (record !== undefined) this.writes.recover(record, acks);
    }
  }

  async #addNew(config: NodeConfig, founding: boolean): Promise<Member> {
    const member = this.#add(config);
    member.node.history = founding;
    member.node.member = founding;
    await this.#journal.saveNode(member.node.row());
    return member;
  }

  /** Its name is known, and what was known by it is gone. */
  async #addInstead(config: NodeConfig, { name, url }: NodeRow): Promise<void> {
    const reason = `its address changed from ${url} to ${config.url}`;
    this.#log.alarm("node lost its history", { node: name, reason });
    await this.#journal.removeNode(name);
    await this.#addNew(config, false);
  }

  async #addKnown(config: NodeConfig, row: NodeRow): Promise<void> {
    const { node, delivery } = this.#add(config);
    node.restore(row);
    await delivery.restore();
  }

  #add(config: NodeConfig): Member {
    const { writes, limits, health } = this.#config;
    const node = this.upstream.add(config);
    const pooling = {
      readConnections: limits.readConnections,
      writeConnections: writes.window,
      connectTimeout: () => this.#config.writes.sendTimeout,
      headerSize: limits.header,
    };
    const pools = createPools(config.url, pooling, () => this.#members.get(config.name)?.health.broke());
    const delivery = new Delivery({
      node,
      journal: this.#journal,
      recent: this.#recent,
      send: this.#tracing.writes(config, (options) => sendLeg(pools, options)),
      limits: () => ({ ...this.#config.writes, maxAnswer: this.#config.limits.answer }),
      events: {
        acked: (_, record, answer) => this.writes.acked(node, record, answer),
        attempted: (_, record, end) => this.#attempted(node, record, end),
        exhausted: (_, record, attempt) => this.writes.exhausted(node, record, attempt),
        unproven: (_, record, attempt, doubt) => this.#unproven(node, record, attempt, doubt),
        purged: () => node.apply("lost-history", "the journal no longer has what it missed"),
        progressed: () => this.progressed(node),
        link: (record) => this.writes.link(record),
      },
    });
    const member = { node, pools, delivery, health: new Health(node, health, this.#checked) };
    this.#members.set(config.name, member);
    return member;
  }

  readonly #checked = (node: UpstreamNode, result: CheckResult): void => {
    this.#metrics.healthCheck(node.name, result.ok, (performance.now() - result.begunAt) / 1000);
    const { stateId, moved } = node;
    const lost = noticeState(node, result, this.#journal.id);
    if (lost !== null) {
      this.#log.alarm("node lost its history", { node: node.name, reason: lost });
      node.apply("lost-history", lost);
      this.#replaced(node, node.confirmedAt);
    }
    if (lost !== null || node.stateId !== stateId || node.moved !== moved) this.#save(node);
    // A draining node that came up again changes no state; what waits for it goes on all the same.
    this.#members.get(node.name)?.delivery.wake();
  };

  /** One attempt at a record is over, with a final answer or without. */
  #attempted(node: UpstreamNode, record: JournalRecord, { attempt, number, final }: AttemptEnd): void {
    const outcome = legOutcome(attempt);
    this.#metrics.writeLeg(node.name, outcome, attempt.ms / 1000, record.seq);
    if (number > 1) {
      node.retries++;
      this.#metrics.writeRetry(node.name);
    }
    if (final) return;
    node.ackErrors++;
    const { kind, ms } = attempt;
    const came = kind === "answer" ? { status: attempt.status } : { reason: attempt.reason };
    const { seq, route, requestId: id, request } = record;
    const trace = traceIdOf(request.headers);
    this.#log.legFailed({ node: node.name, outcome, attempt: number, ms, seq, route, id, trace, ...came });
    this.writes.failed(node, record, attempt);
    // Timeouts of writes are not health: the app may be busy with just this one.
    if (outcome !== "timeout") this.#tellHealth(node, outcome, 0);
  }

  /**
   * What shows that a node runs is that it acks other records. With a barrier, or where no node is in-sync and so
   * no new write comes, there is none that could: then an answer of any kind has to do.
   */
  #unproven(node: UpstreamNode, record: JournalRecord, attempt: Attempt, doubt: Doubt): void {
    if (!doubt.barrier && this.upstream.inSync.length > 0) return;
    if (node.aliveAt > doubt.since) this.writes.exhausted(node, record, attempt);
    else this.#members.get(node.name)?.health.prove();
  }

  #tellHealth(node: UpstreamNode, outcome: LegOutcome, startedAt: number): void {
    const health = this.#members.get(node.name)?.health;
    if (outcome === "connect") health?.refused("connection refused");
    else if (outcome === "reset") health?.broke();
    else if (outcome === "timeout") health?.timedOut(startedAt);
  }

  #stateChanged(node: UpstreamNode, from: NodeState, to: NodeState): void {
    this.#log.nodeState(node.name, from, to, node.reason);
    this.#metrics.nodeState(node.name, to);
    if (to === "quarantined") this.#metrics.quarantined(node.name);
    this.#save(node);
    if (from === "in-sync") this.writes.nodeLeft(node);
    if (to === "in-sync") this.writes.nodeJoined(node);
    if (to === "joining") this.#needsHistory(node);
    this.#members.get(node.name)?.delivery.wake();
    this.progressed(node);
  }

  /** What the node holds is not known any more: it needs the others' state. */
  async forget(node: UpstreamNode, reason: string): Promise<void> {
    // The journal has forgotten it, or knows another one by its name.
    if (node.removed) return;
    node.apply("lost-history", reason);
    await this.#journal.saveNode(node.row());
  }

  /** Membership and what an operator set outlive a restart. */
  #save(node: UpstreamNode): void {
    if (node.removed) return;
    this.#journal.saveNode(node.row()).catch((error: unknown) => this.#log.bug("save node", error));
  }

  #deliveriesTo(member: Member): Delivery[] {
    const before = [...this.#leaving].filter(({ node }) => node.url === member.node.url);
    return [member, ...before].map(({ delivery }) => delivery);
  }

  #each(act: (member: Member) => void): void {
    for (const member of [...this.#members.values()]) act(member);
  }
}

function notSetAside(seq: number): LbError {
  const detail = `expected a write that is set aside, got write ${seq}, which is not (any more)`;
  return new LbError("not_set_aside", detail);
}

function legOutcome(attempt: Attempt): LegOutcome {
  if (attempt.kind !== "answer") return unanswered(attempt);
  return attempt.status >= 500 ? "http_5xx" : isFinal(attempt.status) ? "ok" : "retry_later";
}
