import { type Logger, pino } from "pino";
import type { NodeState } from "./api.ts";
import { LbError } from "./errors.ts";
import { LogStream } from "./log-stream.ts";

/**
 * JSON lines on stdout. Each kind of line is a method, so that `msg` is stable, and so that what may not be in a
 * log (query strings, bodies, credentials) has no way in: targets are cut at the `?`, headers are never taken.
 */

export type LogLevel = "trace" | "debug" | "info" | "warn" | "error" | "fatal" | "silent";

export interface LogOptions {
  readonly level: LogLevel;
  /** A line for each request. */
  readonly access: boolean;
}

/** One request, when its reply is over. */
export interface AccessLine {
  readonly id: string;
  readonly client: string;
  readonly method: string;
  /** Path, with or without its query: that is cut off here. */
  readonly target: string;
  readonly route: string | null;
  /** 0: the client left before there was one. */
  readonly status: number;
  readonly ms: number;
  readonly node?: string | undefined;
  readonly seq?: number | undefined;
  /** Code of the error table, when the balancer made the reply. */
  readonly code?: string | undefined;
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
  readonly id?: string;
  readonly reason?: string;
  readonly error?: unknown;
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
  #access = false;
  readonly #out: LogSink;
  /** Told of each line that was dropped, since nobody reads stdout. */
  dropped: () => void = () => {};

  constructor(options: LogOptions, out: LogSink) {
    this.#pino = pino({ base: { pid: process.pid }, serializers: {} }, out);
    this.#out = out;
    this.configure(options);
  }

  /** Lines from now on go by this. */
  configure({ level, access }: LogOptions): void {
    this.#pino.level = level;
    this.#access = access && this.#pino.isLevelEnabled("info");
  }

  // The process

  starting(facts: { version: string; config: string; cluster: string }): void {
    this.#say("info", facts, "starting");
  }

  /** Listening, journal open. Supervisors wait for this line. */
  ready(facts: { listen: string; admin: string; head: number; nodes: number; ms: number }): void {
    this.#say("info", facts, "ready");
  }

  /** Shutting down: `signal` says why. */
  draining(facts: { signal: string; reads: number; writes: number }): void {
    this.#say("info", facts, "draining");
  }

  stopped(facts: { ms: number; clean: boolean }): void {
    this.#say("info", facts, "stopped");
  }

  reloaded(facts: { changes: readonly string[] }): void {
    this.#say("info", facts, "reloaded");
  }

  /** The new config is wrong: the old one stays. */
  reloadRefused(problems: readonly string[]): void {
    this.#say("error", { problems }, "reload refused");
  }

  /** The config can be used, but somebody should look after this. */
  configWarnings(warnings: readonly string[]): void {
    if (warnings.length > 0) this.#say("warn", { warnings }, "config warnings");
  }

  // Requests

  request(line: AccessLine): void {
    if (!this.#access) return;
    // Field by field: a spread would cost 1 µs for each request.
    const { id, client, method, route, status, node, seq, code } = line;
    const ms = rounded(line.ms);
    const path = pathOf(line.target);
    this.#pino.info({ id, client, method, path, route, status, ms, node, seq, code }, "request");
  }

  legFailed({ error, ...given }: LegLine): void {
    const line = { ...given, ms: rounded(given.ms) };
    this.#say("warn", error === undefined ? line : { ...line, error: describe(error) }, "leg failed");
  }

  // Nodes

  nodeState(node: string, from: NodeState, to: NodeState, reason: string): void {
    const facts = { node, from, to, reason };
    if (to === "down" || to === "quarantined") this.#say("warn", facts, "node state");
    else this.#say("info", facts, "node state");
  }

  bootstrap(facts: {
    node: string;
    kind: string;
    step: string;
    from?: string;
    seq?: number;
    error?: unknown;
  }): void {
    const { error, ...rest } = facts;
    if (error === undefined) this.#say("info", rest, "bootstrap");
    else this.#say("error", { ...rest, error: describe(error) }, "bootstrap failed");
  }

  divergence(facts: { seq: number; node: string; status: number; majority: number }): void {
    this.#say("error", facts, "divergence");
  }

  ambiguous(facts: { seq: number; node: string; status: number }): void {
    this.#say("warn", facts, "ambiguous answer");
  }

  setAside(facts: { seq: number; attempts: number; reason: string }): void {
    this.#say("error", facts, "write set aside");
  }

  /** Something only an operator can mend. */
  alarm(what: string, facts: Readonly<Record<string, string | number>> = {}): void {
    this.#say("error", { ...facts, what }, "alarm");
  }

  journal(facts: Readonly<Record<string, string | number>>, error?: unknown): void {
    if (error === undefined) this.#say("info", facts, "journal");
    else this.#say("error", { ...facts, error: describe(error) }, "journal failed");
  }

  // Operators

  audit(line: AuditLine): void {
    this.#say("info", line, "admin");
  }

  signInFailed(client: string): void {
    this.#say("warn", { client }, "sign-in failed");
  }

  /** Our own mistake: an error that nobody expected. */
  bug(where: string, error: unknown): void {
    this.#say("error", { where, error: describe(error) }, "bug");
  }

  fatal(error: unknown): void {
    this.#say("fatal", { error: describe(error) }, "fatal");
    this.flush();
  }

  /** Before the process ends. */
  flush(): void {
    this.#out.flushSync?.();
  }

  /** Every line but access lines goes out at once. */
  #say(level: "info" | "warn" | "error" | "fatal", facts: object, msg: string): void {
    this.#pino[level](facts, msg);
    this.#out.flush?.();
  }
}

/** To the microsecond. */
function rounded(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}

/** Without the query string, which may hold passwords. */
export function pathOf(target: string): string {
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
