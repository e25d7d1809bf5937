import { NO_TRACING, type Tracing, type TracingOptions } from "./tracing.ts";

/** Rejects with ConfigError where `headersFile` cannot be used. */
export async function startTracing(options: TracingOptions): Promise<Tracing> {
  const { tracing } = options.config();
  if (tracing === null) return NO_TRACING;
  const { OtelTracing } = await import("./otel-tracing.ts");
  return new OtelTracing(tracing, options);
}
