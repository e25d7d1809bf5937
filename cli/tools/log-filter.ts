/** Which lines of the logs are asked for: pure. */
import { UserError } from "../errors.ts";
import { type LogFields, parseLogLine, timeOf } from "./log-lines.ts";

/** Null: does not matter. */
export interface LogFilter {
  /** ms since the epoch. */
  readonly since: number | null;
  /** What it says itself, and what is said of it. */
  readonly node: string | null;
  readonly seq: number | null;
  /** X-Request-Id. */
  readonly id: string | null;
}

export const ALL: LogFilter = { since: null, node: null, seq: null, id: null };

export interface LogLine {
  readonly line: string;
  readonly source: string;
  /** ms since the epoch; a line without a time of its own belongs to the one before it. */
  readonly time: number;
}

/** The lines of one log that fit, in their order. @param before the time of what came before them */
export function fitting(lines: readonly string[], source: string, filter: LogFilter, before = 0): LogLine[] {
  let time = before;
  return lines.flatMap((line) => {
    const fields = parseLogLine(line);
    time = timeOf(fields) ?? time;
    return fits(filter, fields, source, time) ? [{ line, source, time }] : [];
  });
}

/** slice(-0) would be all of them. */
export function last<T>(items: readonly T[], count: number): T[] {
  return items.slice(Math.max(0, items.length - count));
}

/** Nothing is asked for but the end. */
export function takesAll({ since, node, seq, id }: LogFilter): boolean {
  return since === null && node === null && seq === null && id === null;
}

function fits(
  { since, node, seq, id }: LogFilter,
  fields: LogFields | null,
  source: string,
  time: number,
): boolean {
  if (since !== null && time < since) return false;
  if (node !== null && source !== node && !about(fields, node)) return false;
  if (seq !== null && fields?.seq !== seq) return false;
  return id === null || fields?.id === id;
}

/** The supervisor calls it a process; a bootstrap has a node that gives, too. */
function about(fields: LogFields | null, node: string): boolean {
  return fields !== null && (fields.node === node || fields.process === node || fields.from === node);
}

const UNITS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/**
 * ms since the epoch out of "90s", "10m", "2h", "1d" (ago), "02:13" (the last time it was), or a date with or without
 * a time, in this machine's zone. Throws UserError, exit code 2.
 */
export function parseSince(text: string, now = Date.now()): number {
  const [, amount, unit] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  if (amount !== undefined && unit !== undefined) return now - Number(amount) * (UNITS[unit] ?? 0);
  const [, hours, minutes, seconds = "0"] = /^([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?$/.exec(text) ?? [];
  if (hours !== undefined && minutes !== undefined) {
    const at = new Date(now);
    at.setHours(Number(hours), Number(minutes), Number(seconds), 0);
    if (at.getTime() > now) at.setDate(at.getDate() - 1);
    return at.getTime();
  }
  const date = /^\d{4}-\d\d-\d\d$/.test(text) ? `${text}T00:00` : text.replace(" ", "T");
  const time = /^\d{4}-\d\d-\d\dT/.test(date) ? Date.parse(date) : Number.NaN;
  if (!Number.isNaN(time)) return time;
  throw new UserError(
    `--since: expected 90s, 10m, 2h, 1d, 02:13, 2026-03-09 or 2026-03-09T02:13, got ${JSON.stringify(text)}`,
    { exitCode: 2 },
  );
}
