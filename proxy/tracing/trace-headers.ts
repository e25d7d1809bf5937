/** W3C Trace Context in a flat header list (https://www.w3.org/TR/trace-context/). */

import { type SpanContext, TraceFlags } from "@opentelemetry/api";
import { parseTraceParent, TraceState } from "@opentelemetry/core";
import { fieldValues } from "../http/headers.ts";

/** The span that a request belongs to; null without exactly one valid traceparent: then its tracestate is void, too. */
export function spanContextOf(headers: readonly string[]): SpanContext | null {
  const [traceparent, second] = fieldValues(headers, "traceparent");
  if (traceparent === undefined || second !== undefined || traceparent.trim() !== traceparent) return null;
  const context = parseTraceParent(traceparent);
  if (context === null) return null;
  const state = fieldValues(headers, "tracestate").join(",");
  const traceState = state === "" ? {} : { traceState: new TraceState(state) };
  return { ...context, ...traceState, isRemote: true };
}

/** The list with `context` in place of what it had. */
export function withSpanContext(headers: readonly string[], context: SpanContext): string[] {
  const list: string[] = [];
  for (let at = 0; at < headers.length; at += 2) {
    const name = headers[at] as string;
    if (!isOurs(name)) list.push(name, headers[at + 1] as string);
  }
  const sampled = (context.traceFlags & TraceFlags.SAMPLED) === 0 ? "00" : "01";
  list.push("traceparent", `00-${context.traceId}-${context.spanId}-${sampled}`);
  const state = context.traceState?.serialize();
  if (state) list.push("tracestate", state);
  return list;
}

function isOurs(name: string): boolean {
  if (name.length === 11) return name.toLowerCase() === "traceparent";
  return name.length === 10 && name.toLowerCase() === "tracestate";
}
