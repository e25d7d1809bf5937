/** Compares the nodes: a digest of each, all taken at one seq where its deliveries pause. */

import { request } from "undici";
import type { VerifiedNode, VerifyReport } from "./api.ts";
import type { Cluster, Member } from "./cluster.ts";
import type { Journal } from "./journal/journal.ts";
import { reasonOf } from "./leg.ts";

/** ms for a node to come to rest at the seq, and for its digest. */
const REST_TIMEOUT = 10_000;
const DIGEST_TIMEOUT = 30_000;
/** Of an answer with a digest. */
const MOST_BYTES = 64 * 1024;

/** @param path where the app gives its digest, or null: cursors are all that can be compared */
export async function verifyNodes(
  cluster: Cluster,
  journal: Journal,
  path: string | null,
): Promise<VerifyReport> {
  const head = journal.head;
  const nodes = await Promise.all(cluster.members.map((member) => verifyNode(member, head, path)));
  const seq = Object.fromEntries(nodes.map(({ name, cursor }) => [name, cursor]));
  return { seq, nodes, equal: compared(nodes), head };
}

/** Two that differ are a difference, whatever the others hold; without one it takes all of them to be the same. */
function compared(nodes: readonly VerifiedNode[]): boolean | null {
  const digests = nodes.flatMap(({ digest }) => digest ?? []);
  if (new Set(digests).size > 1) return false;
  return digests.length > 1 && digests.length === nodes.length ? true : null;
}

async function verifyNode(member: Member, head: number, path: string | null): Promise<VerifiedNode> {
  const { node } = member;
  const { name, state } = node;
  const none = { name, state, digest: null };
  if (!node.delivering) {
    return { ...none, cursor: node.cursor, error: `it gets no writes: ${state} (${node.reason})` };
  }
  try {
    return { ...none, ...(await atRest(member, head, path)) };
  } catch (error) {
    return { ...none, cursor: node.cursor, error: reasonOf(error) };
  }
}

/** What the node holds at `head`, where its deliveries pause meanwhile. */
async function atRest(
  { node, delivery }: Member,
  head: number,
  path: string | null,
): Promise<Pick<VerifiedNode, "cursor" | "digest" | "error">> {
  const release = await delivery.hold(head, AbortSignal.timeout(REST_TIMEOUT)).catch((error: unknown) => {
    if (!(error instanceof DOMException)) throw error;
    throw new Error(`it did not come to rest at write ${head} within ${REST_TIMEOUT / 1000} s`);
  });
  try {
    const { cursor, bootstrappedAt } = node;
    if (path === null) return { cursor, digest: null, error: "the app offers no digest (app.digest)" };
    const seen = await digestOf(new URL(path, node.url));
    if (node.removed || !node.history || node.bootstrappedAt !== bootstrappedAt)
      throw new Error(`it changed meanwhile: ${node.state} (${node.reason})`);
    return { cursor, ...seen, error: null };
  } finally {
    release();
  }
}

/** Of a wrong answer nothing is repeated: there may be anything in it. */
async function digestOf(url: URL): Promise<{ digest: string; users?: number }> {
  const { statusCode, body } = await request(url, { signal: AbortSignal.timeout(DIGEST_TIMEOUT) });
  const from = `from GET ${url.pathname}`;
  const chunks: Buffer[] = [];
  let bytes = 0;
  // Leaving this early ends the connection.
  for await (const chunk of body as AsyncIterable<Buffer>) {
    bytes += chunk.byteLength;
    if (bytes > MOST_BYTES) throw new Error(`expected at most ${MOST_BYTES} bytes ${from}, got more`);
    chunks.push(chunk);
  }
  if (statusCode !== 200) throw new Error(`expected 200 ${from}, got ${statusCode}`);
  const { digest, users } = parse(Buffer.concat(chunks).toString());
  if (typeof digest !== "string") throw new Error(`expected a JSON body with digest ${from}`);
  return typeof users === "number" ? { digest, users } : { digest };
}

function parse(text: string): { digest?: unknown; users?: unknown } {
  try {
    return Object(JSON.parse(text));
  } catch {
    return {};
  }
}
