/** What a run had done when it was stopped: what was sent is not taken back. */
import { count, duration } from "../tools/format.ts";
import type { Load } from "./load.ts";
import type { BenchProgress } from "./progress.ts";
import type { BenchUsers } from "./users.ts";

/** How far a run is. */
export interface SoFar {
  phase: BenchProgress["phase"];
  /** Null: it has not begun. */
  load: Load | null;
}

export interface Account {
  readonly run: string;
  readonly phase: BenchProgress["phase"];
  /** Of the load. */
  readonly elapsedMs: number;
  readonly durationMs: number;
  readonly reads: { readonly sent: number; readonly ok: number };
  /** Those of the load: `sent` is the sum of the others. */
  readonly writes: {
    readonly sent: number;
    readonly acknowledged: number;
    readonly refused: number;
    readonly unknown: number;
  };
  /** Those before the load included. */
  readonly usersRegistered: number;
}

/** The signal ended it; `cause` is the signal's reason. */
export class BenchStopped extends Error {
  override readonly name = "BenchStopped";
  readonly account: Account;

  constructor(account: Account, cause: unknown) {
    super("the run was stopped", { cause });
    this.account = account;
  }
}

/** Call it once the connections are closed: until then the outcome of what is in flight is open. */
export function accountOf({ phase, load }: SoFar, users: BenchUsers, durationMs: number): Account {
  return {
    run: users.runId,
    phase,
    elapsedMs: load === null ? 0 : Math.min(performance.now() - load.startedAt, durationMs),
    durationMs,
    reads: { sent: load?.reads.tally.sent ?? 0, ok: load?.reads.tally.ok ?? 0 },
    writes: writesOf(load),
    usersRegistered: users.all.filter(({ registration }) => registration === "acknowledged").length,
  };
}

function writesOf(load: Load | null): Account["writes"] {
  if (load === null) return { sent: 0, acknowledged: 0, refused: 0, unknown: 0 };
  const { outcomes, lostToRivals, neverLeft, inFlight } = load.writes;
  const { acknowledged } = outcomes;
  const refused = outcomes.refused + lostToRivals - neverLeft;
  // Those that waited to be repeated are in flight.
  const unknown = outcomes.unknown + inFlight;
  return { sent: acknowledged + refused + unknown, acknowledged, refused, unknown };
}

/** `12 s into a load of 30 s` */
export function where({ phase, elapsedMs, durationMs }: Account): string {
  if (phase === "warm-up") return "before the load, while it registered users";
  if (phase === "audit") return "in the audit: what is on the nodes is not known";
  return `${duration(elapsedMs)} into a load of ${duration(durationMs)}`;
}

export function accountLines({ run, reads, writes, usersRegistered }: Account): string[] {
  const { sent, acknowledged, refused, unknown } = writes;
  return [
    `reads   ${count(reads.sent)} sent, ${count(reads.ok)} answered well`,
    `writes  ${count(sent)} sent: ${count(acknowledged)} acknowledged, ${count(refused)} refused, ${count(unknown)} of unknown outcome (what is recorded is delivered all the same)`,
    `users   ${count(usersRegistered)} registered, b${run}-0 and so on; they stay`,
  ];
}
