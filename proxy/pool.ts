import { buildConnector, Pool } from "undici";
import { AnswerHeaders } from "./http/headers.ts";
import { NodeClient } from "./node-client.ts";
import { ReadPool } from "./read-pool.ts";

/** Connections to one node: one pool for reads and one for writes, so that slow reads never delay a write. */
export interface NodePools {
  readonly reads: ReadPool;
  readonly writes: Pool;
  /** Reads the header fields of its answers. */
  readonly answers: AnswerHeaders;
}

export interface PoolLimits {
  /** Connections for reads, and for writes (the window: one record each). */
  readonly readConnections: number;
  readonly writeConnections: number;
  /** ms to establish a connection; asked for each one. */
  readonly connectTimeout: () => number;
  /** Bytes of an answer's header section. */
  readonly headerSize: number;
}

/**
 * An idle connection is given up after this many ms unless the node's `Keep-Alive: timeout` says otherwise:
 * shorter than the keep-alive timeout of the common app servers (5 s and more), because a request that meets
 * a closing connection is an ambiguous attempt.
 */
const IDLE_MS = 4_000;

/**
 * Opens nothing yet; connections are made as requests come.
 * @param broke called when the node ends a connection that was to stay open, also an idle one: it may be another now
 */
export function createPools(url: string, limits: PoolLimits, broke: () => void): NodePools {
  const connect: buildConnector.connector = (target, done) =>
    buildConnector({ timeout: limits.connectTimeout(), noDelay: true })(target, done);
  const options = {
    pipelining: 1,
    keepAliveTimeout: IDLE_MS,
    keepAliveMaxTimeout: 60_000,
    keepAliveTimeoutThreshold: 1_000,
    // The read and write paths have deadlines of their own.
    headersTimeout: 0,
    bodyTimeout: 0,
    maxHeaderSize: limits.headerSize,
    connect,
  };
  const pool = (connections: number) =>
    new Pool(url, { connections, factory: (origin) => new NodeClient(origin, options) }).on(
      "disconnect",
      (_origin, _targets, { code }: { code?: string }) => {
        // Our own doing: idle for too long, or announced by Connection: close.
        if (code !== "UND_ERR_INFO") broke();
      },
    );
  return {
    reads: new ReadPool(pool(limits.readConnections), limits.readConnections),
    writes: pool(limits.writeConnections),
    answers: new AnswerHeaders(),
  };
}

/** Ends all connections at once; requests in flight fail. */
export async function destroyPools({ reads, writes }: Pick<NodePools, "reads" | "writes">): Promise<void> {
  await Promise.all([reads.destroy(), writes.destroy()]);
}
