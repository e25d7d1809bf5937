/** Log lines as people read them: pino's JSON, or whatever a process wrote. */
import { readFile } from "node:fs/promises";
import { styleText } from "node:util";
import { clock, printable } from "./format.ts";
import { type LogFields, sentenceOf } from "./log-sentences.ts";

export type { LogFields };

const LEVELS: Readonly<Record<string, string>> = {
  10: "trace",
  20: "debug",
  30: "info",
  40: "warn",
  50: "error",
  60: "fatal",
};

/** Said elsewhere in the line, or the same in every line. */
const HIDDEN = ["level", "time", "ts", "t", "msg", "pid", "hostname", "name", "v", "err", "error"];
const NO_TIME = " ".repeat("02:13:04.123".length);

/** `02:13:04.123 balancer   warn  app2 in-sync → down: connect ECONNREFUSED 127.0.0.1:4568` */
export function renderLogLine(line: string, source: string): string {
  const fields = parseLogLine(line);
  const from = styleText("cyan", source.padEnd(10));
  if (fields === null) return `${NO_TIME} ${from}       ${printable(line)}`;
  const { text, used } = sentenceOf(fields);
  const pid = source === "supervisor" && fields.pid !== undefined ? [["pid", fields.pid] as const] : [];
  const rest = Object.entries(fields).filter(([key]) => !HIDDEN.includes(key) && !used.includes(key));
  const error = errorText(fields.error ?? fields.err);
  const time = timeOf(fields);
  return [
    styleText("dim", time === null ? NO_TIME : clock(time)),
    from,
    levelText(levelOf(fields.level)),
    printable(text),
    ...[...rest, ...pid].map(
      ([key, value]) => `${styleText("dim", `${printable(key)}=`)}${valueText(value)}`,
    ),
    ...(error === "" ? [] : [`${styleText("dim", "error=")}${valueText(error)}`]),
  ].join(" ");
}

/** One JSON object: the fields as they were written and `source`; of a line that is no JSON, all of it as `line`. */
export function jsonLogLine(line: string, source: string): string {
  return JSON.stringify({ ...(parseLogLine(line) ?? { line }), source });
}

/** ms since the epoch; null for a line that has none. */
export function timeOf(fields: LogFields | null): number | null {
  // Prometheus' and Grafana's words for it.
  const time = fields?.time ?? fields?.ts ?? fields?.t;
  const at = typeof time === "string" ? Date.parse(time) : time;
  return typeof at === "number" && !Number.isNaN(at) ? at : null;
}

/** The end of a log, each message once; nothing where there is no log. */
export async function lastLines(file: string, count: number): Promise<string[]> {
  const text = await readFile(file, "utf8").catch(() => "");
  const lines = text.split("\n").filter((line) => line !== "");
  return [...new Set(lines.slice(-count).map((line) => String(parseLogLine(line)?.msg ?? line)))];
}

/** Null for a line that is not JSON. */
export function parseLogLine(line: string): LogFields | null {
  if (!line.startsWith("{")) return null;
  try {
    return JSON.parse(line) as LogFields;
  } catch {
    return null;
  }
}

/** `LbError journal_failed: disk (Error ENOSPC: no space left)`; of an error without message where it came from. */
function errorText(error: unknown): string {
  if (typeof error !== "object" || error === null) return error === undefined ? "" : String(error);
  const { type, code, message, stack, cause } = error as LogFields;
  const where = Array.isArray(stack) ? stack[0] : undefined;
  const head = [type, code].filter((part) => typeof part === "string").join(" ");
  const text = [head, message ?? where].filter((part) => part !== undefined && part !== "").join(": ");
  return cause === undefined ? text : `${text} (${errorText(cause)})`;
}

/** Pino's are numbers, Prometheus' and Grafana's are words. */
function levelOf(level: unknown): string {
  const word = typeof level === "string" ? level.toLowerCase() : "info";
  return LEVELS[String(level)] ?? (Object.values(LEVELS).includes(word) ? word : "info");
}

function levelText(level: string): string {
  const padded = level.padEnd(5);
  if (level === "warn") return styleText("yellow", padded);
  return level === "error" || level === "fatal" ? styleText("red", padded) : styleText("dim", padded);
}

function valueText(value: unknown): string {
  if (typeof value === "string" && /^[\w./:@%+,*-]+$/.test(value)) return value;
  return printable(JSON.stringify(value) ?? "");
}
