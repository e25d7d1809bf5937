import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { NodeState, NodeStatus, Status, WriteDetails } from "../../proxy/api.ts";
import { MAIN } from "./lb-proxy.ts";
import { startProcess, type TestProcess } from "./process.ts";
import { tempFolder } from "./temp-folder.ts";
import { until } from "./wait.ts";

/** The real balancer as a process of its own: real journal, real config file, real signals. */

export interface BalancerSetup {
  readonly nodes: readonly { readonly name: string; readonly url: string; readonly empty?: boolean }[];
  /** More of the config file, as `lb-proxy` reads it. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Folder of config and journal; default: a new one that goes with the test. */
  readonly folder?: string;
  /** Waits until all nodes are in-sync (default), or only until it listens. */
  readonly wait?: "in-sync" | "listening";
  /** A command that runs it, e.g. `["strace", "-D", …]`; must become the balancer's process itself. */
  readonly under?: readonly string[];
}

export interface TestBalancer {
  readonly url: string;
  readonly adminUrl: string;
  readonly folder: string;
  readonly pid: number;
  output(): string;
  /** An admin call with the admin's credentials; throws on a status that is not 2xx, with the body. */
  admin<T>(path: string, method?: "GET" | "POST", body?: unknown): Promise<T>;
  status(): Promise<Status>;
  node(name: string): Promise<NodeStatus>;
  write(seq: number): Promise<WriteDetails>;
  /** Waits until what it has printed matches: a line may reach this process after the answer that it is about. */
  logged(pattern: RegExp): Promise<void>;
  /** Waits until a node is in this state. */
  reached(name: string, state: NodeState, timeout?: number): Promise<NodeStatus>;
  /** Waits until every node is in-sync and has no lag. */
  settled(timeout?: number): Promise<Status>;
  /** Writes the config anew and sends SIGHUP; waits until that reload is in the status. */
  reload(setup: Pick<BalancerSetup, "nodes" | "config">): Promise<Status>;
  signal(name: NodeJS.Signals): void;
  /** SIGTERM; gives the exit code. */
  stop(): Promise<number | string>;
  kill9(): Promise<void>;
  /** Starts it again on the same ports and folder. */
  start(wait?: "in-sync" | "listening"): Promise<void>;
  /** As start, with other nodes. */
  startWith(nodes: BalancerSetup["nodes"], wait?: "in-sync" | "listening"): Promise<void>;
}

export async function startBalancer(t: TestContext, setup: BalancerSetup): Promise<TestBalancer> {
  const balancer = new ProcessBalancer(t, setup);
  await balancer.start(setup.wait ?? "in-sync");
  return balancer;
}

class ProcessBalancer implements TestBalancer {
  readonly folder: string;
  readonly #t: TestContext;
  readonly #under: readonly string[];
  #setup: Pick<BalancerSetup, "nodes" | "config">;
  #listen = "127.0.0.1:0";
  #adminListen = "127.0.0.1:0";
  /** What the running process was started with: a reload may not change it. */
  #started = { listen: "", adminListen: "" };
  #process: TestProcess | null = null;

  constructor(t: TestContext, setup: BalancerSetup) {
    this.#t = t;
    this.#setup = setup;
    this.#under = setup.under ?? [];
    this.folder = setup.folder ?? tempFolder(t);
  }

  get url(): string {
    return `http://${this.#listen}`;
  }

  get adminUrl(): string {
    return `http://${this.#adminListen}`;
  }

  get pid(): number {
    return this.#running.pid;
  }

  get #running(): TestProcess {
    if (this.#process === null) throw new Error("the balancer was not started");
    return this.#process;
  }

  output(): string {
    return this.#running.output();
  }

  async logged(pattern: RegExp): Promise<void> {
    await until(() => pattern.test(this.output()), { what: `a log that matches ${pattern}` });
  }

  async start(wait: "in-sync" | "listening" = "in-sync"): Promise<void> {
    const file = join(this.folder, "lb.json");
    this.#started = { listen: this.#listen, adminListen: this.#adminListen };
    this.#writeConfig(file);
    const [command = process.execPath, ...args] = [
      ...this.#under,
      process.execPath,
      MAIN,
      "run",
      "--config",
      file,
    ];
    this.#process = await startProcess(this.#t, {
      name: "lb-proxy",
      command,
      args,
      ready: /"listen":"([^"]+)".*"msg":"ready"/,
    });
    const facts = /"listen":"([^"]+)","admin":"([^"]+)"/.exec(this.#process.output());
    this.#listen = facts?.[1] ?? this.#listen;
    this.#adminListen = facts?.[2] ?? this.#adminListen;
    if (wait === "in-sync") await this.settled();
  }

  async startWith(nodes: BalancerSetup["nodes"], wait?: "in-sync" | "listening"): Promise<void> {
    this.#setup = { ...this.#setup, nodes };
    await this.start(wait);
  }

  async admin<T>(path: string, method: "GET" | "POST" = "GET", body?: unknown): Promise<T> {
    const password = readFileSync(join(this.folder, "admin.password"), "utf8").trim();
    const response = await fetch(`${this.adminUrl}${path}`, {
      method,
      headers: {
        authorization: `Basic ${Buffer.from(`admin:${password}`).toString("base64")}`,
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${text}`);
    return JSON.parse(text) as T;
  }

  status(): Promise<Status> {
    return this.admin("/api/status");
  }

  async node(name: string): Promise<NodeStatus> {
    const found = (await this.status()).nodes.find((node) => node.name === name);
    if (found === undefined) throw new Error(`no node ${name}`);
    return found;
  }

  write(seq: number): Promise<WriteDetails> {
    return this.admin(`/api/writes/${seq}`);
  }

  reached(name: string, state: NodeState, timeout = 15_000): Promise<NodeStatus> {
    return until(
      async () => {
        const node = await this.node(name);
        return node.state === state ? node : null;
      },
      { timeout, what: `${name} ${state}` },
    );
  }

  settled(timeout = 20_000): Promise<Status> {
    return until(
      async () => {
        const status = await this.status();
        return status.nodes.every(({ state, lag }) => state === "in-sync" && lag === 0) ? status : null;
      },
      { timeout, what: "every node in-sync without lag" },
    );
  }

  async reload(setup: Pick<BalancerSetup, "nodes" | "config">): Promise<Status> {
    this.#setup = setup;
    const before = (await this.status()).reload?.at ?? 0;
    this.#writeConfig(join(this.folder, "lb.json"));
    this.signal("SIGHUP");
    return await until(
      async () => {
        const status = await this.status();
        return status.reload !== null && status.reload.at > before ? status : null;
      },
      { what: "the reload" },
    );
  }

  signal(name: NodeJS.Signals): void {
    this.#running.signal(name);
  }

  async stop(): Promise<number | string> {
    this.signal("SIGTERM");
    return await this.#running.wait();
  }

  async kill9(): Promise<void> {
    this.signal("SIGKILL");
    await this.#running.wait();
  }

  /** Health checks at 50 ms, so that tests wait little; whatever the test says goes before. */
  #writeConfig(file: string): void {
    const { nodes, config = {} } = this.#setup;
    const { admin = {}, health = {}, ...rest } = config as Record<string, Record<string, unknown>>;
    const full = {
      listen: this.#started.listen,
      admin: { listen: this.#started.adminListen, ...admin },
      nodes: nodes.map((node) => ({ empty: true, ...node })),
      health: { interval: "50ms", timeout: "50ms", rise: 1, ...health },
      ...rest,
    };
    writeFileSync(file, JSON.stringify(full, null, 2));
  }
}
