import { UserError } from "../errors.ts";
import {
  BENCH_DEFAULTS,
  type BenchAim,
  type BenchOptions,
  BenchOptionsError,
  completeOptions,
} from "./options.ts";

/** The flags of `lbctl bench` as they were typed. */
export interface BenchFlags {
  readonly reads?: string | undefined;
  readonly writes?: string | undefined;
  readonly duration?: string | undefined;
  readonly connections?: string | undefined;
  readonly seed?: string | undefined;
  readonly poisson?: boolean | undefined;
  readonly retry?: boolean | undefined;
  readonly "audit-users"?: string | undefined;
}

const RETRY_FOR_MS = 30_000;
const UNITS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const;

/** What the numbers are called on the command line. */
const FLAG_OF: Readonly<Record<string, string>> = {
  reads: "--reads",
  writes: "--writes",
  durationMs: "--duration (in ms)",
  connections: "--connections",
  seed: "--seed",
  auditUsers: "--audit-users",
};

/**
 * Flags as options for `runBench`; what was not typed has its default.
 * @throws UserError (usage) with every problem at once
 */
export function optionsOf(aim: BenchAim, flags: BenchFlags): BenchOptions {
  const problems: string[] = [];
  const number = (name: string, text: string | undefined, fallback: number) => {
    if (text === undefined || isNumber(text)) return text === undefined ? fallback : Number(text);
    problems.push(`--${name}: expected a number, got ${JSON.stringify(text)}`);
    return fallback;
  };
  const options: BenchOptions = {
    ...aim,
    reads: number("reads", flags.reads, BENCH_DEFAULTS.reads),
    writes: number("writes", flags.writes, BENCH_DEFAULTS.writes),
    durationMs: durationOf(flags.duration, problems),
    connections: number("connections", flags.connections, BENCH_DEFAULTS.connections),
    seed: number("seed", flags.seed, BENCH_DEFAULTS.seed),
    auditUsers: number("audit-users", flags["audit-users"], BENCH_DEFAULTS.auditUsers),
    arrivals: flags.poisson ? "poisson" : "fixed",
    ...(flags.retry ? { idempotencyKeys: true, retryForMs: RETRY_FOR_MS } : {}),
  };
  problems.push(...optionProblems(options));
  if (problems.length === 0) return options;
  throw new UserError("these flags cannot be used", { exitCode: 2, problems, next: ["lbctl bench --help"] });
}

function optionProblems(options: BenchOptions): string[] {
  try {
    completeOptions(options);
    return [];
  } catch (error) {
    if (!(error instanceof BenchOptionsError)) throw error;
    return error.problems.map((problem) =>
      problem.replace(/^\w+(?=:)/, (name) => FLAG_OF[name] ?? `--${name}`),
    );
  }
}

/** Not what `Number` takes: "" and " " are 0 to it, "0x10" is 16. */
function isNumber(text: string): boolean {
  return /^-?\d+(\.\d+)?(e\d+)?$/i.test(text);
}

function durationOf(text: string | undefined, problems: string[]): number {
  if (text === undefined) return BENCH_DEFAULTS.durationMs;
  const [, amount, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text) ?? [];
  if (amount !== undefined && unit !== undefined) return Number(amount) * UNITS[unit as keyof typeof UNITS];
  problems.push(
    `--duration: expected a number with a unit, such as 30s, 500ms or 2m, got ${JSON.stringify(text)}`,
  );
  return BENCH_DEFAULTS.durationMs;
}
