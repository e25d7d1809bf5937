import type { AuditReport } from "./audit.ts";
import type { LatencySummary } from "./latency.ts";
import type { BenchSettings } from "./options.ts";
import type { SpreadReport } from "./spread.ts";
import type { KindReport } from "./tally.ts";
import type { Outcome } from "./users.ts";
import type { WarmUpReport } from "./warm-up.ts";

export type ReportedSettings = Omit<BenchSettings, "admin" | "certificate">;

/** What a run has found. It is what `lbctl bench --json` prints. */
export interface BenchReport {
  /** Part of the name of every user of the run. */
  readonly run: string;
  readonly startedAt: string;
  readonly settings: ReportedSettings;
  readonly warmUp: WarmUpReport;
  readonly reads: KindReport;
  readonly writes: KindReport;
  /** Writes of the load by what is known of them, but for those that lost to a rival. */
  readonly outcomes: Readonly<Record<Outcome, number>>;
  /** Attempts after the first, under the same Idempotency-Key. */
  readonly retries: number;
  /** Pairs of password changes sent at once from one old password. */
  readonly rivalPairs: number;
  /** Of each pair one must be refused. */
  readonly lostToRivals: number;
  /** Logins that were refused while that user's password was being changed; counted as answered well. */
  readonly racedReads: number;
  readonly generator: GeneratorReport;
  /** Null: without the balancer's admin listener there is none. */
  readonly audit: AuditReport | null;
  readonly spread: SpreadReport | null;
  readonly passed: boolean;
  /** Why it did not pass, a sentence each. */
  readonly failures: readonly string[];
}

/** How well the generator itself did: what it was late is in the latencies. */
export interface GeneratorReport {
  readonly sendLagMs: LatencySummary;
  /** False: more than 1 % of the requests left later than 50 ms, so the figures say more of this process. */
  readonly keptUp: boolean;
  readonly cpuMicrosPerRequest: number;
  readonly inFlightMax: number;
}

/** Everything that makes a run fail; empty: it passed. */
export function failuresOf(report: Omit<BenchReport, "passed" | "failures">): string[] {
  const { reads, writes, warmUp, audit } = report;
  const warmUpErrors = Object.values(warmUp.errorKinds).reduce((sum, count) => sum + count, 0);
  return [
    ...kindFailures("reads", reads),
    ...kindFailures("writes", writes),
    ...(warmUpErrors > 0 ? [`warm-up: ${warmUpErrors} errors`] : []),
    ...(audit === null ? [] : audit.problems.map((problem) => `audit: ${problem}`)),
  ];
}

function kindFailures(name: string, kind: KindReport): string[] {
  const failures: string[] = [];
  if (!kind.reached) {
    failures.push(
      `${name}: expected ${kind.requested}/s (within 1 %), reached ${kind.achieved.toFixed(1)}/s`,
    );
  }
  if (kind.errors > 0) failures.push(`${name}: ${kind.errors} errors`);
  return failures;
}
