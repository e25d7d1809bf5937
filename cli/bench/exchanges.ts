import { Exchange, type RequestOptions } from "./sender.ts";
import { NOT_SENT } from "./tally.ts";
import type { BenchUser, Outcome } from "./users.ts";

/** A login through the balancer. */
export class Read extends Exchange {
  readonly user: BenchUser;
  readonly intendedAt: number;
  readonly epoch: number;
  readonly #ended: (read: Read) => void;

  constructor(user: BenchUser, intendedAt: number, ended: (read: Read) => void) {
    super(user.login);
    this.user = user;
    this.intendedAt = intendedAt;
    this.epoch = user.epoch;
    this.#ended = ended;
  }

  protected override keepsBody(): boolean {
    return true;
  }

  protected override ended(): void {
    this.#ended(this);
  }
}

/** A write as the client means it: one or more attempts under one key. */
export interface Write {
  readonly intendedAt: number;
  readonly options: RequestOptions;
  attempts: number;
  /** Told once. */
  readonly settled: (outcome: Outcome) => void;
  /** Refusals that are no error: the loser of two rivals gets a 403. */
  readonly mayBeRefused: boolean;
}

/** One attempt at a write. */
export class WriteAttempt extends Exchange {
  readonly write: Write;
  readonly #ended: (attempt: WriteAttempt) => void;

  constructor(write: Write, ended: (attempt: WriteAttempt) => void) {
    super(write.options);
    this.write = write;
    this.#ended = ended;
  }

  protected override ended(): void {
    this.#ended(this);
  }
}

export function registration(user: BenchUser, key: string | null): RequestOptions {
  return form("/register", `username=${user.name}&password=${user.password}`, key);
}

export function passwordChange(
  user: BenchUser,
  old: string,
  next: string,
  key: string | null,
): RequestOptions {
  return form("/changePassword", `username=${user.name}&password=${old}&newPassword=${next}`, key);
}

/** Names and passwords of a run need no escaping. */
function form(path: string, body: string, key: string | null): RequestOptions {
  const headers = ["content-type", "application/x-www-form-urlencoded"];
  // A structured-field string, hence the quotes (draft-ietf-httpapi-idempotency-key-header §2.1).
  if (key !== null) headers.push("idempotency-key", `"${key}"`);
  return { method: "POST", path, headers, body };
}

/** The balancer's own refusals that say for certain that nothing was recorded (docs/errors.md). */
const NOT_RECORDED = new Set([
  "below_min_in_sync",
  "no_in_sync_node",
  "too_many_requests_open",
  "journal_full",
  "disk_full",
]);

export function outcomeOf(exchange: Exchange): Outcome {
  const { status } = exchange;
  if (status === 0) return exchange.sent ? "unknown" : "refused";
  if (status >= 200 && status < 300) return "acknowledged";
  if (status >= 500) return NOT_RECORDED.has(problemCode(exchange) ?? "") ? "refused" : "unknown";
  return status === 408 ? "unknown" : "refused";
}

/** `timeout`, `ECONNRESET`, `HTTP 401`, `HTTP 503 no_in_sync_node` */
export function failureName(exchange: Exchange): string {
  if (exchange.status === 0)
    return exchange.sent ? (exchange.failure ?? "failed") : `${NOT_SENT}: ${exchange.failure}`;
  const code = problemCode(exchange);
  return code === null ? `HTTP ${exchange.status}` : `HTTP ${exchange.status} ${code}`;
}

function problemCode(exchange: Exchange): string | null {
  if (!String(exchange.headers["content-type"]).startsWith("application/problem+json")) return null;
  return /"code":\s*"([a-z0-9_]{1,40})"/.exec(exchange.body)?.[1] ?? null;
}
