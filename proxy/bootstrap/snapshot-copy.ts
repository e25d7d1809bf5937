import { type Dispatcher, request } from "undici";
import type { Member } from "../cluster.ts";
import { LbError } from "../errors.ts";
import { type Donors, HOLD_TIMEOUT } from "./donors.ts";
import { timeLimit } from "./time-limit.ts";

/** ms: how long a whole copy may take, and how long none of it may move. */
const COPY_TIMEOUT = 3_600_000;
const STALL_TIMEOUT = 300_000;

/** One copy of a donor's state, streamed from it to a node by the app's own snapshot path. */
export interface SnapshotCopy {
  readonly path: string;
  readonly donor: Member;
  readonly target: Member;
  /** Where the donor is held until its copy is fixed. */
  readonly seq: number;
  /** Ends it, with what is under way to either of them. */
  readonly signal: AbortSignal;
  /** Called before the first byte goes to the target: from then on it may hold anything. */
  readonly begins: () => Promise<void>;
}

/**
 * The donor's deliveries pause at `seq` until the headers of its answer are in: the app has then fixed a
 * point-in-time copy, and they go on while it streams to the target. Resolves when the target has taken all of it.
 * Rejects with snapshot_failed, the signal's reason, or what broke a connection; nothing is left open then.
 */
export async function copySnapshot(copy: SnapshotCopy, donors: Donors): Promise<void> {
  using limit = timeLimit(
    COPY_TIMEOUT,
    () => failed(`it took longer than ${COPY_TIMEOUT / 60_000} min`),
    copy.signal,
  );
  const bounded = { ...copy, signal: limit.signal };
  const snapshot = await fixed(bounded, donors);
  // A body that is given up reports that as an error, to nobody.
  snapshot.body.on("error", () => {});
  try {
    expectWhole(snapshot, copy);
    limit.signal.throwIfAborted();
    await copy.begins();
    limit.signal.throwIfAborted();
    await put(snapshot, bounded);
    limit.signal.throwIfAborted();
  } finally {
    snapshot.body.destroy();
  }
}

/** The donor's answer, once it has begun. */
async function fixed(
  { path, donor, seq, signal }: SnapshotCopy,
  donors: Donors,
): Promise<Dispatcher.ResponseData> {
  const late = `no answer to GET ${path} of ${donor.node.name} within ${HOLD_TIMEOUT / 1000} s`;
  using limit = timeLimit(HOLD_TIMEOUT, () => failed(late), signal);
  const release = await donors.hold(donor, seq, limit.signal);
  try {
    const timeouts = { headersTimeout: 0, bodyTimeout: STALL_TIMEOUT };
    return await request(new URL(path, donor.node.url), { signal: limit.signal, ...timeouts });
  } finally {
    release();
  }
}

/** A body that only the connection's end ends would look whole when the donor broke off. */
function expectWhole({ statusCode, headers }: Dispatcher.ResponseData, { path, donor }: SnapshotCopy): void {
  const from = `GET ${path} of ${donor.node.name}`;
  if (statusCode !== 200) throw failed(`expected 200 from ${from}, got ${statusCode}`);
  if (headers["content-length"] === undefined && headers["transfer-encoding"] === undefined)
    throw failed(
      `expected Content-Length or chunked from ${from}, got neither: it might break off unnoticed`,
    );
}

async function put({ headers, body }: Dispatcher.ResponseData, copy: SnapshotCopy): Promise<void> {
  const { path, target, signal } = copy;
  const type = headers["content-type"];
  const taken = await request(new URL(path, target.node.url), {
    method: "PUT",
    body,
    headers: { "content-type": typeof type === "string" ? type : "application/octet-stream" },
    signal,
    headersTimeout: COPY_TIMEOUT,
    bodyTimeout: STALL_TIMEOUT,
  });
  await taken.body.dump();
  const { statusCode } = taken;
  if (statusCode >= 300)
    throw failed(`expected 2xx from PUT ${path} of ${target.node.name}, got ${statusCode}`);
  if (!body.readableEnded)
    throw failed(`${target.node.name} answered ${statusCode} before it had the whole snapshot`);
}

function failed(detail: string): LbError {
  return new LbError("snapshot_failed", detail);
}
