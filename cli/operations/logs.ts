import { loadClusterConfig } from "../config-file.ts";
import { UserError } from "../errors.ts";
import type { LogSource, LogTail } from "../target.ts";
import { targetOf } from "../targets.ts";
import { fitting, type LogFilter, last } from "../tools/log-filter.ts";

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

/** Prints the last lines that fit of all processes in the order of their times, then, if asked, those that come. */
export async function logs(request: LogRequest, print: PrintLine): Promise<void> {
  const { lines: count, filter } = request;
  const sources = await chosen(request);
  const tails = await Promise.all(
    sources.map(async (source) => ({ name: source.name, tail: await source.tail(count, filter) })),
  );
  const lines = tails.flatMap(({ tail }) => tail.lines).sort((a, b) => a.time - b.time);
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

async function follow(
  tails: readonly { readonly name: string; readonly tail: LogTail }[],
  { filter, signal }: LogRequest,
  print: PrintLine,
): Promise<void> {
  await Promise.all(
    tails.map(async ({ name, tail }) => {
      for await (const line of tail.follow(signal)) {
        if (fitting([line], name, filter, Date.now()).length > 0) print(line, name);
      }
    }),
  );
}
