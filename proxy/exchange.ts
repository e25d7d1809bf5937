import type { IncomingMessage, ServerResponse } from "node:http";
import type { Inspected } from "./http/framing.ts";
import type { RequestTrace } from "./tracing/tracing.ts";

/** What the read path needs to know of its route. */
export interface ReadSettings {
  readonly name: string;
  /** ms until a node must have begun its answer; for the whole read. */
  readonly firstByteTimeout: number;
  readonly timeout: number;
}

/** One request from a client, and where its answer goes. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly inspected: Inspected;
  readonly trace: RequestTrace;
  readonly route: ReadSettings;
  /** Monotonic ms. */
  readonly startedAt: number;
}

/** An attempt without a whole answer. */
export interface ReadFailure {
  readonly id: string;
  /** Trace id; undefined: not traced. */
  readonly trace: string | undefined;
  readonly route: string;
  /** 1 for the first of its read. */
  readonly attempt: number;
  readonly reason: string;
}
