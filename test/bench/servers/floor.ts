/**
 * `node floor.ts URL…`: the least that a proxy of node:http and undici can do: round robin, the hop-by-hop fields
 * taken out, the body passed on. No health, no limits, no log, no retries.
 */
import { createServer, type ServerResponse } from "node:http";
import { type Dispatcher, Pool } from "undici";
import { listenAnywhere, sayReady } from "./ready.ts";

const HOP_BY_HOP = new Set(["connection", "keep-alive", "transfer-encoding"]);
const pools = process.argv.slice(2).map((url) => new Pool(url, { connections: 128 }));
let turn = 0;

function handler(response: ServerResponse): Dispatcher.DispatchHandler {
  return {
    onRequestStart: () => {},
    onResponseStart: (controller, status) => {
      response.writeHead(status, endToEnd(controller.rawHeaders as Buffer[]));
    },
    onResponseData: (_controller, chunk) => void response.write(chunk),
    onResponseEnd: () => void response.end(),
    onResponseError: () => void response.destroy(),
  };
}

function endToEnd(raw: readonly (Buffer | string)[]): string[] {
  const kept: string[] = [];
  for (let index = 0; index < raw.length; index += 2) {
    const name = String(raw[index]);
    if (!HOP_BY_HOP.has(name.toLowerCase())) kept.push(name, String(raw[index + 1]));
  }
  return kept;
}

const server = createServer((request, response) => {
  const pool = pools[turn++ % pools.length] as Pool;
  const headers = endToEnd(request.rawHeaders);
  const body = request.method === "GET" ? null : request;
  pool.dispatch(
    { method: request.method ?? "GET", path: request.url ?? "/", headers, body },
    handler(response),
  );
});
sayReady([await listenAnywhere(server)]);
