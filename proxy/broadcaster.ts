/**
 * The write path: read within limits, journal, wait for what the ack policy asks, reply. From the journal on
 * nothing that the client does changes what becomes of the write.
 */

import type { IncomingMessage, ServerResponse } from "node:http";
import type { WriteRoute } from "./config/config.ts";
import { LbError } from "./errors.ts";
import type { Inspected } from "./http/framing.ts";
import { readBody } from "./http/read-body.ts";
import type { Appended, Journal } from "./journal/journal.ts";
import { newRecord } from "./new-record.ts";
import { type NewRecord, SKIPPED, type StoredAnswer } from "./record.ts";
import { type Writes, writeSkipped } from "./writes.ts";

export interface BroadcasterOptions {
  readonly journal: Journal;
  readonly writes: Writes;
  /** In-sync nodes now. */
  readonly inSync: () => number;
  readonly settings: () => {
    readonly minInSync: number;
    readonly ackTimeout: number;
    readonly body: number;
    readonly bodies: number;
    readonly bodyTimeout: number;
    readonly writesOpen: number;
  };
  /** Nodes that make a quorum now. */
  readonly quorum: () => number;
  /** Asked when there was no room for a record; says whether to try once more. */
  readonly makeRoom: (error: LbError) => Promise<boolean>;
}

/** What a client of a write is sent. */
export interface WriteReply {
  readonly seq: number;
  readonly answer: StoredAnswer;
  /** `app1=201, app2=201`; null for the recorded outcome of an earlier write. */
  readonly acks: string | null;
  readonly repeat: boolean;
}

export class Broadcaster {
  readonly #options: BroadcasterOptions;
  readonly #mac: Journal["mac"];
  readonly #idle: (() => void)[] = [];
  /** Writes whose client waits. */
  open = 0;
  /** Their bodies, as far as announced; one of unknown length counts with the most that it may have. */
  #bytes = 0;

  constructor(options: BroadcasterOptions) {
    this.#options = options;
    this.#mac = options.journal.mac.bind(options.journal);
  }

  /**
   * Takes one write all the way. Rejects with LbError: too_many_requests_open, below_min_in_sync, body_too_large,
   * body_timeout, client_left, idempotency_*, key_set_aside, write_skipped, journal_full, disk_full, journal_failed, ack_timeout, answer_too_large.
   */
  async write(
    request: IncomingMessage,
    response: ServerResponse,
    inspected: Inspected,
    route: WriteRoute,
  ): Promise<WriteReply> {
    const { body: most, bodyTimeout } = this.#options.settings();
    const bytes = inspected.hasBody ? Math.min(inspected.contentLength ?? most, most) : 0;
    this.#admit(route, bytes);
    this.open++;
    this.#bytes += bytes;
    try {
      const body = await readBody(request, response, inspected, { most, timeout: bodyTimeout });
      this.#admitNodes(route);
      const record = newRecord({ request, inspected, body, route }, this.#mac);
      const held = this.#options.writes.aside.holding(record.key);
      return held === null ? await this.#journaled(record) : await this.#heldBack(record, held);
    } finally {
      this.open--;
      this.#bytes -= bytes;
      if (this.open === 0) for (const resolve of this.#idle.splice(0)) resolve();
    }
  }

  /** Resolves when no client waits for a write any more. */
  idle(): Promise<void> {
    if (this.open === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  async #journaled(record: NewRecord): Promise<WriteReply> {
    const { writes, settings } = this.#options;
    const appended = await this.#append(record);
    if (appended.kind === "mismatch") throw mismatch(appended.seq);
    if (appended.kind === "repeat") return await this.#repeated(appended.seq);
    const { seq, answer, acks } = await writes.outcome(appended.seq, settings().ackTimeout);
    return { seq, answer: whole(seq, answer), acks, repeat: false };
  }

  /** Its key waits for an operator: what is new is refused, or it would pile up; a repeat has its outcome. */
  async #heldBack({ idempotency }: NewRecord, held: number): Promise<WriteReply> {
    const seen = idempotency && (await this.#options.journal.seen(idempotency));
    if (seen?.kind === "repeat") return await this.#repeated(seen.seq);
    if (seen?.kind === "mismatch") throw mismatch(seen.seq);
    const detail = `write ${held}, which has the same order key, is set aside; nothing was recorded`;
    throw new LbError("key_set_aside", detail, { extra: { held } });
  }

  async #append(record: NewRecord): Promise<Appended> {
    const { journal, makeRoom } = this.#options;
    try {
      return await journal.append(record);
    } catch (error) {
      if (!isNoRoom(error) || !(await makeRoom(error))) throw error;
      return await journal.append(record);
    }
  }

  /** The outcome of an earlier write with the same Idempotency-Key, waited for if it has none yet. */
  async #repeated(seq: number): Promise<WriteReply> {
    const { journal, writes, settings } = this.#options;
    const kept = await journal.answer(seq);
    if (kept !== null) return { seq, answer: whole(seq, kept), acks: null, repeat: true };
    if (!writes.isOpen(seq)) {
      // Settled since it was asked for; or only its status is known.
      const answer = await journal.answer(seq);
      if (answer !== null) return { seq, answer: whole(seq, answer), acks: null, repeat: true };
      const outcome = (await journal.story(seq))?.outcome ?? null;
      if (outcome === SKIPPED) throw writeSkipped(seq);
      if (outcome !== null) return { seq, answer: bodyLost(outcome), acks: null, repeat: true };
    }
    const { answer, acks } = await writes.outcome(seq, settings().ackTimeout);
    if (answer.lost) return { seq, answer: bodyLost(answer.status), acks, repeat: true };
    return { seq, answer: whole(seq, answer), acks, repeat: true };
  }

  #admit(route: WriteRoute, bytes: number): void {
    const { writesOpen, bodies } = this.#options.settings();
    if (this.open >= writesOpen || this.#options.writes.size >= writesOpen) {
      const detail = `expected at most ${writesOpen} writes at a time (limits.writesOpen), got one more`;
      throw new LbError("too_many_requests_open", detail, { extra: { limit: "limits.writesOpen" } });
    }
    if (this.#bytes + bytes > bodies) {
      const detail = `expected at most ${bodies} bytes of bodies at a time (limits.bodies), got ${bytes} more`;
      throw new LbError("too_many_requests_open", detail, { extra: { limit: "limits.bodies" } });
    }
    this.#admitNodes(route);
  }

  /** Promise 2: too few nodes, nothing is journaled. Asked again once the body is in: that may take a while. */
  #admitNodes(route: WriteRoute): void {
    const { minInSync } = this.#options.settings();
    const needed = route.ack === "quorum" ? Math.max(minInSync, this.#options.quorum()) : minInSync;
    const inSync = this.#options.inSync();
    if (inSync >= needed) return;
    if (inSync === 0) throw new LbError("no_in_sync_node", "no node is in-sync; nothing was recorded");
    const detail = `expected at least ${needed} nodes in-sync, got ${inSync}; nothing was recorded`;
    throw new LbError("below_min_in_sync", detail);
  }
}

function isNoRoom(error: unknown): error is LbError {
  return error instanceof LbError && (error.code === "journal_full" || error.code === "disk_full");
}

function mismatch(seq: number): LbError {
  const detail = `expected the request of write ${seq} again, got another with the same Idempotency-Key`;
  return new LbError("idempotency_mismatch", detail, { extra: { seq } });
}

/** The answer, if its body was kept; throws answer_too_large. */
function whole(seq: number, answer: StoredAnswer): StoredAnswer {
  if (!answer.tooLarge) return answer;
  const { status } = answer;
  const detail = `write ${seq} was carried out with status ${status}; the answer's body was not kept (limits.answer)`;
  throw new LbError("answer_too_large", detail, { extra: { seq, nodeStatus: status } });
}

/** A crash came between the answer and its storing: the outcome is its status, and the reply says that. */
function bodyLost(status: number): StoredAnswer {
  return { status, headers: ["lb-body", "lost"], body: new Uint8Array() };
}
