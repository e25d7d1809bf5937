/** `node fast-proxy.ts URL…`: npm's fast-proxy at its fastest (over undici), one for each backend, in turn. */
import { createServer } from "node:http";
import fastProxy from "fast-proxy";
import { listenAnywhere, sayReady } from "./ready.ts";

const proxies = process.argv.slice(2).map((base) => fastProxy({ base, undici: { connections: 128 } }));
let turn = 0;

const server = createServer((request, response) => {
  const next = proxies[turn++ % proxies.length];
  next?.proxy(request, response, request.url ?? "/", {});
});
sayReady([await listenAnywhere(server)]);
