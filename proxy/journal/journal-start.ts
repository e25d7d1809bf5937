/** Starting the journal's thread, and waiting until it has the journal open. */

import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { LbError } from "../errors.ts";
import type { JournalRecord } from "../record.ts";
import type { Journal, JournalMeter, JournalOptions } from "./journal.ts";
import type { FromWorker } from "./journal-batch.ts";
import { type Opened, WorkerJournal } from "./journal-client.ts";
import { crashed, fromWire } from "./journal-wire.ts";
import { ROLE, type WorkerStart } from "./journal-worker.ts";

/**
 * Opens (or makes) the journal. `committed` is called once per group commit, with its new records in seq
 * order, after fsync and before any of their append promises resolves. `failed` is called at most once: the
 * journal has stopped (disk error, worker crash), every call rejects, and only a new start helps. `meter` is
 * told of what is only counted.
 */
export async function openJournal(
  options: JournalOptions,
  founding: readonly { name: string; empty: boolean }[],
  committed: (records: readonly JournalRecord[]) => void,
  failed: (error: LbError) => void = () => {},
  meter: JournalMeter | null = null,
): Promise<Journal> {
  const foundedEmpty = founding.length > 0 && founding.every((node) => node.empty);
  const start: WorkerStart = { role: ROLE, options, foundedEmpty };
  const worker = new Worker(workerUrl(), {
    workerData: start,
    name: ROLE,
    resourceLimits: { maxYoungGenerationSizeMb: 6 },
  });
  const opened = await firstNews(worker);
  return new WorkerJournal(worker, opened, options.maxBytes, { committed, failed, meter });
}

/** The worker's first message, or why there is none. */
async function firstNews(worker: Worker): Promise<Opened> {
  const listening = new AbortController();
  const { signal } = listening;
  try {
    const [news] = (await Promise.race([
      once(worker, "message", { signal }),
      once(worker, "exit", { signal }).then(([code]) =>
        Promise.reject(crashed(new Error(`exit code ${code}`))),
      ),
    ])) as [FromWorker];
    if (news.news === "opened") return news;
    throw news.news === "failed"
      ? fromWire(news.error)
      : crashed(new Error(`news "${news.news}" before "opened"`));
  } catch (error) {
    throw error instanceof LbError ? error : crashed(error);
  } finally {
    listening.abort();
  }
}

/** In development the worker's own file; in the bundle the bundle, whose entry leaves the main part out. */
function workerUrl(): URL {
  return import.meta.url.endsWith(".ts")
    ? new URL("./journal-worker.ts", import.meta.url)
    : new URL(import.meta.url);
}
