/** The traffic listener with a handler of the test's own, and nothing behind it. */

import type { TestContext } from "node:test";
import { type Config, parseConfig } from "../../proxy/config/config.ts";
import type { LbError } from "../../proxy/errors.ts";
import type { Inspected } from "../../proxy/http/framing.ts";
import {
  createTrafficServer,
  type TrafficHandler,
  type TrafficServer,
  wantBody,
} from "../../proxy/http/http-server.ts";

/** What the handler got. */
export interface Seen extends Inspected {
  readonly body: string;
}

export interface Traffic {
  readonly server: TrafficServer;
  readonly port: number;
  /** Requests that reached the handler and whose bodies are in. */
  readonly seen: readonly Seen[];
  /** Errors of requests that did not reach it. */
  readonly refused: readonly LbError[];
}

/** One node that is never asked. */
export function trafficConfig(settings = "", listen = "listen: 127.0.0.1:0"): Config {
  return parseConfig(
    `nodes: [{ name: app1, url: "http://127.0.0.1:1" }]\n${listen}\n${settings}`,
    "/nowhere",
  );
}

/** Starts a listener; without a handler it answers each request with itself, as JSON. */
export async function startTraffic(
  t: TestContext,
  config: Config = trafficConfig(),
  handler?: TrafficHandler,
): Promise<Traffic> {
  const seen: Seen[] = [];
  const refused: LbError[] = [];
  const echo: TrafficHandler = async (request, response, inspected) => {
    wantBody(response, inspected);
    let body = "";
    if (inspected.hasBody) for await (const chunk of request.setEncoding("latin1")) body += chunk;
    seen.push({ ...inspected, body });
    const answer = JSON.stringify({ ...inspected, body });
    response.writeHead(200, ["Content-Length", String(Buffer.byteLength(answer))]).end(answer);
  };
  const server = createTrafficServer(config, handler ?? echo, {
    mark: "balancer1",
    refused: (error) => refused.push(error),
  });
  const { port } = await server.listen();
  t.after(() => server.drain(0));
  return { server, port, seen, refused };
}

/** The value of a field in a flat list. */
export function fieldOf(headers: readonly string[], name: string): string | undefined {
  const at = headers.findIndex((text, index) => index % 2 === 0 && text.toLowerCase() === name.toLowerCase());
  return at < 0 ? undefined : headers[at + 1];
}
