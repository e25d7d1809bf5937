import { type AimFlags, takeAim } from "../bench/aim.ts";
import { BenchStartError, runBench } from "../bench/bench.ts";
import { type BenchFlags, optionsOf } from "../bench/flags.ts";
import { reportLines } from "../bench/print.ts";
import type { BenchReport } from "../bench/report.ts";
import { type ProgressOutput, showProgress } from "../bench/show-progress.ts";
import { accountLines, BenchStopped, where } from "../bench/stopped.ts";
import { messageOf, UserError } from "../errors.ts";

export interface BenchRequest extends BenchFlags, AimFlags {
  readonly json?: boolean | undefined;
}

export interface BenchOutput {
  readonly print: (text: string) => void;
  /** Where the live line goes; not used with `json`. */
  readonly progress: ProgressOutput;
}

/** DESIGN: thresholds missed. */
export const EXIT_MISSED = 99;

/**
 * Loads the cluster, prints what came out and returns the exit code.
 * @throws UserError
 */
export async function bench(
  request: BenchRequest,
  output: BenchOutput,
  signal: AbortSignal,
): Promise<number> {
  // The numbers first: a wrong one is to be told even where nothing is deployed.
  optionsOf({ url: "http://127.0.0.1:1", certificate: null, admin: null }, request);
  await using aim = await takeAim(request, signal);
  const { url, certificate, admin } = aim;
  const options = optionsOf({ url, certificate, admin }, request);
  const display = request.json ? null : showProgress(output.progress);
  const hooks = display === null ? { signal } : { signal, onProgress: display.onProgress };
  const report = await runBench(options, hooks)
    .catch(explain)
    .finally(() => display?.end());
  output.print(request.json ? JSON.stringify(report, null, 2) : reportLines(report).join("\n"));
  return report.passed ? 0 : EXIT_MISSED;
}

function explain(error: unknown): BenchReport {
  if (error instanceof BenchStopped) throw stopped(error);
  if (!(error instanceof BenchStartError)) throw error;
  const why = error.cause instanceof Error ? [error.cause.message] : [];
  throw new UserError(error.message, {
    problems: why,
    next: ["lbctl status   # what is running"],
    cause: error,
  });
}

function stopped({ account, cause }: BenchStopped): UserError {
  return new UserError(`${messageOf(cause)}, ${where(account)}`, {
    problems: accountLines(account),
    next: [
      "lbctl verify   # do all nodes hold the same?",
      "lbctl bench    # begins anew, with users of its own",
    ],
    cause,
  });
}
