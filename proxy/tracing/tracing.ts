/**
 * Traces, as the rest of the balancer knows them: a span for each request, and one for each attempt at a node. The
 * null ones, which are in place unless the config says otherwise, change and cost nothing; the SDK is loaded only
 * with the others (otel-tracing.ts).
 */

import type { AccessLine } from "../access-line.ts";
import type { Config, NodeConfig } from "../config/config.ts";
import type { Inspected } from "../http/framing.ts";
import type { Attempt, LegOptions, LegOutcome } from "../leg.ts";
import type { Log } from "../log.ts";
import type { Metrics } from "../metrics/metrics.ts";

/** Sends one write to one node once. */
export type Send = (options: LegOptions) => Promise<Attempt>;

export interface Tracing {
  /** A request that is fit to be forwarded came in. */
  request(inspected: Inspected): RequestTrace;
  /** `send`, with a span around each attempt; its parent is the request that was recorded. */
  writes(node: NodeConfig, send: Send): Send;
  /** What is over is exported, within a bound. */
  stop(): Promise<void>;
}

/** One request from a client. */
export interface RequestTrace {
  /** Trace id, for the log. */
  readonly id: string | undefined;
  /** The request as it goes on: what comes of it belongs to this span. */
  readonly inspected: Inspected;
  /** An attempt at a read goes to `node`; 1 for the first. */
  leg(node: { readonly name: string; readonly url: string }, attempt: number): LegTrace;
  /** Its reply is over. */
  end(line: AccessLine): void;
}

/** One attempt at a read. */
export interface LegTrace {
  /** Header fields that the node gets. */
  readonly headers: string[];
  /** @param status of the node's answer; 0: none came */
  end(outcome: LegOutcome, status: number): void;
}

export const NO_TRACING: Tracing = {
  request: (inspected) => new Untraced(inspected),
  writes: (_, send) => send,
  stop: async () => {},
};

class Untraced implements RequestTrace {
  readonly id = undefined;
  readonly inspected: Inspected;

  constructor(inspected: Inspected) {
    this.inspected = inspected;
  }

  get headers(): string[] {
    return this.inspected.headers;
  }

  /** It is its own legs, too: nothing is to be kept of them. */
  leg(): LegTrace {
    return this;
  }

  end(): void {}
}

export interface TracingOptions {
  /** The newest: routes and nodes may change with a reload, `tracing` itself does not. */
  readonly config: () => Config;
  readonly version: string;
  readonly log: Log;
  readonly metrics: Metrics;
}
