import { progressLine } from "./print.ts";
import type { BenchProgress, OnProgress } from "./progress.ts";

const PLAIN_EVERY_MS = 5000;

export interface ProgressOutput {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

export interface ProgressDisplay {
  readonly onProgress: OnProgress;
  /** Clears what is left of the live line. */
  end(): void;
}

/** On a terminal one line that is written over; elsewhere a line for each phase and every five seconds. */
export function showProgress(output: ProgressOutput): ProgressDisplay {
  return output.isTTY ? liveLine(output) : plainLines(output);
}

function liveLine(output: ProgressOutput): ProgressDisplay {
  return {
    onProgress: (progress) => void output.write(`\r\x1b[2K${progressLine(progress)}`),
    end: () => void output.write("\r\x1b[2K"),
  };
}

function plainLines(output: ProgressOutput): ProgressDisplay {
  let lastPhase: BenchProgress["phase"] | null = null;
  let lastAt = performance.now();
  const onProgress = (progress: BenchProgress) => {
    const now = performance.now();
    const begins =
      progress.phase !== lastPhase && (progress.phase === "warm-up" || progress.phase === "audit");
    if (!begins && now - lastAt < PLAIN_EVERY_MS) return;
    lastPhase = progress.phase;
    lastAt = now;
    output.write(`${progressLine(progress)}\n`);
  };
  return { onProgress, end: () => undefined };
}
