/** A log that is a file, and those that were rotated away from it. */
import { open, readFile, stat } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import type { LogSource, LogTail } from "../target.ts";
import { ALL, fitting, type LogFilter, type LogLine, last, takesAll } from "../tools/log-filter.ts";

/** The youngest first. */
const AGES = ["", ".1", ".2", ".3"];

export function fileLog(name: string, file: string): LogSource {
  return { name, tail: (count, filter) => tail(name, file, count, filter) };
}

/** Looks back, file by file, until there are enough lines or they are too old. */
async function tail(name: string, file: string, count: number, filter: LogFilter): Promise<LogTail> {
  let lines: LogLine[] = [];
  let end = 0;
  for (const age of AGES) {
    const bytes = await readFile(file + age).catch(() => null);
    if (bytes === null) break;
    const whole = bytes.subarray(0, bytes.lastIndexOf("\n") + 1);
    if (age === "") end = whole.byteLength;
    const all = whole
      .toString()
      .split("\n")
      .filter((line) => line !== "");
    const found = fitting(takesAll(filter) ? last(all, count) : all, name, filter);
    lines = [...found, ...lines];
    if (lines.length >= count || beginsBefore(all, filter.since)) break;
  }
  return { lines: last(lines, count), follow: (signal) => follow(file, end, signal) };
}

/** What is older than that log is too old. */
function beginsBefore(lines: readonly string[], since: number | null): boolean {
  const [first] = fitting(lines.slice(0, 1), "", ALL);
  return since !== null && first !== undefined && first.time > 0 && first.time < since;
}

async function* follow(file: string, end: number, signal: AbortSignal): AsyncGenerator<string> {
  let position = end;
  while (!signal.aborted) {
    const size = await sizeOf(file);
    // Smaller than what was read: rotated.
    const from = size < position ? 0 : position;
    const text = size === from ? "" : await readRange(file, from, size);
    const whole = text.slice(0, text.lastIndexOf("\n") + 1);
    position = from + Buffer.byteLength(whole);
    yield* whole.split("\n").filter((line) => line !== "");
    await sleep(200, undefined, { signal }).catch(() => undefined);
  }
}

async function sizeOf(file: string): Promise<number> {
  return (await stat(file).catch(() => null))?.size ?? 0;
}

async function readRange(file: string, start: number, end: number): Promise<string> {
  if (end <= start) return "";
  await using handle = await open(file, "r");
  const buffer = Buffer.alloc(end - start);
  const { bytesRead } = await handle.read(buffer, 0, buffer.length, start);
  return buffer.toString("utf8", 0, bytesRead);
}
