/** What an operator sees and may do: the admin listener's view of the balancer. */

import type {
  Certificate,
  FollowedWrite,
  NodeStatus,
  ResyncRequest,
  ResyncStarted,
  RouteStatus,
  Status,
  VerifyReport,
  WriteDetails,
} from "./api.ts";
import type { Bootstrap } from "./bootstrap/bootstrap.ts";
import type { CatchUp } from "./catch-up.ts";
import type { Cluster, Member } from "./cluster.ts";
import type { Config, RouteConfig } from "./config/config.ts";
import { formatDuration } from "./config/units.ts";
import type { Control } from "./control.ts";
import { LbError } from "./errors.ts";
import { followWrite } from "./followed-write.ts";
import type { Clients } from "./http/clients.ts";
import { traceIdOf } from "./http/headers.ts";
import type { Journal } from "./journal/journal.ts";
import type { UpstreamNode } from "./node.ts";
import type { WriteStory } from "./record.ts";
import type { Replies } from "./replies.ts";
import { verifyNodes } from "./verify.ts";

/** Facts of the process that the operator's view shows beside the nodes. */
export interface ProcessFacts {
  readonly version: string;
  readonly startedAt: number;
  readonly listen: () => string;
  readonly clients: Clients;
  /** Of each listener; null without TLS. */
  readonly certificates: () => readonly {
    readonly listener: Certificate["listener"];
    readonly expiresAt: number | null;
  }[];
  readonly draining: () => boolean;
  readonly reload: () => Status["reload"];
  readonly routeCounts: (name: string) => Pick<RouteStatus, "requests" | "errors" | "inFlight">;
  readonly sums: () => { readonly divergent: number; readonly ambiguous: number };
}

export interface OperatorOptions {
  readonly cluster: Cluster;
  readonly journal: Journal;
  readonly bootstrap: Bootstrap;
  readonly catchUp: CatchUp;
  readonly replies: Replies;
  readonly config: () => Config;
  readonly facts: ProcessFacts;
}

export class Operator implements Control {
  readonly #options: OperatorOptions;
  /** One node is held at a seq by one task at a time. */
  #verifying: Promise<VerifyReport> | null = null;

  constructor(options: OperatorOptions) {
    this.#options = options;
  }

  status(): Status {
    const { cluster, journal, config, facts } = this.#options;
    const { upstream, writes } = cluster;
    const { usedBytes, maxBytes, diskFree, diskSize } = journal.stats;
    const bytes = facts.clients.bytes();
    return {
      cluster: config().cluster,
      version: facts.version,
      pid: process.pid,
      startedAt: facts.startedAt,
      listen: facts.listen(),
      head: journal.head,
      first: journal.first,
      inSync: upstream.inSync.length,
      members: upstream.members.length,
      minInSync: config().writes.minInSync,
      connections: facts.clients.open,
      connectionsAccepted: facts.clients.accepted,
      bytesIn: bytes.in,
      bytesOut: bytes.out,
      journalBytes: usedBytes,
      journalMaxBytes: maxBytes,
      journalDisk: { free: diskFree, size: diskSize },
      writesOpen: writes.size,
      setAside: writes.aside.size,
      draining: facts.draining(),
      nodes: cluster.members.map((member) => this.#nodeStatus(member)),
      routes: config().routes.map((route) => ({ ...describe(route), ...facts.routeCounts(route.name) })),
      reload: facts.reload(),
      totals: this.#totals(),
      certificates: facts
        .certificates()
        .flatMap(({ listener, expiresAt }) => (expiresAt === null ? [] : { listener, expiresAt })),
      activeSeconds: {
        main: performance.eventLoopUtilization().active / 1000,
        journal: journal.activeTime / 1000,
      },
    };
  }

  isReady(): boolean {
    const { cluster, config, facts } = this.#options;
    return !facts.draining() && cluster.upstream.inSync.length >= config().writes.minInSync;
  }

  async drain(name: string, force: boolean): Promise<NodeStatus> {
    return this.#takeOut(name, "drain", force);
  }

  async maint(name: string, force: boolean): Promise<NodeStatus> {
    return this.#takeOut(name, "maint", force);
  }

  async ready(name: string, force = false): Promise<NodeStatus> {
    const member = this.#options.cluster.member(name);
    const { node } = member;
    refuseQuarantined(node, force);
    this.#options.bootstrap.giveUp(node, "an operator said ready");
    node.apply("ready", "an operator said ready");
    await this.#options.journal.flush();
    return this.#nodeStatus(member);
  }

  async resync(name: string, { from, manual = false }: ResyncRequest): Promise<ResyncStarted> {
    const { bootstrap } = this.#options;
    if (!manual) {
      const started = await bootstrap.resync(name, from);
      return {
        node: name,
        ...started,
        manual,
        seq: null,
        next: `lbctl status shows when ${name} is in-sync`,
      };
    }
    const held = await bootstrap.resyncManual(name, from);
    const within = formatDuration(this.#options.config().limits.manualCopyTimeout);
    const next = `within ${within} copy the state of ${held.from} to ${name}, then: lbctl nodes resync ${name} --done`;
    return { node: name, ...held, manual, next: next + this.#whatWaits(held.from) };
  }

  /** While a donor is held its acks are missing: where nobody else's will do, the operator has to know. */
  #whatWaits(donor: string): string {
    const { cluster, config } = this.#options;
    const others = cluster.upstream.inSync.filter(({ name }) => name !== donor).length;
    if (others === 0) return "; no other node is in-sync: until then every write waits (504 ack_timeout)";
    const asked = config().routes.some((route) => route.to === "all" && route.ack === "quorum");
    return asked && others < cluster.upstream.quorum
      ? "; until then there is no quorum: such writes are refused"
      : "";
  }

  async resyncDone(name: string): Promise<NodeStatus> {
    await this.#options.bootstrap.resyncDone(name);
    return this.#nodeStatus(this.#options.cluster.member(name));
  }

  async writes(pending: boolean, limit: number): Promise<readonly FollowedWrite[]> {
    const { journal } = this.#options;
    const stories = pending ? await journal.pending(limit) : await this.#newest(limit);
    return stories.map((story) => this.#follow(story));
  }

  async write(seq: number): Promise<WriteDetails> {
    const { journal } = this.#options;
    const story = await journal.story(seq);
    if (story === null) {
      const { first, head } = journal;
      throw new LbError("unknown_write", `expected a seq of ${first} to ${head}, got ${seq}`);
    }
    const [record] = story.purged ? [] : await journal.read(seq, 1);
    const traceId = traceIdOf(record?.request.headers ?? []) ?? null;
    return { ...this.#follow(story), requestId: record?.requestId ?? null, traceId };
  }

  async retryWrite(seq: number): Promise<WriteDetails> {
    await this.write(seq);
    await this.#options.cluster.retry(seq);
    return await this.write(seq);
  }

  async skipWrite(seq: number): Promise<WriteDetails> {
    await this.write(seq);
    await this.#options.cluster.skip(seq);
    return await this.write(seq);
  }

  verify(): Promise<VerifyReport> {
    const { cluster, journal, config } = this.#options;
    this.#verifying ??= verifyNodes(cluster, journal, config().app.digest).finally(() => {
      this.#verifying = null;
    });
    return this.#verifying;
  }

  async #newest(limit: number): Promise<readonly WriteStory[]> {
    const { journal } = this.#options;
    const stories: WriteStory[] = [];
    for (let seq = journal.head; seq > 0 && stories.length < limit; seq--) {
      const story = await journal.story(seq);
      if (story === null) break;
      stories.push(story);
    }
    return stories.reverse();
  }

  #follow(story: WriteStory): FollowedWrite {
    const { cluster, replies, config } = this.#options;
    const { routes, writes } = config();
    const route = routes.find(({ name }) => name === story.route);
    return followWrite(story, {
      nodes: cluster.members.map(({ node, delivery }) => ({
        node,
        progress: delivery.progressOf(story.seq),
      })),
      replies: replies.of(story.seq),
      policy: route?.to === "all" ? route.ack : null,
      sendTimeout: writes.sendTimeout,
      now: Date.now(),
    });
  }

  async #takeOut(name: string, event: "drain" | "maint", force: boolean): Promise<NodeStatus> {
    const { cluster, journal, bootstrap } = this.#options;
    const member = cluster.member(name);
    refuseQuarantined(member.node, force);
    const { inSync } = cluster.upstream;
    if (!force && inSync.length === 1 && inSync[0] === member.node) {
      throw new LbError(
        "last_in_sync",
        `${name} is the last in-sync node: without it no request is answered`,
      );
    }
    bootstrap.giveUp(member.node, `an operator said ${event}`);
    member.node.apply(event, `an operator said ${event}`);
    // It outlives the process from the moment that the operator is told of it.
    await journal.flush();
    return this.#nodeStatus(member);
  }

  #nodeStatus({ node, health, delivery, pools }: Member): NodeStatus {
    const lag = Math.max(0, this.#options.journal.head - node.cursor);
    const { rate, eta } = this.#options.catchUp.speed(node.name);
    return {
      name: node.name,
      url: node.url,
      state: node.state,
      since: node.since,
      reason: node.reason,
      member: node.member,
      cursor: node.cursor,
      lag,
      oldestUndelivered: lag === 0 ? 0 : delivery.oldestAge(Date.now()) / 1000,
      catchUpRate: rate,
      catchUpEta: lag === 0 || node.state === "in-sync" ? 0 : eta,
      connections: pools.reads.connected + pools.writes.stats.connected,
      inFlightReads: node.readsInFlight,
      inFlightWrites: node.writesInFlight,
      reads: node.reads,
      readErrors: node.readErrors,
      acks: node.acks,
      ackErrors: node.ackErrors,
      retries: node.retries,
      lastCheck: health.last && { ok: health.last.ok, at: health.last.at, detail: health.last.detail },
      bootstrap: this.#bootstrapNote(node),
      held: this.#options.bootstrap.held(node),
    };
  }

  #totals(): Status["totals"] {
    const { cluster, config, facts } = this.#options;
    const totals = { reads: 0, readErrors: 0, writes: 0, writeErrors: 0, retries: 0, ...facts.sums() };
    for (const { name, to } of config().routes) {
      const { requests, errors } = facts.routeCounts(name);
      totals[to === "one" ? "reads" : "writes"] += requests;
      totals[to === "one" ? "readErrors" : "writeErrors"] += errors;
    }
    for (const { node } of cluster.members) totals.retries += node.retries;
    return totals;
  }

  #bootstrapNote(node: UpstreamNode): string | null {
    return node.history ? null : this.#options.bootstrap.note(node);
  }
}

/** Quarantine must not be got rid of by the way. */
function refuseQuarantined({ name, state, reason }: UpstreamNode, force: boolean): void {
  if (state === "quarantined" && !force)
    throw new LbError("quarantined", `${name} is quarantined: ${reason}`);
}

function describe(route: RouteConfig): Pick<RouteStatus, "name" | "to" | "policy" | "match"> {
  const { name, to, match } = route;
  const where = [...(match.paths ?? []), ...(match.prefixes ?? []).map((prefix) => `${prefix}…`)];
  return {
    name,
    to,
    policy: route.to === "one" ? route.balance : route.ack,
    match: `${match.methods.join(" ")} ${where.length > 0 ? where.join(", ") : "*"}`,
  };
}
