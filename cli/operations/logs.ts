import { open, readFile, stat } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { loadClusterConfig } from "../config-file.ts";
import { UserError } from "../errors.ts";
import type { LogSource } from "../target.ts";
import { targetOf } from "../targets.ts";
import { lineTime } from "../tools/log-lines.ts";

export interface LogRequest {
  readonly config: string | undefined;
  /** Only this process. */
  readonly name: string | undefined;
  readonly lines: number;
  readonly follow: boolean;
  readonly signal: AbortSignal;
}

export type PrintLine = (line: string, source: string) => void;

/** A longer look back is a job for the files themselves. */
const TAIL_BYTES = 4 * 1024 * 1024;

/** Prints the last lines of all processes in the order of their times, then, if asked, those that come. */
export async function logs(request: LogRequest, print: PrintLine): Promise<void> {
  const sources = await chosen(request);
  const tails = await Promise.all(sources.map((source) => tail(source, request.lines)));
  const lines = tails.flatMap(({ lines }) => lines).sort((a, b) => a.time - b.time);
  // slice(-0) would be all of them.
  for (const { line, source } of lines.slice(Math.max(0, lines.length - request.lines))) print(line, source);
  if (request.follow) await follow(tails, request.signal, print);
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

interface Line {
  readonly line: string;
  readonly source: string;
  readonly time: number;
}

interface Tail {
  readonly source: LogSource;
  readonly lines: readonly Line[];
  /** Where the next line begins. */
  readonly end: number;
}

async function tail(source: LogSource, count: number): Promise<Tail> {
  const size = await sizeOf(source.file);
  const start = Math.max(0, size - TAIL_BYTES);
  const text = await readRange(source.file, start, size);
  const whole = text.slice(start === 0 ? 0 : text.indexOf("\n") + 1, text.lastIndexOf("\n") + 1);
  const older = await olderLines(source.file, start);
  const all = [...older, ...whole.split("\n")].filter((line) => line !== "");
  let time = 0;
  const lines = all.slice(Math.max(0, all.length - count)).map((line) => {
    // A line without a time of its own belongs to the one before it.
    time = lineTime(line) ?? time;
    return { line, source: source.name, time };
  });
  return { source, lines, end: start + Buffer.byteLength(text.slice(0, text.lastIndexOf("\n") + 1)) };
}

/** A log that was rotated a moment ago has its last lines in the file before. */
async function olderLines(file: string, start: number): Promise<string[]> {
  if (start > 0) return [];
  const text = await readFile(`${file}.1`, "utf8").catch(() => "");
  return text.split("\n");
}

async function follow(tails: readonly Tail[], signal: AbortSignal, print: PrintLine): Promise<void> {
  const positions = new Map(tails.map(({ source, end }) => [source, end]));
  while (!signal.aborted) {
    for (const [source, position] of positions) {
      const size = await sizeOf(source.file);
      // Smaller than what was read: rotated.
      const from = size < position ? 0 : position;
      const text = size === from ? "" : await readRange(source.file, from, size);
      const whole = text.slice(0, text.lastIndexOf("\n") + 1);
      for (const line of whole.split("\n")) if (line !== "") print(line, source.name);
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
