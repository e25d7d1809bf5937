/** A way to the admin API, and to nodes, that needs no open port but SSH's. */
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { UserError } from "../errors.ts";
import type { Reached, ReachOptions } from "../target.ts";
import { type RunningTool, startTool } from "../tool.ts";
import { type Forward, tunnelArgv } from "../tools/ssh.ts";
import { accessOf } from "./machines.ts";
import { clusterOf, type HostsRecord } from "./record.ts";
import { sshError } from "./ssh-errors.ts";
import type { HostsWork } from "./work.ts";

/** Another process may take a port between its choice and its use. */
const TRIES = 3;
/** Between attempts to open it anew, in ms. */
const RETRY = 1_000;

export async function reachByTunnel(
  work: HostsWork,
  record: HostsRecord,
  { nodes = false }: ReachOptions = {},
): Promise<Reached> {
  const cluster = clusterOf(work.config, record, "127.0.0.1");
  const tunnel = await openTunnel(work, [
    { host: "127.0.0.1", port: record.adminPort },
    ...(nodes ? record.nodes.map(({ url }) => hostAndPort(url)) : []),
  ]);
  const [admin, ...toNodes] = tunnel.ports;
  return {
    cluster: {
      ...cluster,
      adminUrl: `http://127.0.0.1:${admin}`,
      nodes: cluster.nodes.map((node, index) => {
        const port = toNodes[index];
        return port === undefined ? node : { ...node, url: `http://127.0.0.1:${port}` };
      }),
    },
    [Symbol.asyncDispose]: () => tunnel[Symbol.asyncDispose](),
  };
}

/** Where the balancer's host can reach it. */
type Place = Pick<Forward, "host" | "port">;

interface OpenTunnel extends AsyncDisposable {
  /** Of this machine, one for each place. */
  readonly ports: readonly number[];
}

/** @throws UserError where no way leads there */
export async function openTunnel(work: HostsWork, places: readonly Place[]): Promise<OpenTunnel> {
  for (let left = TRIES; ; left -= 1) {
    const ports = await freePorts(places.length);
    const tunnel = new Tunnel(
      work,
      places.map((place, index): Forward => ({ from: ports[index] ?? 0, ...place })),
    );
    try {
      await tunnel.open();
      return { ports, [Symbol.asyncDispose]: () => tunnel[Symbol.asyncDispose]() };
    } catch (error) {
      if (left === 1 || !(error instanceof PortTaken)) throw error;
    }
  }
}

class PortTaken extends UserError {}

/** Opened anew when it breaks: the host may come back. */
class Tunnel implements AsyncDisposable {
  readonly #work: HostsWork;
  readonly #forwards: readonly Forward[];
  readonly #stop = () => void this[Symbol.asyncDispose]();
  #tool: RunningTool | null = null;
  #closed = false;

  constructor(work: HostsWork, forwards: readonly Forward[]) {
    this.#work = work;
    this.#forwards = forwards;
    work.signal.addEventListener("abort", this.#stop, { once: true });
  }

  /** @throws UserError where no way leads there */
  async open(): Promise<void> {
    const { machines, state, signal } = this.#work;
    const { balancer, acceptNewHostKeys } = machines;
    const argv = tunnelArgv(accessOf(balancer, acceptNewHostKeys, state), this.#forwards);
    const tool = startTool({ argv, signal });
    this.#tool = tool;
    for await (const line of tool.lines()) {
      if (line !== "open") continue;
      void tool.ended.then(() => this.#again());
      return;
    }
    await tool[Symbol.asyncDispose]();
    signal.throwIfAborted();
    const { stderr } = await tool.ended;
    if (/Address already in use|cannot listen/i.test(stderr))
      throw new PortTaken("expected free ports, got others'");
    throw sshError(balancer, stderr);
  }

  async #again(): Promise<void> {
    while (!this.#closed) {
      await sleep(RETRY, undefined, { ref: false });
      if (this.#closed) return;
      const opened = await this.open().then(
        () => true,
        () => false,
      );
      // Disposed of while it was being opened.
      if (opened && this.#closed) await this.#tool?.[Symbol.asyncDispose]();
      if (opened) return;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#work.signal.removeEventListener("abort", this.#stop);
    await this.#tool?.[Symbol.asyncDispose]();
  }
}

export function hostAndPort(url: string): { host: string; port: number } {
  const { protocol, hostname, port } = new URL(url);
  const standard = protocol === "https:" ? 443 : 80;
  return { host: hostname.replace(/^\[|\]$/g, ""), port: Number(port || standard) };
}

async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer();
      await new Promise<void>((resolve, reject) => {
        server.once("error", reject);
        server.listen(0, "127.0.0.1", resolve);
      });
      return server;
    }),
  );
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
