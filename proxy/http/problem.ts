import type { ServerResponse } from "node:http";
import { ERROR_ROWS, type LbError } from "../errors.ts";

/** RFC 9457. */
export const PROBLEM_TYPE = "application/problem+json";

/**
 * An error as the body of an answer (RFC 9457). `type` names the problem, it is not an address to fetch:
 * clients go by `code`, which never changes.
 * @param instance what the problem was with, such as the request id
 */
export function problemBody(error: LbError, instance?: string): string {
  const row = ERROR_ROWS[error.code];
  return `${JSON.stringify({
    ...error.extra,
    type: `urn:lbctl:error:${error.code}`,
    title: row.title,
    status: row.status,
    detail: error.message,
    code: error.code,
    next: row.next,
    ...(instance === undefined ? {} : { instance }),
  })}\n`;
}

/** The fields that go with `body`, as a flat list. `extra.allow` becomes Allow, `extra.retryAfter` Retry-After. */
export function problemHeaders(error: LbError, body: string): string[] {
  const row = ERROR_ROWS[error.code];
  const headers = [
    "Content-Type",
    PROBLEM_TYPE,
    "Content-Length",
    String(Buffer.byteLength(body)),
    "Cache-Control",
    "no-store",
  ];
  const retryAfter = error.extra.retryAfter ?? row.retryAfter;
  if (retryAfter !== undefined) headers.push("Retry-After", String(retryAfter));
  if (error.extra.allow !== undefined) headers.push("Allow", String(error.extra.allow));
  return headers;
}

/** Options of `sendProblem`. */
export interface ProblemOptions {
  readonly instance?: string;
  /** More fields, flat: `lb-seq`, `WWW-Authenticate`, … */
  readonly headers?: readonly string[];
}

/** Answers with a problem; nothing where an answer has begun already (the caller then cuts the connection). */
export function sendProblem(response: ServerResponse, error: LbError, options: ProblemOptions = {}): void {
  if (response.headersSent) return;
  const body = problemBody(error, options.instance);
  const headers = problemHeaders(error, body);
  if (options.headers) headers.push(...options.headers);
  const { status, close } = ERROR_ROWS[error.code];
  if (close) response.shouldKeepAlive = false;
  response.writeHead(status, headers);
  response.end(response.req.method === "HEAD" ? undefined : body);
}
