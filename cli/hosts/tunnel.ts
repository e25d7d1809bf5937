/** A way to the admin API, and to nodes, that needs no open port but SSH's. */
import { createServer } from "node:net";
import { UserError } from "../errors.ts";
import type { Reached, ReachOptions } from "../target.ts";
import { startTool } from "../tool.ts";
import { type Forward, tunnelArgv } from "../tools/ssh.ts";
import { accessOf } from "./machines.ts";
import { clusterOf, type HostsRecord } from "./record.ts";
import { sshError } from "./ssh-errors.ts";
import type { HostsWork } from "./work.ts";

/** Another process may take a port between its choice and its use. */
const TRIES = 3;

export async function reachByTunnel(
  work: HostsWork,
  record: HostsRecord,
  { nodes = false }: ReachOptions = {},
): Promise<Reached> {
  for (let left = TRIES; ; left -= 1) {
    try {
      return await open(work, record, nodes);
    } catch (error) {
      if (left === 1 || !(error instanceof PortTaken)) throw error;
    }
  }
}

class PortTaken extends UserError {}

async function open(work: HostsWork, record: HostsRecord, nodes: boolean): Promise<Reached> {
  const { balancer, acceptNewHostKeys } = work.machines;
  const wanted = [
    { host: "127.0.0.1", port: record.adminPort },
    ...(nodes ? record.nodes.map(({ url }) => hostAndPort(url)) : []),
  ];
  const ports = await freePorts(wanted.length);
  const forwards = wanted.map((to, index): Forward => ({ from: ports[index] ?? 0, ...to }));
  const tool = startTool({
    argv: tunnelArgv(accessOf(balancer, acceptNewHostKeys, work.state), forwards),
    signal: work.signal,
  });
  const stop = () => void tool[Symbol.asyncDispose]();
  work.signal.addEventListener("abort", stop, { once: true });
  for await (const line of tool.lines())
    if (line === "open") return opened(work, record, forwards, tool, stop);
  work.signal.removeEventListener("abort", stop);
  work.signal.throwIfAborted();
  const { stderr } = await tool.ended;
  if (/Address already in use|cannot listen/i.test(stderr)) throw new PortTaken("expected free ports", {});
  throw sshError(balancer, stderr);
}

function opened(
  { config, signal }: HostsWork,
  record: HostsRecord,
  forwards: readonly Forward[],
  tool: AsyncDisposable,
  stop: () => void,
): Reached {
  const [admin, ...toNodes] = forwards;
  const cluster = clusterOf(config, record, "127.0.0.1");
  const urls = toNodes.map(({ from }) => `http://127.0.0.1:${from}`);
  return {
    cluster: {
      ...cluster,
      adminUrl: `http://127.0.0.1:${admin?.from}`,
      nodes: cluster.nodes.map((node, index) => ({ ...node, url: urls[index] ?? node.url })),
    },
    [Symbol.asyncDispose]: async () => {
      signal.removeEventListener("abort", stop);
      await tool[Symbol.asyncDispose]();
    },
  };
}

function hostAndPort(url: string): { host: string; port: number } {
  const { hostname, port } = new URL(url);
  return { host: hostname.replace(/^\[|\]$/g, ""), port: Number(port || 80) };
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
