/** Where a run stands, told about twice a second. Counts are since the start of the load. */
export interface BenchProgress {
  readonly phase: "warm-up" | "load" | "draining" | "audit";
  readonly elapsedMs: number;
  readonly durationMs: number;
  readonly reads: { readonly ok: number; readonly errors: number; readonly p99: number };
  readonly writes: { readonly ok: number; readonly errors: number; readonly p99: number };
  readonly inFlight: number;
}

export type OnProgress = (progress: BenchProgress) => void;
