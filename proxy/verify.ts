/** Compares the nodes: a digest of each, all taken at one seq where its deliveries pause. */

import { request } from "undici";
import type { VerifiedNode, VerifyReport } from "./api.ts";
import type { Cluster, Member } from "./cluster.ts";
import type { Journal } from "./journal/journal.ts";
import { reasonOf } from "./leg.ts";

/** ms for a node to come to rest at the seq, and for its digest. */
const REST_TIMEOUT = 10_000;
const DIGEST_TIMEOUT = 30_000;

/** @param path where the app gives its digest, or null: cursors are all that can be compared */
export async function verifyNodes(
  cluster: Cluster,
  journal: Journal,
  path: string | null,
): Promise<VerifyReport> {
  const head = journal.head;
  const nodes = await Promise.all(cluster.members.map((member) => verifyNode(member, head, path)));
  const digests = nodes.flatMap(({ digest }) => digest ?? []);
  const behind = nodes.some(({ state, error }) => state !== "maint" && error !== null);
  const equal = digests.length < 2 ? null : !behind && new Set(digests).size === 1;
  return { seq: Object.fromEntries(nodes.map(({ name, cursor }) => [name, cursor])), nodes, equal, head };
}

async function verifyNode(
  { node, delivery }: Member,
  head: number,
  path: string | null,
): Promise<VerifiedNode> {
  const facts = { name: node.name, state: node.state };
  if (!node.delivering) {
    return {
      ...facts,
      cursor: node.cursor,
      digest: null,
      error: `not compared: ${node.state} (${node.reason})`,
    };
  }
  let release = () => {};
  try {
    release = await delivery.hold(head, AbortSignal.timeout(REST_TIMEOUT));
    const { cursor } = node;
    const seen = path === null ? { digest: null } : await digestOf(new URL(path, node.url));
    return {
      ...facts,
      cursor,
      ...seen,
      error: path === null ? "the app offers no digest (app.digest)" : null,
    };
  } catch (error) {
    return { ...facts, cursor: node.cursor, digest: null, error: reasonOf(error) };
  } finally {
    release();
  }
}

async function digestOf(url: URL): Promise<{ digest: string; users?: number }> {
  const { statusCode, body } = await request(url, { signal: AbortSignal.timeout(DIGEST_TIMEOUT) });
  const text = await body.text();
  if (statusCode !== 200) throw new Error(`expected 200 from GET ${url.pathname}, got ${statusCode}`);
  const { digest, users } = JSON.parse(text) as { digest?: unknown; users?: unknown };
  if (typeof digest !== "string")
    throw new Error(`expected a JSON body with digest from GET ${url.pathname}`);
  return typeof users === "number" ? { digest, users } : { digest };
}
