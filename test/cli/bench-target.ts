/** A balancer with its nodes, all fake and in this process, that can be told to misbehave. */
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { AdminAccess } from "../../cli/admin-client.ts";
import type { NodeStatus, Status, VerifyReport } from "../../proxy/api.ts";
import { tempFolder } from "../support/temp-folder.ts";

export interface Misbehaviour {
  /** The balancer answers nothing that arrives in this stretch until it is over; ms since read 31 (after the warm-up). */
  readonly stall?: { readonly fromMs: number; readonly forMs: number };
  /** Works on one request at a time, this long each. */
  readonly serialMs?: number;
  /** Every so-many-th write is acknowledged, but never reaches the last node. */
  readonly loseEvery?: number;
  /** Only changes are lost, not registrations. */
  readonly loseOnlyChanges?: boolean;
  /** Every so-many-th registration is taken twice by all nodes. */
  readonly doubleEvery?: number;
  /** Every so-many-th write takes effect, and its connection is cut instead of an answer. */
  readonly cutEvery?: number;
  /** Every so-many-th read is answered with this. */
  readonly badReadEvery?: { readonly every: number; readonly status: number; readonly body: string };
  /** All reads go to the first node. */
  readonly uneven?: boolean;
  /** The nodes have no digest. */
  readonly noDigest?: boolean;
  /** Rival changes all succeed. */
  readonly acceptsRivals?: boolean;
  /** Idempotency-Keys are not looked at. */
  readonly ignoresKeys?: boolean;
  /** The last node never gets to the head. */
  readonly staysBehind?: boolean;
  /** Where writes don't arrive at all. */
  readonly swallowsWrites?: boolean;
}

export const ADMIN = { user: "admin", password: "secret" };

class FakeNode {
  readonly name: string;
  readonly users = new Map<string, string>();
  doubled = 0;
  reads = 0;

  constructor(name: string) {
    this.name = name;
  }

  write(path: string, form: URLSearchParams, acceptsRivals: boolean): number {
    const name = form.get("username") ?? "";
    const held = this.users.get(name);
    if (path === "/register") {
      if (held !== undefined) return 409;
      this.users.set(name, form.get("password") ?? "");
      return 201;
    }
    if (held === undefined) return 404;
    if (held !== form.get("password") && !acceptsRivals) return 403;
    this.users.set(name, form.get("newPassword") ?? "");
    return 200;
  }

  login(request: IncomingMessage, response: ServerResponse): void {
    const [, encoded = ""] = (request.headers.authorization ?? "").split(" ");
    const [name = "", password] = Buffer.from(encoded, "base64").toString().split(":");
    const good = this.users.has(name) && this.users.get(name) === password;
    response.writeHead(good ? 200 : 401, { "content-type": "application/json" });
    response.end(good ? JSON.stringify({ username: name, node: this.name }) : "{}");
  }

  digest(): string {
    const sorted = [...this.users].sort(([a], [b]) => (a < b ? -1 : 1));
    return createHash("sha256").update(JSON.stringify(sorted)).digest("hex");
  }
}

export class FakeTarget {
  readonly nodes: readonly FakeNode[];
  readonly keys = new Map<string, number>();
  /** Writes that took effect, by user. */
  readonly effects: string[] = [];
  url = "";
  adminUrl = "";
  head = 0;
  #reads = 0;
  #writes = 0;
  #registrations = 0;
  #readsBegan = 0;
  #serial: Promise<void> = Promise.resolve();
  #passwordFile = "";
  readonly #urls = new Map<string, string>();
  readonly #how: Misbehaviour;

  constructor(count: number, how: Misbehaviour) {
    this.nodes = Array.from({ length: count }, (_, index) => new FakeNode(`app${index + 1}`));
    this.#how = how;
  }

  get admin(): AdminAccess {
    return { adminUrl: this.adminUrl, adminUser: ADMIN.user, adminPasswordFile: this.#passwordFile };
  }

  async listen(t: TestContext): Promise<this> {
    this.#passwordFile = join(tempFolder(t), "admin.password");
    writeFileSync(this.#passwordFile, `${ADMIN.password}\n`);
    this.url = await listen(t, (request, response) => void this.#serve(request, response));
    this.adminUrl = await listen(t, (request, response) => this.#administer(request, response));
    for (const node of this.nodes) {
      this.#urls.set(node.name, await listen(t, (request, response) => node.login(request, response)));
    }
    return this;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { stall, serialMs } = this.#how;
    if (request.method === "GET") this.#reads += 1;
    if (stall !== undefined) await this.#stall(stall);
    if (serialMs !== undefined) {
      const turn = this.#serial.then(() => sleep(serialMs));
      this.#serial = turn;
      await turn;
    }
    if (request.method === "GET") this.#read(request, response);
    else await this.#write(request, response);
  }

  async #stall({ fromMs, forMs }: { fromMs: number; forMs: number }): Promise<void> {
    if (this.#readsBegan === 0 && this.#reads > 30) this.#readsBegan = performance.now();
    const since = performance.now() - this.#readsBegan;
    if (this.#readsBegan > 0 && since >= fromMs && since < fromMs + forMs)
      await sleep(fromMs + forMs - since);
  }

  #read(request: IncomingMessage, response: ServerResponse): void {
    const bad = this.#how.badReadEvery;
    if (bad !== undefined && this.#reads % bad.every === 0) {
      response.writeHead(bad.status).end(bad.body);
      return;
    }
    const node = this.nodes[this.#how.uneven ? 0 : this.#reads % this.nodes.length] as FakeNode;
    node.reads += 1;
    node.login(request, response);
  }

  async #write(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const form = new URLSearchParams(await bodyOf(request));
    if (this.#how.swallowsWrites) return;
    const key = this.#how.ignoresKeys ? undefined : String(request.headers["idempotency-key"] ?? "");
    const status = (key && this.keys.get(key)) || this.#apply(request.url ?? "", form);
    if (key) this.keys.set(key, status);
    this.#writes += 1;
    if (this.#how.cutEvery !== undefined && this.#writes % this.#how.cutEvery === 0) request.socket.destroy();
    else response.writeHead(status, { "content-type": "application/json" }).end("{}");
  }

  #apply(path: string, form: URLSearchParams): number {
    this.head += 1;
    const { loseEvery, loseOnlyChanges, doubleEvery, acceptsRivals } = this.#how;
    this.effects.push(`${path} ${form.get("username")}`);
    if (path === "/register") this.#registrations += 1;
    const losable = loseEvery !== undefined && (!loseOnlyChanges || path === "/changePassword");
    const lost = losable && this.head % loseEvery === 0;
    const doubled =
      path === "/register" && doubleEvery !== undefined && this.#registrations % doubleEvery === 0;
    let status = 0;
    for (const [index, node] of this.nodes.entries()) {
      if (lost && index === this.nodes.length - 1) continue;
      status = node.write(path, form, acceptsRivals ?? false);
      if (doubled) node.doubled += 1;
    }
    return status;
  }

  #administer(request: IncomingMessage, response: ServerResponse): void {
    const expected = `Basic ${Buffer.from(`${ADMIN.user}:${ADMIN.password}`).toString("base64")}`;
    if (request.headers.authorization !== expected) response.writeHead(401).end();
    else if (request.url === "/api/status") json(response, this.#status());
    else if (request.url === "/api/verify" && request.method === "POST") json(response, this.#verify());
    else response.writeHead(404).end();
  }

  #status(): Partial<Status> {
    return {
      cluster: "fake",
      startedAt: 1,
      head: this.head,
      writesOpen: 0,
      setAside: 0,
      nodes: this.nodes.map((node) => this.#nodeStatus(node)) as readonly NodeStatus[],
    };
  }

  #nodeStatus(node: FakeNode): Partial<NodeStatus> {
    const behind = this.#how.staysBehind && node === this.nodes.at(-1);
    const state = behind ? "catching-up" : "in-sync";
    const url = this.#urls.get(node.name) ?? "";
    return {
      name: node.name,
      url,
      state,
      since: 1,
      reason: null,
      cursor: behind ? 0 : this.head,
      reads: node.reads,
    };
  }

  #verify(): VerifyReport {
    const digestOf = (node: FakeNode) => (this.#how.noDigest ? null : node.digest());
    const nodes = this.nodes.map((node) => ({
      name: node.name,
      state: "in-sync" as const,
      cursor: this.head,
      digest: digestOf(node),
      ...(this.#how.noDigest ? {} : { users: node.users.size + node.doubled }),
      error: this.#how.noDigest ? "app.digest is not set" : null,
    }));
    const equal = this.#how.noDigest ? null : new Set(nodes.map(({ digest }) => digest)).size === 1;
    return { seq: {}, nodes, equal, head: this.head };
  }
}

/** Started on free ports, stopped when the test is over. */
export function startFakeTarget(t: TestContext, how: Misbehaviour = {}, nodes = 3): Promise<FakeTarget> {
  return new FakeTarget(nodes, how).listen(t);
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let body = "";
  for await (const chunk of request) body += chunk;
  return body;
}

function json(response: ServerResponse, value: unknown): void {
  response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(value));
}

async function listen(t: TestContext, listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
