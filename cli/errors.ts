/** Errors that a user can act on: what was expected, what came, what to do next. Anything else is our bug. */

export interface UserErrorOptions {
  /** 2: the way the command was called or configured; 1: everything else. */
  readonly exitCode?: 1 | 2;
  /** Stable, for programs that read --json; the balancer's own where it refused. */
  readonly code?: string;
  /** Lines below the message: every problem at once. */
  readonly problems?: readonly string[];
  /** What to do now: commands or sentences. */
  readonly next?: readonly string[];
  readonly cause?: unknown;
}

export class UserError extends Error {
  readonly exitCode: 1 | 2;
  readonly code: string | null;
  readonly problems: readonly string[];
  readonly next: readonly string[];

  constructor(message: string, options: UserErrorOptions = {}) {
    super(message, "cause" in options ? { cause: options.cause } : {});
    this.name = "UserError";
    this.exitCode = options.exitCode ?? 1;
    this.code = options.code ?? null;
    this.problems = options.problems ?? [];
    this.next = options.next ?? [];
  }
}

/** The user pressed Ctrl-C (or the process got SIGTERM) between two steps. */
export class Interrupted extends UserError {
  constructor(signal: string) {
    super(`stopped by ${signal}`, { next: ["run the same command again: it goes on from where it stopped"] });
    this.name = "Interrupted";
  }
}

export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
