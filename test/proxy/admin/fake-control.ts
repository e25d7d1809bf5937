import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { type AdminConfig, AdminServer } from "../../../proxy/admin/admin.ts";
import type { NodeState, NodeStatus, RouteStatus, Status, WriteDetails } from "../../../proxy/api.ts";
import type { Control } from "../../../proxy/control.ts";
import { ERROR_ROWS, LbError } from "../../../proxy/errors.ts";
import { History } from "../../../proxy/history/history.ts";
import { Log } from "../../../proxy/log.ts";
import { createMetrics, type Metrics } from "../../../proxy/metrics/metrics.ts";
import { tempFolder } from "../../support/temp-folder.ts";

/** A balancer that only remembers what it was told: for tests of what stands in front of `Control`. */

export type Mutable<T> = { -readonly [K in keyof T]: T[K] };

export function node(name: string, more: Partial<NodeStatus> = {}): Mutable<NodeStatus> {
  return {
    name,
    url: `http://127.0.0.1:${4566 + Number(name.replace(/\D/g, "") || 1)}`,
    state: "in-sync",
    since: Date.now() - 754_000,
    reason: "caught up",
    member: true,
    cursor: 48_211,
    lag: 0,
    oldestUndelivered: 0,
    catchUpRate: 0,
    catchUpEta: 0,
    connections: 4,
    inFlightReads: 0,
    inFlightWrites: 0,
    reads: 0,
    readErrors: 0,
    acks: 0,
    ackErrors: 0,
    retries: 0,
    lastCheck: { ok: true, at: Date.now() - 400, detail: "200 in 1 ms" },
    bootstrap: null,
    held: null,
    ...more,
  };
}

export function route(name: string, more: Partial<RouteStatus> = {}): RouteStatus {
  return {
    name,
    to: "one",
    policy: "roundrobin",
    match: "GET, HEAD",
    requests: 0,
    errors: 0,
    inFlight: 0,
    ...more,
  };
}

export class FakeControl implements Control {
  readonly calls: unknown[][] = [];
  nodes: Mutable<NodeStatus>[];
  ready_ = true;
  more: Partial<Status> = {};
  failWith: unknown = null;
  readonly #startedAt = Date.now() - 93_784_000;

  constructor(nodes: readonly Mutable<NodeStatus>[] = [node("app1"), node("app2"), node("app3")]) {
    this.nodes = [...nodes];
  }

  status(): Status {
    if (this.failWith !== null) throw this.failWith;
    return {
      cluster: "default",
      version: "0.1.0",
      pid: 4711,
      startedAt: this.#startedAt,
      listen: "127.0.0.1:8080",
      head: 48_211,
      first: 1,
      inSync: this.nodes.filter(({ state }) => state === "in-sync").length,
      members: this.nodes.length,
      minInSync: 1,
      connections: 12,
      connectionsAccepted: 340,
      bytesIn: 52_000_000,
      bytesOut: 410_000_000,
      journalBytes: 81_000_000,
      journalMaxBytes: 1024 ** 3,
      journalDisk: { free: 20 * 1024 ** 3, size: 40 * 1024 ** 3 },
      writesOpen: 0,
      setAside: 0,
      draining: false,
      nodes: this.nodes.map((one) => ({ ...one })),
      routes: [
        route("all-1", {
          to: "all",
          policy: "all",
          match: "POST /register, /changePassword",
          requests: 48_211,
        }),
        route("one-2", { requests: 482_110 }),
      ],
      reload: null,
      totals: {
        reads: 482_110,
        readErrors: 0,
        writes: 48_211,
        writeErrors: 0,
        retries: 0,
        divergent: 0,
        ambiguous: 0,
      },
      certificates: [{ listener: "traffic", expiresAt: 1_900_000_000_000 }],
      activeSeconds: { main: 1234.5, journal: 67.8 },
      ...this.more,
    };
  }

  isReady(): boolean {
    return this.ready_;
  }

  async drain(name: string, force: boolean): Promise<NodeStatus> {
    this.calls.push(["drain", name, force]);
    const last = this.nodes.every((one) => one.name === name || one.state !== "in-sync");
    if (last && !force)
      throw new LbError("last_in_sync", `expected another node in-sync than ${name}, got none`);
    return this.#set(name, "draining");
  }

  async ready(name: string, force: boolean): Promise<NodeStatus> {
    this.calls.push(["ready", name, force]);
    if (this.#find(name).state === "quarantined" && !force)
      throw new LbError("quarantined", `${name} is quarantined`);
    return this.#set(name, "catching-up");
  }

  async maint(name: string, force: boolean): Promise<NodeStatus> {
    this.calls.push(["maint", name, force]);
    return this.#set(name, "maint");
  }

  async resync(name: string, request: { from?: string; manual?: boolean }) {
    this.calls.push(["resync", name, request]);
    return {
      node: name,
      from: request.from ?? null,
      manual: request.manual ?? false,
      seq: null,
      next: "wait",
    };
  }

  async resyncDone(name: string): Promise<NodeStatus> {
    this.calls.push(["resyncDone", name]);
    return this.#find(name);
  }

  async writes(pending: boolean, limit: number): Promise<WriteDetails[]> {
    this.calls.push(["writes", pending, limit]);
    return [story(7)];
  }

  async write(seq: number): Promise<WriteDetails> {
    this.calls.push(["write", seq]);
    if (seq > 100) throw new LbError("unknown_write", `expected 1 to 100, got ${seq}`);
    return story(seq);
  }

  async retryWrite(seq: number): Promise<WriteDetails> {
    this.calls.push(["retryWrite", seq]);
    return story(seq);
  }

  async skipWrite(seq: number): Promise<WriteDetails> {
    this.calls.push(["skipWrite", seq]);
    return story(seq);
  }

  async verify() {
    this.calls.push(["verify"]);
    const nodes = this.nodes.map(({ name, state, cursor }) => ({
      name,
      state,
      cursor,
      digest: "ab",
      error: null,
    }));
    return { seq: Object.fromEntries(nodes.map(({ name }) => [name, 7])), nodes, equal: true, head: 7 };
  }

  #set(name: string, state: NodeState): NodeStatus {
    const found = this.#find(name);
    found.state = state;
    found.since = Date.now();
    found.reason = "operator";
    return found;
  }

  #find(name: string): Mutable<NodeStatus> {
    const found = this.nodes.find((one) => one.name === name);
    if (found === undefined) throw new LbError("unknown_node", `expected the name of a node, got ${name}`);
    return found;
  }
}

export function story(seq: number): WriteDetails {
  return {
    seq,
    at: 1_700_000_000_000,
    route: "all-1",
    method: "POST",
    path: "/register",
    keyHash: "00ff",
    outcome: 201,
    setAside: false,
    purged: false,
    acks: [],
    state: "delivered",
    marks: [],
    policy: "all",
    replies: [],
    nodes: [],
    requestId: "r-7",
    traceId: null,
  };
}

export const PASSWORDS = { admin: "correct horse", viewer: "only looking: yes" };

export interface TestAdmin {
  readonly url: string;
  readonly folder: string;
  readonly control: FakeControl;
  readonly metrics: Metrics;
  /** Sampled once; more when a test says so, or each second with `live`. */
  readonly history: History;
  readonly admin: AdminServer;
  readonly config: AdminConfig;
  readonly logged: Record<string, unknown>[];
  /** As `fetch`, with the admin's credentials. */
  call(path: string, init?: RequestInit & { as?: "admin" | "viewer" | null }): Promise<Response>;
}

/** An admin listener on a port of its own; it ends, with its files, when the test ends. */
export async function startAdmin(
  t: TestContext,
  {
    control = new FakeControl(),
    tls = null,
    live = false,
  }: { control?: FakeControl; tls?: { cert: string; key: string } | null; live?: boolean } = {},
): Promise<TestAdmin> {
  const folder = tempFolder(t);
  for (const [name, password] of Object.entries(PASSWORDS))
    writeFileSync(join(folder, name), `${password}\n`);
  const config: AdminConfig = {
    listen: { host: "127.0.0.1", port: 0 },
    tls,
    user: "admin",
    passwordFile: join(folder, "admin"),
    viewer: { user: "guest", passwordFile: join(folder, "viewer") },
  };
  const logged: Record<string, unknown>[] = [];
  const log = new Log(
    { level: "info", access: true, sample: 1 },
    { write: (line) => void logged.push(JSON.parse(line)) },
  );
  const metrics = createMetrics({
    routes: control.status().routes,
    nodes: control.nodes.map(({ name }) => name),
    codes: Object.keys(ERROR_ROWS),
  });
  metrics.watch(control);
  const history = new History({ control, metrics });
  if (live) history.start();
  else history.sample(Date.now());
  t.after(() => history.stop());
  const admin = new AdminServer({ config, control, metrics, history, log });
  const { port } = await admin.listen();
  t.after(() => admin.close());
  const url = `${tls ? "https" : "http"}://127.0.0.1:${port}`;
  const call: TestAdmin["call"] = (path, { as = "admin", ...init } = {}) => {
    const headers = new Headers(init.headers);
    if (as !== null && !headers.has("authorization")) headers.set("authorization", basic(as));
    return fetch(url + path, { redirect: "manual", ...init, headers });
  };
  return { url, folder, control, metrics, history, admin, config, logged, call };
}

export function basic(as: "admin" | "viewer"): string {
  const user = as === "admin" ? "admin" : "guest";
  return `Basic ${Buffer.from(`${user}:${PASSWORDS[as]}`).toString("base64")}`;
}
