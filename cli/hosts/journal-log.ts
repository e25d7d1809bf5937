/** The log of a unit, from the journal of its host. */
import type { LogSource, LogTail } from "../target.ts";
import { runTool, startTool } from "../tool.ts";
import { fitting, type LogFilter, last, takesAll } from "../tools/log-filter.ts";
import { sshArgv } from "../tools/ssh.ts";
import { accessOf } from "./machines.ts";
import { sshError } from "./ssh-errors.ts";
import type { Unit } from "./units.ts";
import type { HostsWork } from "./work.ts";

/** Where lines are chosen by what they say, so many are looked at. */
const LOOKED_AT = 100_000;

export function journalLog(work: HostsWork, unit: Unit): LogSource {
  return { name: unit.name, tail: (count, filter) => tail(work, unit, count, filter) };
}

async function tail(work: HostsWork, unit: Unit, count: number, filter: LogFilter): Promise<LogTail> {
  const since = filter.since === null ? [] : [`--since=@${Math.floor(filter.since / 1000)}`];
  const lines = takesAll(filter) ? count : LOOKED_AT;
  const argv = argvOf(work, unit, [`--lines=${lines}`, ...since]);
  const { code, stdout, stderr } = await runTool({ argv, signal: work.signal });
  if (code !== 0) throw sshError(unit.machine, stderr);
  const entries = stdout.split("\n").flatMap((line) => parseEntry(line) ?? []);
  const found = fitting(
    entries.map(({ line }) => line),
    unit.name,
    filter,
  );
  const cursor = entries.at(-1)?.cursor ?? null;
  return { lines: last(found, count), follow: (signal) => follow(work, unit, cursor, signal) };
}

async function* follow(
  work: HostsWork,
  unit: Unit,
  cursor: string | null,
  signal: AbortSignal,
): AsyncGenerator<string> {
  const from = cursor === null ? ["--lines=0"] : ["--lines=all", `--after-cursor=${cursor}`];
  await using tool = startTool({ argv: argvOf(work, unit, ["--follow", ...from]), signal });
  const stop = () => void tool[Symbol.asyncDispose]();
  signal.addEventListener("abort", stop, { once: true });
  try {
    for await (const text of tool.lines()) {
      const entry = parseEntry(text);
      if (entry) yield entry.line;
    }
  } finally {
    signal.removeEventListener("abort", stop);
  }
  const { stderr } = await tool.ended;
  if (!signal.aborted) throw sshError(unit.machine, stderr);
}

function argvOf(work: HostsWork, { unit, machine }: Unit, options: readonly string[]): string[] {
  const journalctl = [
    "journalctl",
    `--unit=${unit}.service`,
    "--output=json",
    "--no-pager",
    "--quiet",
    ...options,
  ]
    .map((word) => `'${word}'`)
    .join(" ");
  const command = `if [ "$(id -u)" = 0 ]; then exec ${journalctl}; else exec sudo -n ${journalctl}; fi`;
  return sshArgv(accessOf(machine, work.machines.acceptNewHostKeys, work.state), command);
}

/** A process' own JSON lines as they are; what systemd and others say as a line with a time. */
export function parseEntry(text: string): { readonly line: string; readonly cursor: string } | null {
  if (!text.startsWith("{")) return null;
  const entry = JSON.parse(text) as {
    MESSAGE?: string | number[] | null;
    __REALTIME_TIMESTAMP?: string;
    __CURSOR?: string;
  };
  const { MESSAGE: message, __CURSOR: cursor = "" } = entry;
  const said = Array.isArray(message) ? Buffer.from(message).toString() : (message ?? "");
  if (said.startsWith("{")) return { line: said, cursor };
  const time = Math.floor(Number(entry.__REALTIME_TIMESTAMP ?? 0) / 1000);
  return { line: JSON.stringify({ level: 30, time, msg: said }), cursor };
}
