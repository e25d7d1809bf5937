/**
 * The journal's thread: it has the disk to itself, so that an fsync never stalls the balancer.
 *
 * In development it is this file; in the bundle it is the bundle itself, started again with the role below.
 */

import { statfsSync } from "node:fs";
import { join } from "node:path";
import { isMainThread, type MessagePort, parentPort, workerData } from "node:worker_threads";
import { LbError } from "../errors.ts";
import { stampOf } from "./closed-stamp.ts";
import type { JournalLimits, JournalOptions } from "./journal.ts";
import type {
  Answered,
  BatchMessage,
  BatchReply,
  DiskRoom,
  FromWorker,
  Question,
  ToWorker,
  WireError,
} from "./journal-batch.ts";
import { type Committed, Committer } from "./journal-commit.ts";
import { hardLimit, messageOf, type OpenedStore, openStore } from "./journal-open.ts";
import { nextPurge, purge } from "./journal-purge.ts";
import { answerQuestion } from "./journal-query.ts";
import { GROWING } from "./journal-schema.ts";
import { macKeys, Sealer } from "./seal.ts";

/** What the worker is started with. */
export interface WorkerStart {
  readonly role: typeof ROLE;
  readonly options: JournalOptions;
  readonly foundedEmpty: boolean;
}

export const ROLE = "lb-journal";
const PURGE_EVERY = 1000;
/** Reading through what was taken as it was closed: so many rows each so many ms, a few ms of work. */
const READ_ROWS = 500;
const READ_EVERY = 50;
const NOTHING_DONE: Committed = { appended: [], stored: true, syncTime: 0, markTime: 0 };

/** Runs the journal of this worker thread until it is told to close. */
export function serveJournal(): void {
  const port = parentPort;
  if (!port) throw new Error("serveJournal: expected to run in a worker thread, got the main thread");
  const { options, foundedEmpty } = workerData as WorkerStart;
  try {
    new JournalServer(port, options, openStore(options, options.maxBytes, foundedEmpty)).start();
  } catch (error) {
    send(port, { news: "failed", error: wireError(error) });
  }
}

class JournalServer {
  readonly #port: MessagePort;
  readonly #dataDir: string;
  readonly #file: string;
  readonly #opened: OpenedStore;
  readonly #sealer: Sealer;
  readonly #committer: Committer;
  #limits: JournalLimits;
  #purgeTimer: NodeJS.Timeout | undefined;
  #readTimer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(port: MessagePort, options: JournalOptions, opened: OpenedStore) {
    this.#port = port;
    this.#dataDir = options.dataDir;
    this.#file = join(options.dataDir, "journal.db");
    this.#limits = options;
    this.#opened = opened;
    this.#sealer = new Sealer(opened.master);
    this.#committer = new Committer({
      ...opened,
      limits: () => this.#limits,
      diskFree: () => roomOf(this.#dataDir).free,
      sealer: this.#sealer,
    });
  }

  start(): void {
    const { id, foundedEmpty, master, store, asClosed } = this.#opened;
    this.#port.on("message", (message: ToWorker) => {
      if (message === "close") this.#guard(() => this.#close());
      else if ("limits" in message) this.#guard(() => this.#configure(message.limits));
      else this.#guard(() => this.#batch(message));
    });
    this.#purgeTimer = setInterval(() => this.#guard(() => this.#look()), PURGE_EVERY);
    if (asClosed) this.#readThrough(GROWING, 0);
    const { head, first } = store.state;
    send(this.#port, {
      news: "opened",
      id,
      foundedEmpty,
      macKeys: macKeys(master),
      head,
      first,
      usedBytes: store.usedBytes,
      disk: roomOf(this.#dataDir),
    });
  }

  /** After any error that is not a matter of room, what is on the disk is not known: nothing more is accepted. */
  #guard(work: () => void): void {
    if (this.#stopped) return;
    try {
      work();
    } catch (error) {
      this.#stop();
      send(this.#port, { news: "failed", error: wireError(error) });
    }
  }

  #configure(limits: JournalLimits): void {
    this.#limits = limits;
    this.#opened.store.limit(hardLimit(limits.maxBytes));
  }

  #batch(batch: BatchMessage): void {
    const started = performance.now();
    const done = batch.ops.length > 0 ? this.#committer.commit(batch) : NOTHING_DONE;
    const commitTime = batch.ops.length > 0 ? performance.now() - started : 0;
    const answers = batch.questions.map((question) => this.#answer(question));
    const { store } = this.#opened;
    const reply: BatchReply = {
      ...done,
      answers,
      head: store.state.head,
      first: store.state.first,
      usedBytes: store.usedBytes,
      commitTime,
    };
    send(this.#port, { news: "batch", reply });
    this.#committer.checkpointIfDue();
  }

  #answer(question: Question): Answered {
    try {
      if (question.ask === "flush") return { value: null };
      if (question.ask === "purge") return { value: this.#purgeAll(question.early) };
      const { idempotencyWindow } = this.#limits;
      return {
        value: answerQuestion({ ...this.#opened, sealer: this.#sealer, idempotencyWindow }, question),
      };
    } catch (error) {
      if (error instanceof LbError) return { error: wireError(error) };
      throw error;
    }
  }

  #look(): void {
    this.#tellRoom();
    this.#purgeSome();
  }

  /** A figure that cannot be had stays as it was: nothing that is stored hangs on it. */
  #tellRoom(): void {
    try {
      send(this.#port, { news: "disk", disk: roomOf(this.#dataDir) });
    } catch {}
  }

  /** A step now, and the next one when commits that came meanwhile are done. */
  #purgeSome(): void {
    if (!this.#purgeStep()) return;
    const { store } = this.#opened;
    send(this.#port, { news: "purged", first: store.state.first, usedBytes: store.usedBytes });
    setImmediate(() => this.#guard(() => this.#purgeSome()));
  }

  #purgeAll(early: boolean): number {
    while (this.#purgeStep()) this.#committer.checkpointIfDue();
    const enough = this.#limits.maxBytes * 0.9;
    while (early && this.#opened.store.usedBytes > enough && this.#purgeStep(0)) {
      this.#committer.checkpointIfDue();
    }
    return this.#opened.store.state.first;
  }

  #purgeStep(retention = this.#limits.retention): boolean {
    const { store } = this.#opened;
    const step = nextPurge(store, { ...this.#limits, retention }, Date.now());
    return step !== null && this.#committer.alone(() => purge(store, step));
  }

  /** A row that does not fit its check ends the journal, as it would have been refused after a crash. */
  #readThrough([table, ...others]: readonly string[], after: number): void {
    if (table === undefined) return;
    this.#readTimer = setTimeout(() => {
      this.#guard(() => {
        const last = this.#opened.store.checkPart(table, after, READ_ROWS);
        if (last === null) this.#readThrough(others, 0);
        else this.#readThrough([table, ...others], last);
      });
    }, READ_EVERY);
  }

  #stop(): void {
    this.#stopped = true;
    clearInterval(this.#purgeTimer);
    clearTimeout(this.#readTimer);
  }

  #close(): void {
    this.#stop();
    const { store, mark } = this.#opened;
    store.close();
    this.#leaveStamp();
    mark.close();
    this.#port.close();
  }

  /** Without one the next start reads the whole journal: nothing is lost but time. */
  #leaveStamp(): void {
    const { store, mark, id } = this.#opened;
    const { head, commits: commit } = store.state;
    try {
      const closed = stampOf(this.#file);
      if (closed !== null) mark.write({ journal: id, head, commit, closed });
    } catch {}
  }
}

function roomOf(folder: string): DiskRoom {
  const { bavail, blocks, bsize } = statfsSync(folder);
  return { free: bavail * bsize, size: blocks * bsize };
}

/** Buffers in answers are handed over, not copied. */
function send(port: MessagePort, message: FromWorker): void {
  const buffers = message.news === "batch" ? message.reply.answers.flatMap(buffersOf) : [];
  port.postMessage(message, buffers);
}

function buffersOf(answer: Answered): ArrayBuffer[] {
  if (!("value" in answer) || typeof answer.value !== "object" || answer.value === null) return [];
  const bytes = "bodies" in answer.value ? answer.value.bodies : answer.value;
  return bytes instanceof Uint8Array ? [bytes.buffer as ArrayBuffer] : [];
}

function wireError(error: unknown): WireError {
  if (error instanceof LbError)
    return { code: error.code, detail: error.message, cause: String(error.cause ?? "") };
  return {
    code: "journal_failed",
    detail: "the journal stopped: its disk gave an error",
    cause: messageOf(error),
  };
}

if (!isMainThread && (workerData as Partial<WorkerStart> | null)?.role === ROLE) serveJournal();
