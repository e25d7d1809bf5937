/** Log lines as people read them: pino's JSON, or whatever a process wrote. */
import { readFile } from "node:fs/promises";
import { styleText } from "node:util";

const LEVELS: Readonly<Record<number, string>> = {
  10: "trace",
  20: "debug",
  30: "info",
  40: "warn",
  50: "error",
  60: "fatal",
};

/** Said elsewhere in the line, or the same in every line. */
const HIDDEN = new Set(["level", "time", "msg", "pid", "hostname", "name", "v", "err"]);

type Fields = Readonly<Record<string, unknown>>;

/** `12:03:04.123 warn  balancer  node is down node=app2 reason="connect ECONNREFUSED"` */
export function renderLogLine(line: string, source: string): string {
  const fields = parseLine(line);
  if (!fields) return `${styleText("dim", "            ")} ${styleText("cyan", source.padEnd(10))} ${line}`;
  const level = LEVELS[Number(fields.level)] ?? "info";
  const pid = source === "supervisor" ? fields.pid : undefined;
  const shown = Object.entries({ ...fields, ...errorFields(fields.err) }).filter(([key]) => !HIDDEN.has(key));
  return [
    styleText("dim", timeOf(fields.time)),
    styleText("cyan", source.padEnd(10)),
    levelText(level),
    String(fields.msg ?? ""),
    ...shown.map(([key, value]) => `${styleText("dim", `${key}=`)}${valueText(value)}`),
    ...(pid === undefined ? [] : [`${styleText("dim", "pid=")}${pid}`]),
  ].join(" ");
}

/** ms since the epoch; null for a line that is not JSON. */
export function lineTime(line: string): number | null {
  const time = parseLine(line)?.time;
  if (typeof time === "number") return time;
  return typeof time === "string" ? Date.parse(time) : null;
}

/** The end of a log, each message once; nothing where there is no log. */
export async function lastLines(file: string, count: number): Promise<string[]> {
  const text = await readFile(file, "utf8").catch(() => "");
  const lines = text.split("\n").filter((line) => line !== "");
  return [...new Set(lines.slice(-count).map((line) => String(parseLine(line)?.msg ?? line)))];
}

function parseLine(line: string): Fields | null {
  if (!line.startsWith("{")) return null;
  try {
    return JSON.parse(line) as Fields;
  } catch {
    return null;
  }
}

function errorFields(error: unknown): Fields {
  if (typeof error !== "object" || error === null) return {};
  return "message" in error ? { error: error.message } : {};
}

function timeOf(time: unknown): string {
  const date = new Date(typeof time === "string" || typeof time === "number" ? time : Number.NaN);
  if (Number.isNaN(date.getTime())) return "            ";
  const two = (value: number, width = 2) => String(value).padStart(width, "0");
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${two(date.getMilliseconds(), 3)}`;
}

function levelText(level: string): string {
  const padded = level.padEnd(5);
  if (level === "warn") return styleText("yellow", padded);
  return level === "error" || level === "fatal" ? styleText("red", padded) : styleText("dim", padded);
}

function valueText(value: unknown): string {
  if (typeof value !== "string") return JSON.stringify(value) ?? "";
  return /^[\w./:@%+,*-]+$/.test(value) ? value : JSON.stringify(value);
}
