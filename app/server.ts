import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { type Answer, problem, Refusal } from "./answer.ts";
import { openDatabase, type Sync } from "./database.ts";
import { Routes } from "./routes.ts";

export interface AppOptions {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  /** The SQLite file. */
  readonly data: string;
  /** What GET /login says it was answered by. */
  readonly name: string;
  readonly hashCost: number;
  readonly sync: Sync;
}

export interface RunningApp {
  readonly url: string;
  /** Takes no new connection, finishes the requests in flight (10 s at most), closes the database. */
  close(): Promise<void>;
}

/** Longer than any proxy keeps an idle connection, so that it is never closed just as a request comes in. */
const KEEP_ALIVE = 75_000;
/** A whole snapshot is one request. */
const REQUEST_TIMEOUT = 3_600_000;
const CLOSE_TIMEOUT = 10_000;

export async function startServer(options: AppOptions): Promise<RunningApp> {
  const db = openDatabase(options.data, options.sync);
  const routes = new Routes({ db, file: options.data, name: options.name, hashCost: options.hashCost });
  const server = createServer(
    { keepAliveTimeout: KEEP_ALIVE, requestTimeout: REQUEST_TIMEOUT },
    (req, res) => {
      void respond(server, routes, req, res);
    },
  );
  return {
    url: await listen(server, options.host, options.port),
    async close() {
      await closeServer(server);
      db.close();
    },
  };
}

async function listen(server: Server, host: string, port: number): Promise<string> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, resolve);
  });
  const address = server.address() as AddressInfo;
  return `http://${address.family === "IPv6" ? `[${address.address}]` : address.address}:${address.port}`;
}

async function closeServer(server: Server): Promise<void> {
  const timer = setTimeout(() => server.closeAllConnections(), CLOSE_TIMEOUT);
  await new Promise((resolve) => server.close(resolve));
  clearTimeout(timer);
}

async function respond(
  server: Server,
  routes: Routes,
  req: IncomingMessage,
  res: ServerResponse,
): Promise<void> {
  try {
    const result = await outcome(routes, req);
    if (!server.listening) res.shouldKeepAlive = false; // closing: this connection's last answer
    if (result instanceof Readable) await sendStream(req, res, result);
    else send(res, result);
  } catch (error) {
    fail(req, res, error);
  }
}

async function outcome(routes: Routes, req: IncomingMessage): Promise<Answer | Readable> {
  try {
    return await routes.find(req)(req);
  } catch (error) {
    if (error instanceof Refusal) return error.answer;
    throw error;
  }
}

function send(res: ServerResponse, answer: Answer): void {
  res.writeHead(answer.status, {
    "content-type": answer.status < 400 ? "application/json" : "application/problem+json",
    "content-length": Buffer.byteLength(answer.body),
    "cache-control": "no-store",
    ...answer.headers,
  });
  res.end(answer.body);
}

async function sendStream(req: IncomingMessage, res: ServerResponse, body: Readable): Promise<void> {
  res.writeHead(200, { "content-type": "application/x-ndjson", "cache-control": "no-store" });
  if (req.method === "HEAD") {
    body.destroy();
    res.end();
    return;
  }
  res.flushHeaders(); // its point in time is fixed: whoever asked may go on writing
  await pipeline(body, res);
}

/** Our fault, not the request's: 500, which the balancer tries again. The log says why, without the request. */
function fail(req: IncomingMessage, res: ServerResponse, error: unknown): void {
  if (res.destroyed || (req.destroyed && !req.complete)) return; // the client left: nobody is listening
  console.error(error);
  if (res.headersSent) res.destroy();
  else send(res, problem(500, "internal_error", "see the app's log"));
}
