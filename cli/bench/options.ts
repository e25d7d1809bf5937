/** What a run is asked to do. Every number is checked here, for the command and for callers in code alike. */

import type { AdminClient } from "../admin-client.ts";

/** What is asked of the balancer: cursors and digests for the audit. */
export type BenchAdmin = Pick<AdminClient, "status" | "verify">;

export interface BenchSettings {
  /** Where the balancer takes traffic: `http://127.0.0.1:8080`. */
  readonly url: string;
  /** With https: the one that must be shown there (PEM), whatever its name; null: any that a browser would take. */
  readonly certificate: string | null;
  /** Null: no audit. */
  readonly admin: BenchAdmin | null;
  /** Per second. */
  readonly reads: number;
  readonly writes: number;
  readonly durationMs: number;
  /** At most this many for reads, and as many for writes. */
  readonly connections: number;
  /** Same seed, same mix of requests (but never the same users). */
  readonly seed: number;
  readonly arrivals: "fixed" | "poisson";
  /** Arrivals fall on slots this far apart; the generator wakes up once for each. */
  readonly slotMs: number;
  /** From sending (waiting for a connection included) to the end of the answer. */
  readonly requestTimeoutMs: number;
  /** More reads, or writes, than this at once (retries that wait included) are not sent and count as errors. */
  readonly maxInFlight: number;
  /** Registered before the load, so that there is someone to log in. */
  readonly warmUpUsers: number;
  /** The share of the writes that registers; the rest changes passwords. */
  readonly registerShare: number;
  /** The share of the password changes that are two at once on one user (exactly one of them may succeed). */
  readonly rivalShare: number;
  /** The share of the reads that logs in the user changed last (a stale read would show there first). */
  readonly recentShare: number;
  /** Send an Idempotency-Key with each write. */
  readonly idempotencyKeys: boolean;
  /** Send a write without a certain outcome again under its key, until there is one or this has passed; 0: never. */
  readonly retryForMs: number;
  /** How long the nodes may take to reach the head after the load. */
  readonly auditTimeoutMs: number;
  /** Above so many users, the logins on each node are a sample. */
  readonly auditUsers: number;
}

/** What is loaded. */
export type BenchAim = Pick<BenchSettings, "url" | "certificate" | "admin">;

export type BenchOptions = Pick<BenchSettings, "url"> & Partial<BenchSettings>;

export const BENCH_DEFAULTS: Omit<BenchSettings, "url"> = {
  certificate: null,
  admin: null,
  reads: 1000,
  writes: 100,
  durationMs: 30_000,
  connections: 128,
  seed: 1,
  arrivals: "fixed",
  slotMs: 5,
  requestTimeoutMs: 10_000,
  maxInFlight: 4096,
  warmUpUsers: 100,
  registerShare: 0.5,
  rivalShare: 0.05,
  recentShare: 0.25,
  idempotencyKeys: false,
  retryForMs: 0,
  auditTimeoutMs: 60_000,
  auditUsers: 2500,
};

/** Every problem at once, each as `name: expected …, got …`. */
export class BenchOptionsError extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join("\n"));
    this.name = "BenchOptionsError";
    this.problems = problems;
  }
}

type NumberName = {
  [K in keyof BenchSettings]: BenchSettings[K] extends number ? K : never;
}[keyof BenchSettings];

/** Smallest, largest, and whether parts are allowed. What is remembered of a run grows with rate × duration. */
export const BENCH_LIMITS: Readonly<Record<NumberName, readonly [number, number, "whole" | "part"]>> = {
  reads: [0, 100_000, "part"],
  writes: [0, 20_000, "part"],
  durationMs: [100, 3_600_000, "whole"],
  connections: [1, 4096, "whole"],
  seed: [0, 4_294_967_295, "whole"],
  slotMs: [1, 1000, "whole"],
  requestTimeoutMs: [10, 600_000, "whole"],
  maxInFlight: [1, 100_000, "whole"],
  warmUpUsers: [1, 10_000, "whole"],
  registerShare: [0, 1, "part"],
  rivalShare: [0, 1, "part"],
  recentShare: [0, 1, "part"],
  retryForMs: [0, 600_000, "whole"],
  auditTimeoutMs: [0, 3_600_000, "whole"],
  auditUsers: [1, 1_000_000, "whole"],
};

const MAX_WRITES = 2_000_000;

/** @throws BenchOptionsError */
export function completeOptions(options: BenchOptions): BenchSettings {
  const settings: BenchSettings = { ...BENCH_DEFAULTS, ...options };
  const problems = [...numberProblems(settings), ...urlProblems(settings), ...crossProblems(settings)];
  if (problems.length > 0) throw new BenchOptionsError(problems);
  return Object.freeze({ ...settings, url: new URL(settings.url).origin });
}

function numberProblems(settings: BenchSettings): string[] {
  return (Object.keys(BENCH_LIMITS) as NumberName[]).flatMap((name) => {
    const [min, max, kind] = BENCH_LIMITS[name];
    const value = settings[name];
    const fits = value >= min && value <= max && (kind === "part" || Number.isInteger(value));
    const expected = `a${kind === "whole" ? " whole" : ""} number from ${min} to ${max}`;
    return fits ? [] : [`${name}: expected ${expected}, got ${String(value)}`];
  });
}

function urlProblems({ url }: BenchSettings): string[] {
  const parsed = URL.parse(url);
  const plain =
    (parsed?.protocol === "http:" || parsed?.protocol === "https:") &&
    parsed.pathname === "/" &&
    parsed.search === "" &&
    parsed.hash === "" &&
    parsed.username === "" &&
    parsed.password === "";
  return plain
    ? []
    : [`url: expected http://HOST:PORT or https://HOST:PORT and nothing behind it, got ${url}`];
}

function crossProblems(settings: BenchSettings): string[] {
  const { reads, writes, durationMs, arrivals } = settings;
  const problems: string[] = [];
  if (reads === 0 && writes === 0) problems.push("reads, writes: expected at least one above 0, got 0 and 0");
  if (writes * durationMs > MAX_WRITES * 1000) {
    problems.push(
      `writes × duration: expected at most ${MAX_WRITES} writes in a run, got ${(writes * durationMs) / 1000}`,
    );
  }
  if (arrivals !== "fixed" && arrivals !== "poisson") {
    problems.push(`arrivals: expected fixed or poisson, got ${String(arrivals)}`);
  }
  if (settings.retryForMs > 0 && !settings.idempotencyKeys) {
    problems.push("retryForMs: expected 0 without idempotencyKeys (a repeat could take effect twice)");
  }
  return problems;
}
