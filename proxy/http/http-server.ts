/** The listener for traffic: node:http, strict, with every answer that is not a node's own a problem+json. */

import {
  createServer as createHttpServer,
  type Server as HttpServer,
  type IncomingMessage,
  type ServerOptions,
  type ServerResponse,
} from "node:http";
import { createServer as createHttpsServer, type Server as HttpsServer } from "node:https";
import { type AddressInfo, Server as NetServer, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Config } from "../config/config.ts";
import { readTls, type TlsPair } from "../config/tls-files.ts";
import { LbError, toLbError } from "../errors.ts";
import { answerOnSocket, clientError } from "./client-error.ts";
import { Clients } from "./clients.ts";
import { type Inspected, Inspector } from "./framing.ts";
import { sendProblem } from "./problem.ts";
import { type Connection, responseClass, type TrafficResponse } from "./traffic-response.ts";

/** Gets each request that is fit to be forwarded, on one connection one after the other. */
export type TrafficHandler = (
  request: IncomingMessage,
  response: ServerResponse,
  inspected: Inspected,
) => void | Promise<void>;

/** Told of each request that was refused before the handler saw it; `request` is null where it was unreadable. */
export type RefusedListener = (error: LbError, request: IncomingMessage | null) => void;

/** What the listener has besides its config and handler. */
export interface TrafficOptions {
  /** See InspectorOptions. */
  readonly mark: string;
  readonly refused?: RefusedListener;
  /** A connection more than limits.connections was closed. */
  readonly crowded?: () => void;
  /** A socket that is listened on already, and stays so when this process ends: a successor takes it over. */
  readonly inherited?: number | null;
}

/** Requests that one connection may have waiting behind the one being answered. */
const PIPELINE = 64;
/** ms; fixed, since a listener cannot change it while it runs. */
const HANDSHAKE_TIMEOUT = 10_000;
/** ms beyond sendTimeout, the longest that a write takes while it waits for a node that is about to leave. */
const HAND_OVER = 250;

/** Asks for the body of a client that waits for 100 Continue. To be called before a body is read. */
export function wantBody(response: ServerResponse, inspected: Inspected): void {
  if (inspected.expectsContinue && inspected.hasBody) response.writeContinue();
}

/** Makes the listener; `listen()` binds it. */
export function createTrafficServer(
  config: Config,
  handler: TrafficHandler,
  options: TrafficOptions,
): TrafficServer {
  return new TrafficServer(config, handler, options);
}

/** See `createTrafficServer`. */
export class TrafficServer {
  readonly server: HttpServer | HttpsServer;
  readonly clients = new Clients();
  readonly #handler: TrafficHandler;
  readonly #refused: RefusedListener;
  readonly #crowded: () => void;
  readonly #mark: string;
  readonly #inherited: number | null;
  readonly #connections = new WeakMap<Duplex, Connection>();
  readonly #draining = { now: false };
  #tls: TlsPair | null;
  #config: Config;
  #inspector: Inspector;

  constructor(config: Config, handler: TrafficHandler, options: TrafficOptions) {
    this.#config = config;
    this.#handler = handler;
    this.#refused = options.refused ?? (() => {});
    this.#crowded = options.crowded ?? (() => {});
    this.#mark = options.mark;
    this.#inherited = options.inherited ?? null;
    this.#inspector = this.#createInspector(config);
    this.#tls = config.listen.tls && readTls(config.listen.tls, "listen/tls");
    this.server = this.#createServer(config);
    this.#applyLimits(config);
    this.#wire();
  }

  /** Clients' connections that are open. */
  get connections(): number {
    return this.clients.open;
  }

  /** When the certificate expires (ms since the epoch); null without TLS. */
  get certificateExpiresAt(): number | null {
    return this.#tls?.expiresAt ?? null;
  }

  /** Binds the configured address, or takes the inherited socket; gives what it became (port 0). */
  async listen(): Promise<{ host: string; port: number }> {
    const { host, port } = this.#config.listen.address;
    await listening(this.server, host, port, this.#inherited);
    return { host, port: (this.server.address() as AddressInfo).port };
  }

  /** Takes over limits and trusted proxies. `listen` and `limits.header` stay as they were at the start. */
  configure(config: Config): void {
    this.#config = config;
    this.#inspector = this.#createInspector(config);
    this.#applyLimits(config);
  }

  /** New connections get this certificate. */
  renew(pair: TlsPair): void {
    if (!("setSecureContext" in this.server))
      throw new Error("renew: expected a listener with tls, got one without");
    this.server.setSecureContext(pair);
    this.#tls = pair;
  }

  /**
   * Accepts no more, lets answers in progress end, and cuts what is left after `timeout` ms.
   *
   * With a successor nobody is to notice: for up to `timeout` ms it goes on accepting, each answer being its
   * connection's last, until the connections from before are gone. Only then do new ones wait for the successor,
   * and no longer than a write takes.
   */
  async drain(timeout: number): Promise<void> {
    this.#draining.now = true;
    if (this.#inherited !== null) this.#closeIdle(await this.clients.outlast(timeout));
    const { promise, resolve } = Promise.withResolvers<void>();
    // Its error would say that it was not listening, which is fine.
    this.#close(() => resolve());
    const timer = setTimeout(() => this.server.closeAllConnections(), this.#lastWait(timeout));
    await promise;
    clearTimeout(timer);
  }

  /** Of connections that had their time. With TLS nobody knows here which are idle: they have the last wait, too. */
  #closeIdle(sockets: readonly Socket[]): void {
    if (this.#tls) return;
    for (const socket of sockets) {
      const latest = this.#connections.get(socket)?.latest ?? null;
      if (latest === null || latest.writableFinished) socket.destroy();
    }
  }

  /**
   * node:http's own close() takes a connection whose first request has not come yet for an idle one, and closes those:
   * with a successor, it was accepted a moment ago, and its request is on the way.
   */
  #close(closed: () => void): void {
    if (this.#inherited === null) this.server.close(closed);
    else NetServer.prototype.close.call(this.server, closed);
  }

  /** ms that answers in progress have when no more is accepted. */
  #lastWait(timeout: number): number {
    if (this.#inherited === null) return timeout;
    return Math.min(timeout, this.#config.writes.sendTimeout + HAND_OVER);
  }

  #createInspector({ trustedProxies, listen }: Config): Inspector {
    return new Inspector({ trustedProxies, scheme: listen.tls ? "https" : "http", mark: this.#mark });
  }

  #createServer(config: Config): HttpServer | HttpsServer {
    const options: ServerOptions<typeof IncomingMessage, typeof ServerResponse> = {
      ServerResponse: responseClass(this.#draining),
      maxHeaderSize: config.limits.header,
      // The inspector does it, with a body that says so.
      requireHostHeader: false,
      // Bodies of answers to HEAD, and of 204 and 304, are left out; refused would mean: an exception.
      rejectNonStandardBodyWrites: false,
      insecureHTTPParser: false,
      noDelay: true,
      connectionsCheckingInterval: Math.min(1000, Math.max(50, config.limits.headerTimeout / 4)),
      // Upgrades are judged with everything else, in the inspector.
      shouldUpgradeCallback: () => false,
    };
    if (!this.#tls) return createHttpServer(options);
    return createHttpsServer({
      ...options,
      ...this.#tls,
      minVersion: "TLSv1.2",
      ALPNProtocols: ["http/1.1"],
      handshakeTimeout: HANDSHAKE_TIMEOUT,
    });
  }

  #applyLimits(config: Config): void {
    const { server } = this;
    const { limits } = config;
    server.headersTimeout = limits.headerTimeout;
    server.requestTimeout = limits.headerTimeout + limits.bodyTimeout;
    server.keepAliveTimeout = limits.idleTimeout;
    server.maxConnections = limits.connections;
    // By default node:http drops what is beyond 2,000 fields without a word; the inspector counts them.
    server.maxHeadersCount = 0;
    server.timeout = longestSilence(config);
  }

  #wire(): void {
    const serve = (request: IncomingMessage, response: ServerResponse) => this.#take(request, response);
    this.server.on("request", serve);
    this.server.on("checkContinue", serve);
    this.server.on("checkExpectation", serve);
    this.server.on("connection", (socket: Socket) => this.clients.add(socket));
    this.server.on("drop", this.#crowded);
    this.server.on("connect", (request: IncomingMessage, socket: Duplex) => {
      const error = new LbError("connect_refused", "expected a method other than CONNECT");
      this.#refused(error, request);
      socket.on("error", () => {});
      answerOnSocket(socket, error);
    });
    this.server.on("clientError", (error: Error, socket: Duplex) => this.#unreadable(error, socket));
  }

  /**
   * RFC 9112 §9.3.2: pipelined requests may be carried out side by side only if all are safe; here each waits
   * for the answer to the one before. A response without a socket is one whose turn has not come.
   */
  #take(request: IncomingMessage, response: ServerResponse): void {
    const connection = this.#connection(request.socket);
    if (connection.closing) return;
    connection.latest = response;
    (response as TrafficResponse).client = connection;
    if (response.socket !== null) {
      this.#serve(request, response);
      return;
    }
    connection.waiting += 1;
    if (connection.waiting >= PIPELINE) {
      // The last one that is taken: what comes behind it gets lost with the connection, as RFC 9112 lets it.
      connection.closing = true;
      response.shouldKeepAlive = false;
    }
    response.once("socket", () => {
      connection.waiting -= 1;
      this.#serve(request, response);
    });
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    const inspected = this.#inspector.inspect(request);
    if (inspected instanceof LbError) {
      this.#refused(inspected, request);
      sendProblem(response, inspected);
    } else if (inspected.target === "*") {
      response.writeHead(204, ["Allow", this.#methods()]).end();
    } else {
      if (inspected.expectsContinue && inspected.hasBody) (response as TrafficResponse).awaitsContinue = true;
      this.#handle(request, response, inspected);
    }
  }

  #handle(request: IncomingMessage, response: ServerResponse, inspected: Inspected): void {
    const fail = (thrown: unknown) => {
      const error = toLbError(thrown);
      this.#refused(error, request);
      if (response.headersSent) response.destroy();
      else sendProblem(response, error, { instance: inspected.requestId });
    };
    try {
      const done = this.#handler(request, response, inspected);
      if (done !== undefined) done.catch(fail);
    } catch (thrown) {
      fail(thrown);
    }
  }

  /** `OPTIONS *` asks what the server as a whole can do. */
  #methods(): string {
    return [...new Set(this.#config.routes.flatMap((route) => route.match.methods))].join(", ");
  }

  #unreadable(error: Error, socket: Duplex): void {
    const connection = this.#connection(socket);
    const { latest } = connection;
    const inBody = latest !== null && !latest.req.complete;
    const told = connection.closing ? null : clientError(error, inBody);
    const silent = (socket as Socket).bytesRead === 0;
    const begun = inBody && (latest.headersSent || latest.socket === null);
    if (told === null || silent || begun || !socket.writable) {
      socket.destroy();
      return;
    }
    connection.closing = true;
    this.#refused(told, null);
    // Answers to what came before the unreadable part go out first.
    if (latest === null || inBody || latest.closed) answerOnSocket(socket, told);
    else latest.once("close", () => answerOnSocket(socket, told));
  }

  #connection(socket: Duplex): Connection {
    const known = this.#connections.get(socket);
    if (known !== undefined) return known;
    const made = { latest: null, waiting: 0, closing: false };
    this.#connections.set(socket, made);
    return made;
  }
}

/** A connection on which nothing moves for longer than anything is allowed to take is dead. */
function longestSilence({ limits, routes, writes }: Config): number {
  const reads = routes.map((route) => (route.to === "one" ? route.timeout : writes.ackTimeout));
  return Math.max(limits.idleTimeout, limits.headerTimeout + limits.bodyTimeout, ...reads) + 5000;
}

function listening(
  server: HttpServer | HttpsServer,
  host: string,
  port: number,
  inherited: number | null,
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const failed = (cause: NodeJS.ErrnoException) => {
    const why = cause.code === "EADDRINUSE" ? "one that is in use" : (cause.code ?? cause.message);
    reject(new Error(`listen: expected an address that is free, got ${host}:${port}: ${why}`, { cause }));
  };
  server.once("error", failed);
  server.listen(inherited === null ? { port, host } : { fd: inherited }, () => {
    server.removeListener("error", failed);
    resolve();
  });
  return promise;
}
