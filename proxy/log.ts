import { type Logger, pino } from "pino";
import { type AccessLine, accessLine } from "./access-line.ts";
import type { NodeState } from "./api.ts";
import { LbError } from "./errors.ts";
import { LogStream } from "./log-stream.ts";
import { type Facts, LINES, type Line, type LineLevel } from "./log-table.ts";

/**
 * JSON lines on stdout. Each kind of line is a method and a row of log-table.ts, so that `msg` and fields are stable,
 * and so that what may not be in a log (query strings, bodies, credentials) has no way in: of targets only the path is
 * taken, of headers nothing but the request id.
 */

export type LogLevel = "trace" | "debug" | "info" | "warn" | "error" | "fatal" | "silent";

export interface LogOptions {
  readonly level: LogLevel;
  /** A line for each request. */
  readonly access: boolean;
  /** Share (0 to 1) of the reads that succeeded that get one. */
  readonly sample: number;
}

/** One failed attempt at a node. */
export interface LegLine {
  readonly node: string;
  readonly outcome: string;
  readonly attempt: number;
  readonly ms: number;
  readonly status?: number;
  readonly seq?: number;
  readonly route?: string;
  /** X-Request-Id of the request that it belongs to. */
  readonly id?: string | null;
  readonly trace?: string | undefined;
  /** Why there was no answer. */
  readonly reason?: string;
}

/** What an operator did. */
export interface AuditLine {
  readonly user: string;
  readonly client: string;
  readonly action: string;
  readonly status: number;
}

/** What a `Log` writes to. */
export interface LogSink {
  write(line: string): void;
  flush?(): void;
  flushSync?(): void;
}

/** Logs to stdout. */
export function createLog(options: LogOptions): Log {
  const stream = new LogStream(1, () => log.dropped());
  const log = new Log(options, stream);
  process.once("exit", () => log.flush());
  return log;
}

export class Log {
  readonly #pino: Logger;
  readonly #out: LogSink;
  readonly #random: () => number;
  #access = true;
  #sample = 1;
  /** Told of each line that was dropped, since nobody reads stdout. */
  dropped: () => void = () => {};

  /** @param random from 0 to 1, decides which reads are logged */
  constructor(options: LogOptions, out: LogSink, random: () => number = Math.random) {
    this.#pino = pino({ base: { pid: process.pid }, serializers: {} }, out);
    this.#out = out;
    this.#random = random;
    this.configure(options);
  }

  /** Lines from now on go by this. */
  configure({ level, access, sample }: LogOptions): void {
    this.#pino.level = level;
    this.#access = access && this.#pino.isLevelEnabled("info");
    this.#sample = sample;
  }

  // The process

  starting(facts: { version: string; config: string; cluster: string }): void {
    this.#say("starting", facts);
  }

  /** Listening, journal open. Supervisors wait for this line. */
  ready(facts: { listen: string; admin: string; head: number; nodes: number; ms: number }): void {
    this.#say("ready", facts);
  }

  /** Shutting down: `signal` says why. */
  draining(facts: { signal: string; reads: number; writes: number }): void {
    this.#say("draining", facts);
  }

  stopped(facts: { ms: number; clean: boolean }): void {
    this.#say("stopped", facts);
  }

  reloaded(facts: { changes: readonly string[] }): void {
    this.#say("reloaded", facts);
  }

  /** The new config is wrong: the old one stays. */
  reloadRefused(problems: readonly string[]): void {
    this.#say("reloadRefused", { problems });
  }

  /** The config can be used, but somebody should look after this. */
  configWarnings(warnings: readonly string[]): void {
    if (warnings.length > 0) this.#say("configWarnings", { warnings });
  }

  // Requests

  request(line: AccessLine): void {
    if (!this.#access) return;
    const sample = this.#sample < 1 && isGoodRead(line) ? this.#sample : undefined;
    if (sample !== undefined && this.#random() >= sample) return;
    // Field by field: a spread would cost 1 µs for each request.
    const { id, client, method, route, status, node, seq, code, trace } = line;
    const ms = rounded(line.ms);
    const path = pathOf(line.target);
    const facts = { id, client, method, path, route, status, ms, node, seq, code, trace, sample };
    this.#out.write(accessLine(facts, Date.now(), process.pid));
  }

  legFailed(line: LegLine): void {
    this.#say("legFailed", { ...line, ms: rounded(line.ms) });
  }

  // Nodes

  nodeState(node: string, from: NodeState, to: NodeState, reason: string): void {
    const bad = to === "down" || to === "quarantined";
    this.#say("nodeState", { node, from, to, reason }, bad ? "warn" : "info");
  }

  bootstrap({
    error,
    ...facts
  }: {
    node: string;
    kind: string;
    step: string;
    from?: string;
    seq?: number;
    error?: unknown;
  }): void {
    if (error === undefined) this.#say("bootstrap", facts);
    else this.#say("bootstrapFailed", { ...facts, ...described(error) });
  }

  divergence(facts: {
    seq: number;
    node: string;
    status: number;
    majority: number;
    id?: string | null;
  }): void {
    this.#say("divergence", facts);
  }

  ambiguous(facts: { seq: number; node: string; status: number; id?: string | null }): void {
    this.#say("ambiguous", facts);
  }

  setAside(facts: { seq: number; attempts: number; reason: string; id?: string | null }): void {
    this.#say("setAside", facts);
  }

  /** Something only an operator can mend. */
  alarm(what: string, facts: Omit<Facts<"alarm">, "what"> = {}): void {
    this.#say("alarm", { ...facts, what });
  }

  /** @param error null: it works again */
  traceExport(error: unknown): void {
    if (error === null) this.#say("traceExport", { works: true });
    else this.#say("traceExport", { works: false, ...described(error) }, "warn");
  }

  journalFailed(next: string, error: unknown): void {
    this.#say("journalFailed", { next, ...described(error) });
  }

  // Operators

  audit(line: AuditLine): void {
    this.#say("admin", line);
  }

  signInFailed(client: string): void {
    this.#say("signInFailed", { client });
  }

  /** Our own mistake: an error that nobody expected. */
  bug(where: string, error: unknown): void {
    this.#say("bug", { where, ...described(error) });
  }

  fatal(error: unknown): void {
    this.#say("fatal", described(error));
    this.flush();
  }

  /** Before the process ends. */
  flush(): void {
    this.#out.flushSync?.();
  }

  /** Every line but access lines goes out at once. */
  #say<K extends Line>(kind: K, facts: Facts<K>, level: LineLevel = LINES[kind].levels[0]): void {
    const given: object = facts;
    this.#pino[level](given, LINES[kind].msg);
    this.#out.flush?.();
  }
}

/** One of many alike: errors, writes and clients that left are always logged. */
function isGoodRead({ status, seq, code }: AccessLine): boolean {
  return status > 0 && status < 400 && seq === undefined && code === undefined;
}

function described(error: unknown): { error?: ErrorLine } {
  return error === undefined ? {} : { error: describe(error) };
}

/** To the microsecond. */
function rounded(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}

/**
 * A target without its query string, which may hold passwords; "" where it names a host (absolute form, CONNECT),
 * since that may come with user and password.
 */
export function pathOf(target: string): string {
  if (!target.startsWith("/")) return target === "*" ? target : "";
  const query = target.indexOf("?");
  const path = query === -1 ? target : target.slice(0, query);
  const fragment = path.indexOf("#");
  return fragment === -1 ? path : path.slice(0, fragment);
}

interface ErrorLine {
  readonly type: string;
  readonly code?: string;
  readonly message?: string;
  readonly stack?: readonly string[];
  readonly cause?: ErrorLine;
}

/**
 * An error for the log. Ours and the system's have messages that were written for it; a parser's quotes what it
 * could not read, which may be a password, so of any other error the log gets type and stack, no message.
 */
export function describe(error: unknown, depth = 0): ErrorLine {
  if (!(error instanceof Error)) return { type: typeof error };
  const code = "code" in error && typeof error.code === "string" ? { code: error.code } : {};
  const cause = error.cause === undefined || depth > 3 ? {} : { cause: describe(error.cause, depth + 1) };
  if (isSafe(error)) return { type: error.name, ...code, message: error.message, ...cause };
  return { type: error.name, ...code, stack: frames(error), ...cause };
}

function isSafe(error: Error): boolean {
  return error instanceof LbError || "syscall" in error || UNDICI.test(error.name);
}

/** undici's messages are fixed texts ("Headers Timeout Error", "other side closed"). */
const UNDICI = /^(Headers|Body|Connect)TimeoutError$|^SocketError$|^ClientDestroyedError$|^AbortError$/;

function frames(error: Error): string[] {
  const lines = (error.stack ?? "").split("\n").map((line) => line.trim());
  return lines.filter((line) => line.startsWith("at ")).slice(0, 10);
}
