import type { UpstreamNode } from "./node.ts";

/** What an app may tell of its state on the health path (DESIGN §4); anything else in the body is ignored. */
interface Told {
  readonly stateId: string;
  /** Highest seq of `journal` that it answered. */
  readonly lastSeq: number;
  readonly journal: string | null;
}

/** One health check's news of the app's state. */
export interface StateNews {
  readonly body: unknown;
  /** Monotonic ms when the check began, and the highest seq that the node had acked then. */
  readonly begunAt: number;
  readonly acked: number;
}

/**
 * Notes what the app says of its state, and finds out whether it is another one than before: a disk was
 * replaced, a backup put back. Gives the reason for which the node has no history any more, or null.
 */
export function noticeState(
  node: UpstreamNode,
  { body, begunAt, acked }: StateNews,
  journalId: string,
): string | null {
  const told = parse(body);
  // A check that began before a bootstrap ended may tell of the state before it.
  if (told === null || begunAt < node.bootstrappedAt) return null;
  const known = node.stateId;
  node.stateId = told.stateId;
  if (!node.history) return null;
  const lost = whyLost(known, told, acked, journalId);
  if (lost === null) node.confirmedAt = begunAt;
  // Said of the state that is there now; what it said of the one before means nothing any more.
  else node.reportsEmpty = told.lastSeq === 0 && told.journal === null;
  return lost;
}

function whyLost(known: string | null, told: Told, acked: number, journalId: string): string | null {
  if (known !== null && known !== told.stateId)
    return "its state is another one than before (stateId changed)";
  if (told.journal !== journalId || told.lastSeq >= acked) return null;
  return `an older state was put back: it acked write ${acked}, and now knows of none after ${told.lastSeq}`;
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
