import type { UpstreamNode } from "./node.ts";
import type { NodeRow } from "./record.ts";

/** What an app may tell of its state on the health path (DESIGN §4); anything else in the body is ignored. */
interface Told {
  readonly stateId: string;
  /** Highest seq of `journal` that it answered. */
  readonly lastSeq: number;
  readonly journal: string | null;
}

/** One health check's news of the app's state. */
export interface StateNews {
  /** The check passed. */
  readonly ok: boolean;
  readonly body: unknown;
  /** Monotonic ms when the check began, and the highest seq that the node had acked then. */
  readonly begunAt: number;
  readonly acked: number;
}

/**
 * Notes what the app says of its state, and finds out whether it is another one than before: a disk was
 * replaced, a backup put back, the node's address led elsewhere while the balancer was away. Gives the reason for
 * which the node has no history any more, or null.
 */
export function noticeState(
  node: UpstreamNode,
  { ok, body, begunAt, acked }: StateNews,
  journalId: string,
): string | null {
  const told = parse(body);
  // A check that began before a bootstrap ended may tell of the state before it.
  if (begunAt < node.bootstrappedAt) return null;
  const { moved, stateId: known } = node;
  if (ok) node.knownAt = node.url;
  if (told === null) return ok && moved && node.history ? NOT_SAID : null;
  node.stateId = told.stateId;
  if (!node.history) return null;
  const lost = whyLost(known, told, acked, journalId);
  if (lost === null) node.confirmedAt = begunAt;
  // Said of the state that is there now; what it said of the one before means nothing any more.
  else node.reportsEmpty = told.lastSeq === 0 && told.journal === null;
  return lost;
}

const NOT_SAID = "its address changed, and what answers there does not say which state it holds";

function whyLost(known: string | null, told: Told, acked: number, journalId: string): string | null {
  if (known !== null && known !== told.stateId)
    return "its state is another one than before (stateId changed)";
  if (told.journal !== journalId || told.lastSeq >= acked) return null;
  return `an older state was put back: it acked write ${acked}, and now knows of none after ${told.lastSeq}`;
}

/**
 * The config names another address for a node than the journal knows it by, and nothing could show that it is the
 * same node: it is another one by the same name. (A state id could: the first health check asks for it.)
 */
export function isAnother(
  { url, stateId, member, history }: NodeRow,
  now: { readonly url: string },
): boolean {
  if (url === undefined || url === now.url) return false;
  return stateId === undefined || !(member || history === "catching-up");
}

/**
 * Why a balancer must not start with these nodes, as problems with their paths; empty: it may. A node gets its history
 * from one that has some: with none of those that the journal knows, nobody would ever get any.
 */
export function startProblems(
  rows: readonly NodeRow[],
  nodes: readonly { readonly name: string; readonly url: string }[],
): string[] {
  const members = rows.filter(({ member }) => member);
  const stays = (row: NodeRow) => nodes.some((node) => node.name === row.name && !isAnother(row, node));
  if (members.length === 0 || members.some(stays)) return [];
  const before = members.map(({ name, url }) => (url === undefined ? name : `${name} (${url})`)).join(", ");
  return [
    `nodes: expected one of ${before} to keep its name and url, got none: nobody could give the others their state; change them one after the other while the balancer runs (or begin anew with an empty dataDir and without the head mark, if all nodes hold the same)`,
  ];
}

function parse(body: unknown): Told | null {
  if (typeof body !== "object" || body === null || !("stateId" in body)) return null;
  const { stateId, lastSeq, journal } = body as Record<string, unknown>;
  if (typeof stateId !== "string" || stateId === "" || stateId.length > 200) return null;
  return {
    stateId,
    lastSeq: typeof lastSeq === "number" ? lastSeq : Number.POSITIVE_INFINITY,
    journal: typeof journal === "string" ? journal : null,
  };
}
