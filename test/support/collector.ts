/** An OpenTelemetry collector for tests: OTLP/HTTP with JSON bodies, on a port of its own. */

import type { TestContext } from "node:test";
import { type Reaction, startNode, type TestNode } from "./nodes.ts";

export interface CollectedSpan {
  readonly traceId: string;
  readonly spanId: string;
  /** "" for a root. */
  readonly parentSpanId: string;
  readonly traceState: string;
  readonly name: string;
  readonly kind: "server" | "client" | "other";
  /** ns since the epoch. */
  readonly start: bigint;
  readonly end: bigint;
  readonly error: boolean;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly resource: Readonly<Record<string, unknown>>;
}

export interface Collector {
  /** What goes into the config as `tracing.endpoint`. */
  readonly url: string;
  readonly node: TestNode;
  /** All spans so far. */
  spans(): CollectedSpan[];
  /** Everything that came, as text. */
  text(): string;
}

/** @param reaction to each request; by default it is taken */
export async function startCollector(t: TestContext, reaction: Reaction = {}): Promise<Collector> {
  const taken = { status: 200, headers: { "content-type": "application/json" }, body: "{}" };
  const node = await startNode(t, { ...taken, ...reaction });
  return {
    url: node.url,
    node,
    spans: () => node.log.flatMap(({ body }) => spansOf(JSON.parse(body) as Export)),
    text: () => node.log.map(({ rawHeaders, body }) => `${rawHeaders.join("\n")}\n${body}`).join("\n"),
  };
}

type Value = { stringValue?: string; intValue?: number | string; boolValue?: boolean; doubleValue?: number };
type Pairs = readonly { readonly key: string; readonly value: Value }[];

interface RawSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly traceState?: string;
  readonly name: string;
  readonly kind: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: Pairs;
  readonly status?: { readonly code?: number };
}

/** ExportTraceServiceRequest of opentelemetry-proto, as JSON. */
interface Export {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: Pairs };
    readonly scopeSpans: readonly { readonly spans: readonly RawSpan[] }[];
  }[];
}

function spansOf({ resourceSpans }: Export): CollectedSpan[] {
  return resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap(({ spans }) => spans.map((span) => spanOf(span, map(resource.attributes)))),
  );
}

/** Span.SpanKind and Status.StatusCode of the protocol. */
const KINDS: Readonly<Record<number, CollectedSpan["kind"]>> = { 2: "server", 3: "client" };
const ERROR = 2;

function spanOf(span: RawSpan, resource: CollectedSpan["resource"]): CollectedSpan {
  return {
    traceId: span.traceId,
    spanId: span.spanId,
    parentSpanId: span.parentSpanId ?? "",
    traceState: span.traceState ?? "",
    name: span.name,
    kind: KINDS[span.kind] ?? "other",
    start: BigInt(span.startTimeUnixNano),
    end: BigInt(span.endTimeUnixNano),
    error: span.status?.code === ERROR,
    attributes: map(span.attributes),
    resource,
  };
}

function map(pairs: Pairs): Record<string, unknown> {
  return Object.fromEntries(
    pairs.map(({ key, value }) => [
      key,
      value.stringValue ?? value.boolValue ?? Number(value.intValue ?? value.doubleValue),
    ]),
  );
}
