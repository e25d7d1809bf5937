import { open, readFile, stat } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { loadClusterConfig } from "../config-file.ts";
import { UserError } from "../errors.ts";
import type { LogSource } from "../target.ts";
import { targetOf } from "../targets.ts";
import { ALL, fitting, type LogFilter, type LogLine, takesAll } from "../tools/log-filter.ts";

export interface LogRequest {
  readonly config: string | undefined;
  /** Only this process. */
  readonly name: string | undefined;
  /** At most so many to begin with. */
  readonly lines: number;
  readonly filter: LogFilter;
  readonly follow: boolean;
  readonly signal: AbortSignal;
}

export type PrintLine = (line: string, source: string) => void;

/** The log and those that were rotated away, the youngest first. */
const AGES = ["", ".1", ".2", ".3"];

/** Prints the last lines that fit of all processes in the order of their times, then, if asked, those that come. */
export async function logs(request: LogRequest, print: PrintLine): Promise<void> {
  const { lines: count, filter } = request;
  const sources = await chosen(request);
  const tails = await Promise.all(sources.map((source) => tail(source, count, filter)));
  const lines = tails.flatMap((one) => one.lines).sort((a, b) => a.time - b.time);
  for (const { line, source } of last(lines, count)) print(line, source);
  if (request.follow) await follow(tails, request, print);
}

async function chosen({ config: flag, name }: LogRequest): Promise<readonly LogSource[]> {
  const config = await loadClusterConfig(flag);
  const sources = await (await targetOf(config)).logs(config);
  if (sources.length === 0) {
    throw new UserError(`expected logs of cluster "${config.name}", got none`, { next: ["lbctl deploy"] });
  }
  if (name === undefined) return sources;
  const found = sources.filter((source) => source.name === name);
  if (found.length > 0) return found;
  throw new UserError(
    `NAME: expected one of ${sources.map((source) => source.name).join(", ")}, got ${JSON.stringify(name)}`,
    {
      exitCode: 2,
    },
  );
}

interface Tail {
  readonly source: LogSource;
  readonly lines: readonly LogLine[];
  /** Where the next line begins. */
  readonly end: number;
}

/** Looks back, file by file, until there are enough lines or they are too old. */
async function tail(source: LogSource, count: number, filter: LogFilter): Promise<Tail> {
  let lines: LogLine[] = [];
  let end = 0;
  for (const age of AGES) {
    const bytes = await readFile(source.file + age).catch(() => null);
    if (bytes === null) break;
    const whole = bytes.subarray(0, bytes.lastIndexOf("\n") + 1);
    if (age === "") end = whole.byteLength;
    const all = whole
      .toString()
      .split("\n")
      .filter((line) => line !== "");
    const found = fitting(takesAll(filter) ? last(all, count) : all, source.name, filter);
    lines = [...found, ...lines];
    if (lines.length >= count || beginsBefore(all, filter.since)) break;
  }
  return { source, lines: last(lines, count), end };
}

/** What is older than that log is too old. */
function beginsBefore(lines: readonly string[], since: number | null): boolean {
  const [first] = fitting(lines.slice(0, 1), "", ALL);
  return since !== null && first !== undefined && first.time > 0 && first.time < since;
}

/** slice(-0) would be all of them. */
function last<T>(items: readonly T[], count: number): T[] {
  return items.slice(Math.max(0, items.length - count));
}

async function follow(
  tails: readonly Tail[],
  { filter, signal }: LogRequest,
  print: PrintLine,
): Promise<void> {
  const positions = new Map(tails.map(({ source, end }) => [source, end]));
  while (!signal.aborted) {
    for (const [source, position] of positions) {
      const size = await sizeOf(source.file);
      // Smaller than what was read: rotated.
      const from = size < position ? 0 : position;
      const text = size === from ? "" : await readRange(source.file, from, size);
      const whole = text.slice(0, text.lastIndexOf("\n") + 1);
      const lines = whole.split("\n").filter((line) => line !== "");
      for (const { line } of fitting(lines, source.name, filter, Date.now())) print(line, source.name);
      positions.set(source, from + Buffer.byteLength(whole));
    }
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
