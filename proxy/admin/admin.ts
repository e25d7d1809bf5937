import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer, type Server as TlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { Config } from "../config/config.ts";
import { readTls, type TlsPair } from "../config/tls-files.ts";
import type { Control } from "../control.ts";
import { ERROR_ROWS, LbError, toLbError } from "../errors.ts";
import type { History } from "../history/history.ts";
import { closeSoftlyAfterAnswer } from "../http/client-error.ts";
import { sendProblem } from "../http/problem.ts";
import { type Log, pathOf } from "../log.ts";
import type { Metrics } from "../metrics/metrics.ts";
import { API } from "./admin-api.ts";
import { type AdminAuth, type Caller, CHALLENGE, loadAuth } from "./admin-auth.ts";
import { AdminRoutes, Body, type Found, type Reply, type StreamReply } from "./admin-route.ts";
import { FailedSignIns } from "./failed-sign-ins.ts";
import { refuseCrossSite, refuseWrongHost } from "./same-origin.ts";
import { send } from "./send.ts";
import { errorPage } from "./stats/ask-page.ts";
import { page, STATS } from "./stats/routes.ts";
import { Streams } from "./stats/stream.ts";

export type AdminConfig = Config["admin"];

export interface AdminOptions {
  readonly config: AdminConfig;
  readonly control: Control;
  readonly metrics: Metrics;
  readonly history: History;
  readonly log: Log;
  /** A socket that is listened on already. */
  readonly inherited?: number | null;
}

const MOST_BODY = 16 * 1024;
const MOST_HEADER = 16 * 1024;
const MOST_CONNECTIONS = 256;
const HEAD_TIMEOUT = 10_000;
const REQUEST_TIMEOUT = 15_000;
const IDLE_TIMEOUT = 65_000;
const CLOSE_TIMEOUT = 1000;
/** Nothing moves on a connection for longer than this while it is in use. */
const SILENCE_TIMEOUT = 120_000;

/** On every answer. Same-origin as referrer policy: with no-referrer, forms would send `Origin: null`. */
const SECURITY = {
  "Content-Security-Policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
  "X-Content-Type-Options": "nosniff",
  "X-Frame-Options": "DENY",
  "Referrer-Policy": "same-origin",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Cache-Control": "no-store",
};

/**
 * The listener for operators: stats page, admin API, metrics. It has limits of its own, so that it answers when
 * the traffic's are reached. Reads the password files (made when missing) and certificate: throws ConfigError.
 */
export class AdminServer {
  readonly #options: AdminOptions;
  readonly #server: Server | TlsServer;
  readonly #routes = new AdminRoutes([...API, ...STATS]);
  readonly #failures = new FailedSignIns();
  readonly #streams: Streams;
  #auth: AdminAuth;
  #tls: TlsPair | null;

  constructor(options: AdminOptions) {
    this.#options = options;
    this.#auth = loadAuth(options.config);
    this.#streams = new Streams(options);
    this.#tls = options.config.tls && readTls(options.config.tls, "admin/tls");
    this.#server = createListener(this.#tls, (request, response) => {
      for (const [name, value] of Object.entries(SECURITY)) response.setHeader(name, value);
      this.#serve(request, response).catch((error: unknown) => {
        options.log.bug("admin", error);
        response.destroy();
      });
    });
  }

  /** Binds the configured address, or takes the inherited socket; gives what it became (port 0). Rejects when it is taken. */
  async listen(): Promise<{ host: string; port: number }> {
    const { host, port } = this.#options.config.listen;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#server.once("error", (cause: NodeJS.ErrnoException) => {
      const why = cause.code === "EADDRINUSE" ? "one that is in use" : (cause.code ?? "an error");
      reject(
        new Error(`admin/listen: expected an address that is free, got ${host}:${port}: ${why}`, { cause }),
      );
    });
    const { inherited = null } = this.#options;
    this.#server.listen(inherited === null ? { port, host } : { fd: inherited }, resolve);
    await promise;
    return { host, port: (this.#server.address() as AddressInfo).port };
  }

  /** When the certificate expires (ms since the epoch); null without TLS. */
  get certificateExpiresAt(): number | null {
    return this.#tls?.expiresAt ?? null;
  }

  /** SIGHUP: users, passwords and certificate anew; the address stays. Throws and changes nothing when it can't. */
  reload(config: AdminConfig): void {
    const auth = loadAuth(config);
    if (config.tls && "setSecureContext" in this.#server) {
      const pair = readTls(config.tls, "admin/tls");
      this.#server.setSecureContext(pair);
      this.#tls = pair;
    }
    this.#auth = auth;
    // Whoever looks has to sign in anew.
    this.#streams.closeAll();
  }

  /** Takes nothing new; what is in progress has a second. */
  async close(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.close(() => resolve());
    this.#streams.closeAll();
    const timer = setTimeout(() => this.#server.closeAllConnections(), CLOSE_TIMEOUT);
    await promise;
    clearTimeout(timer);
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = "" } = request;
    const { path, query } = splitTarget(request.url ?? "");
    const found = this.#routes.find(method, path);
    let caller: Caller | null = null;
    try {
      if (!isOpen(found)) {
        refuseWrongHost(request);
        caller = await this.#signIn(request);
        this.#refuseChange(request, caller);
      }
      if (found instanceof LbError) throw found;
      await send(response, await this.#run(found, caller, query, request));
    } catch (thrown) {
      await this.#refuse(
        response,
        toLbError(thrown),
        !(found instanceof LbError) && found.route.page === true,
      );
    }
    if (method === "POST" && caller !== null) this.#audit(request, response, caller);
  }

  /** Changes are for the admin user, from our own page or a client that is no browser. */
  #refuseChange(request: IncomingMessage, caller: Caller): void {
    if (request.method === "GET" || request.method === "HEAD") return;
    refuseCrossSite(request);
    if (caller.role === "admin") return;
    throw new LbError("forbidden", `expected the admin user, got ${caller.user}, who may only look`);
  }

  async #signIn({ headers, socket }: IncomingMessage): Promise<Caller> {
    if (headers.authorization === undefined)
      throw new LbError("unauthorized", "expected user and password, got none");
    const caller = this.#auth.callerOf(headers.authorization);
    if (caller !== null) return caller;
    const address = socket.remoteAddress ?? "";
    await this.#failures.hold(this.#failures.failed(address));
    this.#options.log.signInFailed(address);
    // Each guess costs a connection.
    throw new LbError("unauthorized", "expected the user and password of an account, got others");
  }

  async #run(
    found: Found,
    caller: Caller | null,
    query: URLSearchParams,
    request: IncomingMessage,
  ): Promise<Reply | StreamReply> {
    const { control, metrics, history } = this.#options;
    const streams = this.#streams;
    const body = new Body(await readBody(request), request.headers["content-type"]);
    const { accept = "" } = request.headers;
    return await found.route.run({
      control,
      metrics,
      history,
      streams,
      params: found.params,
      query,
      body,
      accept,
      caller,
    });
  }

  async #refuse(response: ServerResponse, error: LbError, asPage: boolean): Promise<void> {
    if (error.code === "internal_error") this.#options.log.bug("admin", error.cause);
    if (!response.req.complete) {
      response.shouldKeepAlive = false;
      closeSoftlyAfterAnswer(response.req.socket);
    }
    if (error.code === "unauthorized") {
      response.setHeader("WWW-Authenticate", CHALLENGE);
      if (response.req.headers.authorization !== undefined) response.shouldKeepAlive = false;
    }
    if (!asPage || error.code === "unauthorized") {
      sendProblem(response, error);
      return;
    }
    const { status, title, next } = ERROR_ROWS[error.code];
    await send(response, page(status, errorPage({ title, next, detail: error.message, code: error.code })));
  }

  #audit(request: IncomingMessage, response: ServerResponse, { user }: Caller): void {
    const action = pathOf(request.url ?? "");
    const client = request.socket.remoteAddress ?? "";
    this.#options.log.audit({ user, client, action, status: response.statusCode });
  }
}

function createListener(
  tls: TlsPair | null,
  serve: (request: IncomingMessage, response: ServerResponse) => void,
): Server | TlsServer {
  const options = {
    maxHeaderSize: MOST_HEADER,
    headersTimeout: HEAD_TIMEOUT,
    requestTimeout: REQUEST_TIMEOUT,
    keepAliveTimeout: IDLE_TIMEOUT,
  };
  const server = tls
    ? createTlsServer({ ...options, ...tls, minVersion: "TLSv1.2" }, serve)
    : createServer(options, serve);
  server.maxConnections = MOST_CONNECTIONS;
  server.timeout = SILENCE_TIMEOUT;
  return server;
}

function isOpen(found: Found | LbError): boolean {
  return !(found instanceof LbError) && found.route.open === true;
}

function splitTarget(target: string): { path: string; query: URLSearchParams } {
  const path = pathOf(target);
  return { path, query: new URLSearchParams(target.slice(path.length + 1)) };
}

/** The whole body; throws body_too_large or client_left. The server's requestTimeout bounds its time. */
async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    // A loop that is left early would destroy the connection, and the answer with it.
    for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > MOST_BODY) break;
      chunks.push(chunk);
    }
  } catch (cause) {
    throw new LbError("client_left", "the client left before its request was complete", { cause });
  }
  if (size <= MOST_BODY) return Buffer.concat(chunks);
  throw new LbError("body_too_large", `expected at most ${MOST_BODY} bytes, got more`);
}
