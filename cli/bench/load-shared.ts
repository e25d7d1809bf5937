/** What reads and writes of a load have in common. */
import type { BenchSettings } from "./options.ts";
import type { Exchange, Sender } from "./sender.ts";
import { NOT_SENT } from "./tally.ts";
import type { BenchUsers } from "./users.ts";

/** The error of a request that was due but not sent. */
export const IN_FLIGHT_CAP = `${NOT_SENT}: too many in flight`;

export interface Senders {
  readonly reads: Sender;
  readonly writes: Sender;
}

export interface LoadOptions {
  readonly settings: BenchSettings;
  readonly users: BenchUsers;
  readonly senders: Senders;
  /** Answers to logins hold the user's name: then each is checked for it. */
  readonly answersNameTheUser: boolean;
  readonly signal: AbortSignal;
}

export interface LoadShared extends LoadOptions {
  readonly random: () => number;
  readonly send: (sender: Sender, exchange: Exchange, intendedAt: number) => void;
  /** Something in flight has ended, and everything about it is counted. */
  readonly ended: () => void;
}
