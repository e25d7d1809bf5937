/** Traces by OpenTelemetry's SDK; loaded only where the config has `tracing`. */

import { randomUUID } from "node:crypto";
import {
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from "@opentelemetry/api";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { ParentBasedSampler, TraceIdRatioBasedSampler, TracerProvider } from "@opentelemetry/sdk-trace";
import type { AccessLine } from "../access-line.ts";
import { readCollectorHeaders } from "../config/collector-headers.ts";
import type { Config, NodeConfig } from "../config/config.ts";
import type { Inspected } from "../http/framing.ts";
import { fieldValues } from "../http/headers.ts";
import { type Attempt, type LegOptions, type LegOutcome, unanswered } from "../leg.ts";
import * as attributes from "./span-attributes.ts";
import { SpanExport } from "./span-export.ts";
import { spanContextOf, withSpanContext } from "./trace-headers.ts";
import type { LegTrace, RequestTrace, Send, Tracing, TracingOptions } from "./tracing.ts";

/** Characters of an attribute's value: clients choose the paths. */
const LONGEST_VALUE = 1024;

export class OtelTracing implements Tracing {
  readonly #provider: TracerProvider;
  readonly #spans: Spans;

  constructor(
    { endpoint, sampleRatio, headersFile }: NonNullable<Config["tracing"]>,
    options: TracingOptions,
  ) {
    const { config, version, log, metrics } = options;
    const headers = headersFile === null ? {} : readCollectorHeaders(headersFile, "tracing/headersFile");
    let working = true;
    const exported = new SpanExport(endpoint, headers, {
      exported: (spans) => metrics.spans("exported", spans),
      dropped: (spans) => metrics.spans("dropped", spans),
      works: (error) => {
        if (working !== (error === null)) log.traceExport(error);
        working = error === null;
      },
    });
    this.#provider = new TracerProvider({
      resource: resourceFromAttributes({
        "service.name": "lb-proxy",
        "service.namespace": config().cluster,
        "service.version": version,
        "service.instance.id": randomUUID(),
      }),
      sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(sampleRatio) }),
      spanLimits: { attributeValueLengthLimit: LONGEST_VALUE },
      spanProcessors: [exported],
    });
    this.#spans = new Spans(this.#provider.getTracer("lb-proxy", version), config);
  }

  request(inspected: Inspected): RequestTrace {
    return new OtelRequest(this.#spans, inspected);
  }

  writes({ name: node, url }: NodeConfig, send: Send): Send {
    return async (options) => {
      const { method, target, headers } = options;
      const facts = {
        node,
        url,
        method,
        target,
        attempt: numberIn(headers, "lb-attempt"),
        seq: numberIn(headers, "lb-seq"),
      };
      const span = this.#spans.leg(spanContextOf(headers), facts);
      const sent: LegOptions = { ...options, headers: withSpanContext(headers, span.spanContext()) };
      const attempt = await send(sent);
      endLeg(span, ...endOf(attempt));
      return attempt;
    };
  }

  stop(): Promise<void> {
    return this.#provider.shutdown();
  }
}

/** Makes them, under the right parent; what they say is put together only for those that are recorded. */
class Spans {
  readonly #tracer: Tracer;
  readonly #config: () => Config;

  constructor(tracer: Tracer, config: () => Config) {
    this.#tracer = tracer;
    this.#config = config;
  }

  server(inspected: Inspected): Span {
    const span = this.#start(spanContextOf(inspected.headers), inspected.method, SpanKind.SERVER);
    const scheme = this.#config().listen.tls === null ? "http" : "https";
    if (span.isRecording()) span.setAttributes(attributes.requestAttributes(inspected, scheme));
    return span;
  }

  leg(parent: SpanContext | null, facts: attributes.LegFacts): Span {
    const span = this.#start(parent, facts.method, SpanKind.CLIENT);
    if (span.isRecording()) span.setAttributes(attributes.legAttributes(facts));
    return span;
  }

  /** What the path is in the route's own words. */
  template(line: AccessLine, path: string): string | undefined {
    const route = this.#config().routes.find(({ name }) => name === line.route);
    return attributes.routeTemplate(route, path);
  }

  #start(parent: SpanContext | null, method: string, kind: SpanKind): Span {
    const context = parent === null ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, parent);
    return this.#tracer.startSpan(attributes.methodName(method), { kind }, context);
  }
}

class OtelRequest implements RequestTrace {
  readonly id: string;
  readonly inspected: Inspected;
  readonly #spans: Spans;
  readonly #span: Span;

  constructor(spans: Spans, inspected: Inspected) {
    this.#spans = spans;
    this.#span = spans.server(inspected);
    const context = this.#span.spanContext();
    this.id = context.traceId;
    this.inspected = { ...inspected, headers: withSpanContext(inspected.headers, context) };
  }

  leg({ name: node, url }: { readonly name: string; readonly url: string }, attempt: number): LegTrace {
    const { method, target, headers } = this.inspected;
    const span = this.#spans.leg(this.#span.spanContext(), { node, url, method, target, attempt });
    return {
      headers: withSpanContext(headers, span.spanContext()),
      end: (outcome, status) => endLeg(span, outcome, status),
    };
  }

  end(line: AccessLine): void {
    const span = this.#span;
    if (!span.isRecording()) return;
    const template = this.#spans.template(line, this.inspected.path);
    if (template !== undefined) {
      span.updateName(`${attributes.methodName(this.inspected.method)} ${template}`);
      span.setAttribute("http.route", template);
    }
    span.setAttributes(attributes.replyAttributes(line));
    if (line.status === 0 || line.status >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
    span.end();
  }
}

/** A client's span is an error from 400 on, the server's from 500 on: so the conventions have it. */
function endLeg(span: Span, outcome: LegOutcome, status: number): void {
  if (!span.isRecording()) return;
  if (status > 0) span.setAttribute("http.response.status_code", status);
  if (status === 0 || status >= 400) {
    span.setAttribute("error.type", status === 0 ? outcome : String(status));
    span.setStatus({ code: SpanStatusCode.ERROR });
  }
  span.end();
}

function endOf(attempt: Attempt): [LegOutcome, number] {
  if (attempt.kind === "answer") return ["ok", attempt.status];
  return [unanswered(attempt), 0];
}

function numberIn(headers: readonly string[], name: string): number {
  return Number(fieldValues(headers, name)[0] ?? 0);
}
