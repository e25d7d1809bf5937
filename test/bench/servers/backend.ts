/** `node backend.ts COUNT`: that many bare app servers in one process; they answer at once and keep nothing. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { listenAnywhere, sayReady } from "./ready.ts";

const BODY = '{"username":"someone","node":"bare"}';
const HEADERS = ["Content-Type", "application/json", "Content-Length", String(BODY.length)];

function answer(request: IncomingMessage, response: ServerResponse): void {
  const reply = () => response.writeHead(request.method === "POST" ? 201 : 200, HEADERS).end(BODY);
  if (request.method === "GET") reply();
  else request.on("end", reply).resume();
}

const count = Number(process.argv[2] ?? 1);
sayReady(await Promise.all(Array.from({ length: count }, () => listenAnywhere(createServer(answer)))));
