import type { FollowedWrite, WriteDetails } from "../../proxy/api.ts";
import { AdminClient } from "../admin-client.ts";
import { loadClusterOf } from "../cluster.ts";
import { loadClusterConfig } from "../config-file.ts";
import { UserError } from "../errors.ts";
import { onRecord } from "./change.ts";

export interface WritesRequest {
  readonly config: string | undefined;
  readonly signal: AbortSignal;
}

export async function listWrites(
  request: WritesRequest,
  pending: boolean,
  limit: number,
): Promise<readonly FollowedWrite[]> {
  return (await find(request)).admin.writes(pending, limit);
}

export async function showWrite(request: WritesRequest, seq: string): Promise<WriteDetails> {
  const wanted = parseSeq(seq);
  return (await find(request)).admin.write(wanted);
}

/** For a write that was set aside: delivered again, or skipped for good, on all nodes alike. */
export async function decideWrite(
  request: WritesRequest,
  seq: string,
  decision: "retry" | "skip",
): Promise<WriteDetails> {
  const wanted = parseSeq(seq);
  const { config, admin } = await find(request);
  return onRecord(config, `writes ${decision} ${wanted}`, () => admin.decideWrite(wanted, decision));
}

async function find({ config: flag, signal }: WritesRequest) {
  const config = await loadClusterConfig(flag);
  return { config, admin: new AdminClient(await loadClusterOf(config), signal) };
}

function parseSeq(text: string): number {
  const seq = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(seq) && seq >= 1) return seq;
  throw new UserError(`SEQ: expected the number of a write (1, 2, 3 …), got ${JSON.stringify(text)}`, {
    exitCode: 2,
    next: ["lbctl writes list"],
  });
}
