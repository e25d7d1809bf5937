/** The balancer, put together: every moving part on one screen; stopped in reverse. */

import { setTimeout as timeout } from "node:timers/promises";
import { AdminServer } from "./admin/admin.ts";
import { Bootstrap } from "./bootstrap.ts";
import { Broadcaster } from "./broadcaster.ts";
import { Cluster } from "./cluster.ts";
import { type Config, ConfigError } from "./config/config.ts";
import { ERROR_ROWS, type LbError } from "./errors.ts";
import { Eviction } from "./eviction.ts";
import { createTrafficServer, readTls } from "./http/http-server.ts";
import { openJournal } from "./journal/journal-start.ts";
import type { Log } from "./log.ts";
import { createMetrics } from "./metrics/metrics.ts";
import { Operator } from "./operator.ts";
import { Reader } from "./reader.ts";
import { Replies } from "./replies.ts";
import { Router } from "./router.ts";
import { startTracing } from "./tracing/start-tracing.ts";

export interface BalancerOptions {
  readonly config: Config;
  readonly log: Log;
  readonly version: string;
  /** The journal stopped for good: the process has to end. */
  readonly failed: (error: LbError) => void;
}

/** A running balancer. */
export interface Balancer {
  /** Where traffic and the admin listener are bound: host:port. */
  readonly listen: string;
  readonly adminListen: string;
  readonly head: number;
  /**
   * Takes over a new config, and gives the names of the sections that differ; what cannot change while running is
   * refused with ConfigError.
   */
  reload(config: Config): Promise<readonly string[]>;
  /** A reload that was refused before it got here; `status` shows it. */
  reloadRefused(problems: readonly string[]): void;
  /** Accepts nothing new, finishes what is in flight within `drainTimeout`, flushes. True: nothing was cut. */
  stop(): Promise<boolean>;
}

/** Opens the journal, takes up the nodes, listens. Rejects with LbError or ConfigError, and leaves nothing behind. */
export async function startBalancer({
  config: initial,
  log,
  version,
  failed,
}: BalancerOptions): Promise<Balancer> {
  let config = initial;
  let draining = false;
  let reload: { at: number; ok: boolean; problems: readonly string[] } | null = null;
  const startedAt = Date.now();
  const names = (list: readonly { readonly name: string }[]) => list.map(({ name }) => name);
  const metrics = createMetrics({
    routes: names(config.routes),
    nodes: names(config.nodes),
    codes: Object.keys(ERROR_ROWS),
  });
  log.dropped = () => metrics.logDropped(1);
  await using parts = new AsyncDisposableStack();

  const tracing = await startTracing({ config: () => config, version, log, metrics });
  parts.defer(() => tracing.stop());

  const journal = await openJournal(
    {
      dataDir: config.dataDir,
      cluster: config.cluster,
      maxBytes: config.journal.maxSize,
      idempotencyWindow: config.writes.idempotencyWindow,
      ...config.journal,
    },
    config.nodes,
    (records) => cluster.committed(records),
    failed,
  );
  parts.defer(() => journal.close());

  const cluster = new Cluster({
    config,
    journal,
    log,
    metrics,
    tracing,
    needsHistory: (node) => bootstrap.begin(node),
  });
  parts.defer(() => cluster.stop());
  const bootstrap = new Bootstrap({ cluster, journal, config: () => config, log, metrics });
  parts.defer(() => bootstrap.stop());

  const reader = new Reader({
    inSync: () => cluster.upstream.inSync,
    pools: (node) => cluster.pools(node),
    limits: () => config.limits,
    events: {
      leg: (exchange, end) => cluster.readLeg(exchange, end),
      retried: (route) => metrics.retry(route),
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
    members: () => cluster.upstream.members.length,
    makeRoom: () => eviction.makeRoom(),
    settings: () => ({ ...config.writes, ...config.limits }),
  });
  const replies = new Replies();
  const router = new Router({ config, reader, broadcaster, replies, tracing, metrics, log });
  const traffic = createTrafficServer(
    config,
    (request, response, inspected) => router.handle(request, response, inspected),
    (error, request) => router.refused(error, request),
  );

  let listen = "";
  const operator = new Operator({
    cluster,
    journal,
    bootstrap,
    replies,
    config: () => config,
    facts: {
      version,
      startedAt,
      listen: () => listen,
      connections: () => traffic.connections,
      draining: () => draining,
      reload: () => reload,
      routeCounts: (name) => router.counts(name),
      sums: () => cluster.writes.sums,
    },
  });
  metrics.watch(operator);
  const admin = new AdminServer({ config: config.admin, control: operator, metrics, log });

  await cluster.start();
  const bound = await traffic.listen();
  parts.defer(() => traffic.drain(0));
  listen = `${bound.host}:${bound.port}`;
  const adminBound = await admin.listen();
  parts.defer(() => admin.close());
  const running = parts.move();

  return {
    listen,
    adminListen: `${adminBound.host}:${adminBound.port}`,
    head: journal.head,

    async reload(next) {
      const fixed = unchangeable(config, next);
      if (fixed.length > 0) throw new ConfigError(fixed);
      // What may fail comes first, so that a config that is refused has changed nothing.
      const pair = next.listen.tls && readTls(next.listen.tls);
      admin.reload(next.admin);
      if (pair) traffic.renew(pair.cert, pair.key);
      const changes = changedSections(config, next);
      config = next;
      log.configure(next.log);
      traffic.configure(next);
      router.reload(next);
      metrics.setRoutes(names(next.routes));
      await cluster.reload(next);
      bootstrap.keepOnly(names(next.nodes));
      reload = { at: Date.now(), ok: true, problems: [] };
      metrics.reload(true);
      return changes;
    },

    reloadRefused(problems) {
      reload = { at: Date.now(), ok: false, problems };
      metrics.reload(false);
    },

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

function changedSections(now: Config, next: Config): string[] {
  const text = (config: Config, name: string) => JSON.stringify(Reflect.get(config, name));
  return Object.keys(next).filter((name) => text(now, name) !== text(next, name));
}

/** What only a new start can change. */
function unchangeable(now: Config, next: Config): string[] {
  const problems: string[] = [];
  const same = (path: string, before: unknown, after: unknown) => {
    if (JSON.stringify(before) !== JSON.stringify(after)) {
      problems.push(`${path}: expected no change while running, got another value; restart to apply it`);
    }
  };
  same("cluster", now.cluster, next.cluster);
  same("dataDir", now.dataDir, next.dataDir);
  same("listen/address", [now.listen.host, now.listen.port], [next.listen.host, next.listen.port]);
  same("listen/tls", now.listen.tls === null, next.listen.tls === null);
  same("admin/listen", now.admin.listen, next.admin.listen);
  same("journal", now.journal, next.journal);
  same("tracing", now.tracing, next.tracing);
  same("writes/window", now.writes.window, next.writes.window);
  same("limits/header", now.limits.header, next.limits.header);
  same("limits/readConnections", now.limits.readConnections, next.limits.readConnections);
  same("limits/retryBudget", now.limits.retryBudget, next.limits.retryBudget);
  return problems;
}
