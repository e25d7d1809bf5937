/** App servers for tests: bare node:http, knowing nothing of the balancer, each with a log of what it got. */

import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";
import { setTimeout as pause } from "node:timers/promises";

/** One request as it arrived. */
export interface Arrival {
  /** 0, 1, 2 … in order of arrival. */
  readonly index: number;
  readonly method: string;
  readonly url: string;
  /** Flat, as on the wire. */
  readonly rawHeaders: readonly string[];
  /** Lower-case names, as node:http joins them. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
  readonly bytes: Buffer;
  /** performance.now() when the body was in. */
  readonly at: number;
}

/** What a node does with one request. Everything has a default: 200, "ok", at once. */
export interface Reaction {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string | string[]>>;
  readonly body?: string | Buffer;
  /** ms before the answer begins. */
  readonly delay?: number;
  /**
   * reset: the connection is cut before any byte of the answer; half: it is cut in the middle of the body;
   * hang: no answer ever; stall: the head and half of the body, then nothing.
   */
  readonly fault?: "reset" | "half" | "hang" | "stall";
  /** Neither Content-Length nor chunked: the connection's end is the body's. */
  readonly unframed?: true;
}

/** One reaction for all requests, or one for each. */
export type Behaviour = Reaction | ((arrival: Arrival) => Reaction | Promise<Reaction>);

/** A node under test. */
export interface TestNode {
  readonly url: string;
  readonly port: number;
  /** Requests whose bodies are in, in order. */
  readonly log: readonly Arrival[];
  /** Requests that have begun, whether or not their bodies are in. */
  readonly begun: number;
  /** Those, each as "PUT /lb/snapshot". */
  readonly heads: readonly string[];
  /** Requests whose connection went before they were answered. */
  readonly cut: number;
  readonly connections: number;
  /** Changes what it does from the next request on. */
  behave(behaviour: Behaviour): void;
  /** Answers, where `early` gives something, before the body is in; such a request is not in the log. */
  interrupt(early: (head: Pick<Arrival, "method" | "url">) => Reaction | null): void;
  clearLog(): void;
  /** Cuts all connections and frees the port. */
  stop(): Promise<void>;
  /** Listens on the same port again; the log goes on. */
  restart(): Promise<void>;
}

/** Starts a node on a free port; it is stopped when the test ends. */
export async function startNode(t: TestContext, behaviour: Behaviour = {}): Promise<TestNode> {
  const node = new BareNode(behaviour);
  await node.start(0);
  t.after(() => node.stop());
  return node;
}

class BareNode implements TestNode {
  port = 0;
  heads: string[] = [];
  cut = 0;
  connections = 0;
  #log: Arrival[] = [];
  #behaviour: Behaviour;
  #early: Parameters<TestNode["interrupt"]>[0] = () => null;
  #server: Server | null = null;
  #stopping = new AbortController();

  constructor(behaviour: Behaviour) {
    this.#behaviour = behaviour;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get begun(): number {
    return this.heads.length;
  }

  get log(): readonly Arrival[] {
    return this.#log;
  }

  behave(behaviour: Behaviour): void {
    this.#behaviour = behaviour;
  }

  interrupt(early: Parameters<TestNode["interrupt"]>[0]): void {
    this.#early = early;
  }

  clearLog(): void {
    this.#log = [];
    this.heads = [];
  }

  async start(port: number): Promise<void> {
    this.#stopping = new AbortController();
    const server = createServer((request, response) => {
      this.heads.push(`${request.method} ${request.url}`);
      response.once("close", () => {
        if (!response.writableFinished) this.cut += 1;
      });
      // A cut connection is what some tests are about.
      this.#serve(request, response).catch(() => response.destroy());
    });
    server.on("connection", () => {
      this.connections += 1;
    });
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
    this.port = (server.address() as AddressInfo).port;
    this.#server = server;
  }

  async stop(): Promise<void> {
    const server = this.#server;
    if (!server) return;
    this.#server = null;
    this.#stopping.abort();
    const closed = once(server, "close");
    server.close();
    server.closeAllConnections();
    await closed;
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.start(this.port);
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const early = this.#early({ method: request.method ?? "", url: request.url ?? "" });
    if (early !== null) {
      react(response, early);
      return;
    }
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const arrival = this.#arrived(request, Buffer.concat(chunks));
    const behaviour = this.#behaviour;
    const reaction = typeof behaviour === "function" ? await behaviour(arrival) : behaviour;
    if (reaction.delay) await pause(reaction.delay, undefined, { signal: this.#stopping.signal });
    react(response, reaction);
  }

  #arrived(request: IncomingMessage, bytes: Buffer): Arrival {
    const arrival = {
      index: this.#log.length,
      method: request.method ?? "",
      url: request.url ?? "",
      rawHeaders: request.rawHeaders,
      headers: request.headers,
      body: bytes.toString(),
      bytes,
      at: performance.now(),
    };
    this.#log.push(arrival);
    return arrival;
  }
}

function react(response: ServerResponse, reaction: Reaction): void {
  const { fault, status = 200, headers = {} } = reaction;
  if (fault === "hang") return;
  if (fault === "reset") {
    response.socket?.resetAndDestroy();
    return;
  }
  const body = Buffer.from(reaction.body ?? "ok");
  const bodiless = status === 204 || status === 304;
  response.useChunkedEncodingByDefault = reaction.unframed !== true;
  const length = bodiless || reaction.unframed ? {} : { "Content-Length": body.length };
  response.writeHead(status, { ...length, ...headers });
  if (fault === undefined) {
    response.end(bodiless ? undefined : body);
    return;
  }
  response.write(body.subarray(0, Math.ceil(body.length / 2)), () => {
    if (fault === "half") response.socket?.destroy();
  });
}
