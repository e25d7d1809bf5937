import { type AuditReport, audit, type Baseline, baselineOf } from "./audit.ts";
import { Load } from "./load.ts";
import type { LoadOptions, Senders } from "./load-shared.ts";
import { type BenchAdmin, type BenchOptions, type BenchSettings, completeOptions } from "./options.ts";
import type { BenchProgress, OnProgress } from "./progress.ts";
import { type BenchReport, failuresOf, type GeneratorReport, type ReportedSettings } from "./report.ts";
import { Sender } from "./sender.ts";
import { type SpreadReport, spreadOf } from "./spread.ts";
import { accountOf, BenchStopped, type SoFar } from "./stopped.ts";
import type { Tally } from "./tally.ts";
import { BenchUsers, newRunId } from "./users.ts";
import { type WarmUpReport, warmUp } from "./warm-up.ts";

export interface BenchHooks {
  readonly onProgress?: OnProgress;
  /** Aborted: everything is torn down, and the run rejects with a BenchStopped. */
  readonly signal?: AbortSignal;
}

/** The run could not even begin: nothing answers, or nobody could be registered. */
export class BenchStartError extends Error {
  override readonly name = "BenchStartError";
}

const PROGRESS_MS = 500;
const KEPT_UP_LAG_MS = 50;

/**
 * Loads a balancer with logins, registrations and password changes at a fixed rate, then looks whether every
 * acknowledged write is on every node.
 * @throws BenchOptionsError, BenchStartError, BenchStopped
 */
export async function runBench(options: BenchOptions, hooks: BenchHooks = {}): Promise<BenchReport> {
  const settings = completeOptions(options);
  const signal = hooks.signal ?? new AbortController().signal;
  const users = new BenchUsers(newRunId());
  const senders = openSenders(settings);
  const close = () => closeSenders(senders);
  const soFar: SoFar = { phase: "warm-up", load: null };
  signal.addEventListener("abort", close, { once: true });
  try {
    const onProgress = hooks.onProgress ?? (() => {});
    const report = await run({ settings, users, senders, signal, onProgress, soFar });
    signal.throwIfAborted();
    return report;
  } catch (error) {
    if (!signal.aborted) throw error;
    await close();
    throw new BenchStopped(accountOf(soFar, users, settings.durationMs), signal.reason);
  } finally {
    signal.removeEventListener("abort", close);
    await close();
  }
}

interface Run {
  readonly settings: BenchSettings;
  readonly users: BenchUsers;
  readonly senders: Senders;
  readonly signal: AbortSignal;
  readonly onProgress: OnProgress;
  readonly soFar: SoFar;
}

async function run({ settings, users, senders, signal, onProgress, soFar }: Run): Promise<BenchReport> {
  const startedAt = new Date().toISOString();
  const { admin } = settings;
  const baseline = admin === null ? null : await baselineOf(admin);
  onProgress(quiet("warm-up", settings));
  const warm = await warmUp(settings, users, senders, signal);
  requireUsers(warm);
  const { answersNameTheUser } = warm;
  const { load, generator } = await runLoad(
    { settings, users, senders, answersNameTheUser, signal },
    onProgress,
    soFar,
  );
  soFar.phase = "audit";
  onProgress(progressOf("audit", load, settings));
  const found = admin && baseline ? await lookAtNodes(admin, baseline, { settings, users, signal }) : null;
  return conclude({
    run: users.runId,
    startedAt,
    settings: reported(settings),
    warmUp: warm,
    reads: load.reads.tally.report(settings.reads, settings.durationMs),
    writes: load.writes.tally.report(settings.writes, settings.durationMs),
    outcomes: load.writes.outcomes,
    retries: load.writes.retries,
    rivalPairs: load.writes.rivalPairs,
    lostToRivals: load.writes.lostToRivals,
    racedReads: load.reads.raced,
    generator,
    audit: found?.audit ?? null,
    spread: found?.spread ?? null,
  });
}

function openSenders({ url, certificate, connections, requestTimeoutMs: timeoutMs }: BenchSettings): Senders {
  // Apart, so that writes that wait don't take the reads' connections.
  return {
    reads: new Sender(url, { certificate, connections, timeoutMs }),
    writes: new Sender(url, { certificate, connections, timeoutMs }),
  };
}

async function closeSenders(senders: Senders): Promise<void> {
  await Promise.all([senders.reads.close(), senders.writes.close()]);
}

function requireUsers(warm: WarmUpReport): void {
  if (warm.registered > 0) return;
  const why = Object.keys(warm.errorKinds).join(", ");
  throw new BenchStartError(`expected to register users before the load, got ${why}`);
}

async function runLoad(options: LoadOptions, onProgress: OnProgress, soFar: SoFar) {
  const { settings } = options;
  const cpuBefore = process.cpuUsage();
  const load = new Load(options);
  soFar.phase = "load";
  soFar.load = load;
  const timer = setInterval(() => {
    const over = performance.now() - load.startedAt > settings.durationMs;
    onProgress(progressOf(over ? "draining" : "load", load, settings));
  }, PROGRESS_MS);
  try {
    await load.run();
  } finally {
    clearInterval(timer);
  }
  const cpu = process.cpuUsage(cpuBefore);
  return { load, generator: generatorReport(load, cpu.user + cpu.system) };
}

function generatorReport(load: Load, cpuMicros: number): GeneratorReport {
  const sendLagMs = load.sendLag.summary();
  return {
    sendLagMs,
    keptUp: sendLagMs.p99 <= KEPT_UP_LAG_MS,
    cpuMicrosPerRequest: cpuMicros / Math.max(1, sendLagMs.count),
    inFlightMax: load.inFlightMax,
  };
}

async function lookAtNodes(
  admin: BenchAdmin,
  baseline: Baseline,
  { settings, users, signal }: Pick<Run, "settings" | "users" | "signal">,
): Promise<{ audit: AuditReport; spread: SpreadReport | null }> {
  // Before the audit: a node may leave while it waits.
  const after = await admin.status().catch(() => null);
  const report = await audit({ admin, baseline, users: users.all, settings, signal });
  return { audit: report, spread: after === null ? null : spreadOf(baseline.status, after) };
}

function conclude(report: Omit<BenchReport, "passed" | "failures">): BenchReport {
  const failures = failuresOf(report);
  return { ...report, passed: failures.length === 0, failures };
}

function reported(settings: BenchSettings): ReportedSettings {
  const { admin: _, certificate: __, ...rest } = settings;
  return rest;
}

function progressOf(phase: BenchProgress["phase"], load: Load, settings: BenchSettings): BenchProgress {
  const kind = (tally: Tally) => ({ ok: tally.ok, errors: tally.errors, p99: tally.latency.percentile(99) });
  return {
    phase,
    elapsedMs: Math.min(performance.now() - load.startedAt, settings.durationMs),
    durationMs: settings.durationMs,
    reads: kind(load.reads.tally),
    writes: kind(load.writes.tally),
    inFlight: load.inFlight,
  };
}

function quiet(phase: BenchProgress["phase"], { durationMs }: BenchSettings): BenchProgress {
  const nothing = { ok: 0, errors: 0, p99: 0 };
  return { phase, elapsedMs: 0, durationMs, reads: nothing, writes: nothing, inFlight: 0 };
}
