import type { FollowedWrite, WriteDetails } from "../../proxy/api.ts";
import { UserError } from "../errors.ts";
import { onRecord } from "./change.ts";
import { reach } from "./reach.ts";

export interface WritesRequest {
  readonly config: string | undefined;
  readonly signal: AbortSignal;
}

export async function listWrites(
  request: WritesRequest,
  pending: boolean,
  limit: number,
): Promise<readonly FollowedWrite[]> {
  await using reached = await reach(request.config, request.signal);
  return await reached.admin.writes(pending, limit);
}

export async function showWrite(request: WritesRequest, seq: string): Promise<WriteDetails> {
  const wanted = parseSeq(seq);
  await using reached = await reach(request.config, request.signal);
  return await reached.admin.write(wanted);
}

/** For a write that was set aside: delivered again, or skipped for good, on all nodes alike. */
export async function decideWrite(
  request: WritesRequest,
  seq: string,
  decision: "retry" | "skip",
): Promise<WriteDetails> {
  const wanted = parseSeq(seq);
  await using reached = await reach(request.config, request.signal);
  const { config, admin } = reached;
  return await onRecord(config, `writes ${decision} ${wanted}`, () => admin.decideWrite(wanted, decision));
}

function parseSeq(text: string): number {
  const seq = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(seq) && seq >= 1) return seq;
  throw new UserError(`SEQ: expected the number of a write (1, 2, 3 …), got ${JSON.stringify(text)}`, {
    exitCode: 2,
    next: ["lbctl writes list"],
  });
}
