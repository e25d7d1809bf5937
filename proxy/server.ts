/** The balancer, put together: every moving part on one screen; stopped in reverse. */

import { setTimeout as timeout } from "node:timers/promises";
import { AdminServer } from "./admin/admin.ts";
import { Bootstrap } from "./bootstrap/bootstrap.ts";
import { Broadcaster } from "./broadcaster.ts";
import { CatchUp } from "./catch-up.ts";
import { Cluster } from "./cluster.ts";
import { type Config, ConfigError } from "./config/config.ts";
import { changedSettings, restartProblems } from "./config/settings.ts";
import { readTls } from "./config/tls-files.ts";
import { ERROR_ROWS, type LbError } from "./errors.ts";
import { Eviction } from "./eviction.ts";
import { History } from "./history/history.ts";
import { createTrafficServer } from "./http/http-server.ts";
import type { JournalLimits } from "./journal/journal.ts";
import { openJournal } from "./journal/journal-start.ts";
import type { Log } from "./log.ts";
import { createMetrics, type Metrics } from "./metrics/metrics.ts";
import { Operator } from "./operator.ts";
import { Reader } from "./reader.ts";
import { Replies } from "./replies.ts";
import { Router } from "./router.ts";
import { type Inherited, NOTHING_INHERITED } from "./systemd/inherited.ts";
import { startTracing } from "./tracing/start-tracing.ts";

export interface BalancerOptions {
  readonly config: Config;
  readonly log: Log;
  readonly version: string;
  /** The journal stopped for good: the process has to end. */
  readonly failed: (error: LbError) => void;
  /** Sockets that a successor will take over. */
  readonly inherited?: Inherited;
  /** What counts, instead of the balancer's own: for a measurement of what counting costs. */
  readonly metrics?: Metrics;
}

/** A running balancer. */
export interface Balancer {
  /** Where traffic and the admin listener are bound: host:port. */
  readonly listen: string;
  readonly adminListen: string;
  readonly head: number;
  /**
   * Takes over a new config; gives the keys of what changed. What cannot change while running is refused as a
   * whole, with ConfigError.
   */
  reload(config: Config): Promise<readonly string[]>;
  /** A reload that was refused before it got here; `status` shows it. */
  reloadRefused(problems: readonly string[]): void;
  /** Resolves when the journal's thread has answered; this one has, to get there. */
  alive(): Promise<void>;
  /** Accepts nothing new, finishes what is in flight within `drainTimeout`, flushes. True: nothing was cut. */
  stop(): Promise<boolean>;
}

/** Opens the journal, takes up the nodes, listens. Rejects with LbError or ConfigError, and leaves nothing behind. */
export async function startBalancer({
  config: initial,
  log,
  version,
  failed,
  inherited = NOTHING_INHERITED,
  metrics = metricsFor(initial),
}: BalancerOptions): Promise<Balancer> {
  let config = initial;
  let draining = false;
  let reload: { at: number; ok: boolean; problems: readonly string[] } | null = null;
  const startedAt = Date.now();
  log.dropped = () => metrics.logDropped(1);
  await using parts = new AsyncDisposableStack();

  const tracing = await startTracing({ config: () => config, version, log, metrics });
  parts.defer(() => tracing.stop());

  const journal = await openJournal(
    {
      dataDir: config.dataDir,
      cluster: config.cluster,
      ...config.journal,
      ...journalLimits(config),
    },
    config.nodes,
    (records) => cluster.committed(records),
    failed,
    {
      appended: (ms, seq) => metrics.journalAppend(ms, seq),
      committed: (commit) => metrics.journalCommit(commit),
      purged: (records) => metrics.journalPurged(records),
    },
  );
  parts.defer(() => journal.close());

  const cluster = new Cluster({
    config,
    journal,
    log,
    metrics,
    tracing,
    needsHistory: (node) => bootstrap.begin(node),
    diverged: (node, seq) => bootstrap.diverged(node, seq),
    replaced: (node, since) => bootstrap.replaced(node, since),
  });
  parts.defer(() => cluster.stop());
  const bootstrap = new Bootstrap({ cluster, journal, config: () => config, log, metrics });
  parts.defer(() => bootstrap.stop());
  const catchUp = new CatchUp(() => ({ head: journal.head, nodes: cluster.upstream.nodes }));
  parts.defer(() => catchUp.stop());

  const reader = new Reader({
    inSync: () => cluster.upstream.inSync,
    pools: (node) => cluster.pools(node),
    limits: () => config.limits,
    events: {
      leg: (node, outcome, legStartedAt, failure) => cluster.readLeg(node, outcome, legStartedAt, failure),
      retried: (route, node) => metrics.readRetry(route, node.name),
      done: (exchange, error, node) => router.readDone(exchange, error, node),
    },
  });
  const eviction = new Eviction({
    upstream: cluster.upstream,
    journal,
    minInSync: () => config.writes.minInSync,
    forget: (node, reason) => cluster.forget(node, reason),
    log,
  });
  const broadcaster = new Broadcaster({
    journal,
    writes: cluster.writes,
    inSync: () => cluster.upstream.inSync.length,
    quorum: () => cluster.upstream.quorum,
    makeRoom: (error) => eviction.makeRoom(error),
    settings: () => ({ ...config.writes, ...config.limits }),
  });
  const replies = new Replies();
  const router = new Router({ config, reader, broadcaster, replies, tracing, metrics, log });
  const traffic = createTrafficServer(
    config,
    (request, response, inspected) => router.handle(request, response, inspected),
    {
      mark: journal.id,
      refused: (error, request) => router.refused(error, request),
      crowded: () => metrics.refused("limits.connections"),
      inherited: inherited.traffic,
    },
  );

  let listen = "";
  const operator = new Operator({
    cluster,
    journal,
    bootstrap,
    catchUp,
    replies,
    config: () => config,
    facts: {
      version,
      startedAt,
      listen: () => listen,
      clients: traffic.clients,
      certificates: () => [
        { listener: "traffic", expiresAt: traffic.certificateExpiresAt },
        { listener: "admin", expiresAt: admin.certificateExpiresAt },
      ],
      draining: () => draining,
      reload: () => reload,
      routeCounts: (name) => router.counts(name),
      sums: () => cluster.writes.sums,
    },
  });
  metrics.watch(operator);
  const history = new History({ control: operator, metrics });
  cluster.upstream.onChange((node, from, to) => history.nodeChanged(node.name, from, to, node.reason));
  parts.defer(() => history.stop());
  const admin = new AdminServer({
    config: config.admin,
    control: operator,
    metrics,
    history,
    log,
    inherited: inherited.admin,
  });

  await cluster.start();
  if (inherited.traffic !== null) await cluster.settled(config.health.timeout);
  const bound = await traffic.listen();
  parts.defer(() => traffic.drain(0));
  listen = `${bound.host}:${bound.port}`;
  const adminBound = await admin.listen();
  parts.defer(() => admin.close());
  history.start();
  const running = parts.move();

  return {
    listen,
    adminListen: `${adminBound.host}:${adminBound.port}`,
    head: journal.head,

    async reload(next) {
      const changed = changedSettings(config, next);
      const problems = [...restartProblems(changed), ...cluster.upstream.problemsOf(next.nodes)];
      if (problems.length > 0) throw new ConfigError(problems);
      // What may fail comes first, so that a config that is refused has changed nothing.
      const pair = next.listen.tls && readTls(next.listen.tls, "listen/tls");
      admin.reload(next.admin);
      if (pair) traffic.renew(pair);
      config = next;
      log.configure(next.log);
      journal.configure(journalLimits(next));
      traffic.configure(next);
      router.reload(next);
      metrics.setRoutes(next.routes);
      await cluster.reload(next);
      bootstrap.changed();
      reload = { at: Date.now(), ok: true, problems: [] };
      metrics.reload(true);
      return changed.map(({ key }) => key);
    },

    reloadRefused(problems) {
      reload = { at: Date.now(), ok: false, problems };
      metrics.reload(false);
    },

    alive: () => journal.flush(),

    async stop() {
      draining = true;
      log.draining({ signal: "SIGTERM", reads: reader.open, writes: broadcaster.open });
      await traffic.drain(config.drainTimeout);
      // Clients that left still have writes under way; each ends by its ackTimeout.
      await Promise.race([broadcaster.idle(), timeout(config.drainTimeout, undefined, { ref: false })]);
      const clean = reader.open === 0 && broadcaster.open === 0;
      await journal.flush();
      await running.disposeAsync();
      return clean;
    },
  };
}

function metricsFor({ routes, nodes }: Config): Metrics {
  return createMetrics({ routes, nodes: nodes.map(({ name }) => name), codes: Object.keys(ERROR_ROWS) });
}

function journalLimits({ journal, writes }: Config): JournalLimits {
  const { maxSize: maxBytes, retention } = journal;
  return { maxBytes, retention, idempotencyWindow: writes.idempotencyWindow };
}
