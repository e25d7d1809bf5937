/** A client of the balancer: each request on a connection of its own, with whatever header fields a test wants. */

import { type IncomingHttpHeaders, request } from "node:http";
import { text } from "node:stream/consumers";

export interface Ask {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
}

export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** Of a problem+json; "" in any other answer. */
  readonly code: string;
  /** lb-seq; 0 without it. */
  readonly seq: number;
}

/** Sends one request and gives the whole answer; rejects where the connection breaks. */
export function ask(
  url: string,
  { method = "GET", path = "/", headers = {}, body }: Ask = {},
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { "content-length": String(Buffer.byteLength(body)) };
    const sent = request(
      new URL(path, url),
      { method, agent: false, headers: { ...length, ...headers } },
      (answer) => {
        text(answer).then((received) => {
          const { statusCode: status = 0, headers } = answer;
          const isProblem = headers["content-type"] === "application/problem+json";
          const code = isProblem ? (JSON.parse(received) as { code: string }).code : "";
          resolve({ status, headers, body: received, code, seq: Number(headers["lb-seq"] ?? 0) });
        }, reject);
      },
    );
    sent.on("error", reject).end(body);
  });
}

interface Balanced {
  readonly url: string;
}

/** A write whose order hangs on `username`. */
export function register(
  to: Balanced,
  username: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<Reply> {
  return ask(to.url, {
    method: "POST",
    path: "/register",
    headers: { "content-type": "application/x-www-form-urlencoded", ...headers },
    body: new URLSearchParams({ username, password: `secret of ${username}` }).toString(),
  });
}

/** A write that names no user: a barrier. */
export function barrier(to: Balanced, headers: Readonly<Record<string, string>> = {}): Promise<Reply> {
  return ask(to.url, {
    method: "POST",
    path: "/register",
    headers: { "content-type": "text/plain", ...headers },
    body: "all",
  });
}

export function read(to: Balanced, path = "/login"): Promise<Reply> {
  return ask(to.url, { path });
}

/** As a repeat of the request that it belongs to. */
export function key(value: string): { "idempotency-key": string } {
  return { "idempotency-key": value };
}
