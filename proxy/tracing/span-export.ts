/** From finished spans to the collector: bounded, counted, never waited for. */

import type { ExportResult } from "@opentelemetry/core";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import {
  BatchSpanProcessor,
  type ReadableSpan,
  type SpanExporter,
  type SpanProcessor,
} from "@opentelemetry/sdk-trace";

/** Spans that wait or are on their way, at most; those beyond are dropped. */
const QUEUE = 2048;
const BATCH = 512;
/** ms after which a batch that is not full goes out. */
const DELAY = 1000;
/** ms for one batch, retries included, and after which it is not waited for any more. */
const EXPORT_TIMEOUT = 5000;
const GIVE_UP = EXPORT_TIMEOUT + 1000;
/** ms for what is left when the balancer stops. */
const STOP_TIMEOUT = 2000;

export interface SpanExportEvents {
  exported(spans: number): void;
  /** The queue was full, or the collector did not take them. */
  dropped(spans: number): void;
  /** Told when it changes: whether the collector takes spans. */
  works(error: unknown): void;
}

/** A span processor that keeps count of what it holds, so that it drops before the SDK's own queue would. */
export class SpanExport implements SpanProcessor {
  readonly #batches: BatchSpanProcessor;
  readonly #events: SpanExportEvents;
  #held = 0;

  constructor(url: string, headers: Record<string, string>, events: SpanExportEvents) {
    this.#events = events;
    const exporter = new OTLPTraceExporter({ url, headers, timeoutMillis: EXPORT_TIMEOUT });
    this.#batches = new BatchSpanProcessor({
      exporter: new CountingExporter(exporter, (spans, error) => this.#over(spans, error)),
      maxQueueSize: QUEUE,
      maxExportBatchSize: BATCH,
      scheduledDelayMillis: DELAY,
      exportTimeoutMillis: GIVE_UP,
    });
  }

  onStart(): void {}

  onEnd(span: ReadableSpan): void {
    if (this.#held >= QUEUE) {
      this.#events.dropped(1);
      return;
    }
    this.#held++;
    this.#batches.onEnd(span);
  }

  forceFlush(): Promise<void> {
    return this.#batches.forceFlush();
  }

  /** Never rejects, and takes no longer than its bound: what is not out by then is dropped. */
  async shutdown(): Promise<void> {
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, STOP_TIMEOUT);
    await Promise.race([this.#batches.shutdown().catch(() => {}), late]);
    clearTimeout(timer);
  }

  #over(spans: number, error: unknown): void {
    this.#held -= spans;
    if (error === null) this.#events.exported(spans);
    else this.#events.dropped(spans);
    this.#events.works(error);
  }
}

class CountingExporter implements SpanExporter {
  readonly #exporter: SpanExporter;
  readonly #over: (spans: number, error: unknown) => void;

  constructor(exporter: SpanExporter, over: (spans: number, error: unknown) => void) {
    this.#exporter = exporter;
    this.#over = over;
  }

  export(spans: ReadableSpan[], done: (result: ExportResult) => void): void {
    this.#exporter.export(spans, (result) => {
      this.#over(spans.length, result.code === 0 ? null : (result.error ?? new Error("export failed")));
      done(result);
    });
  }

  shutdown(): Promise<void> {
    return this.#exporter.shutdown();
  }
}
