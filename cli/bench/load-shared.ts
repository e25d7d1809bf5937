import type { LoadOptions } from "./load.ts";
import type { Exchange, Sender } from "./sender.ts";

/** What reads and writes of a load have in common. */
export interface LoadShared extends LoadOptions {
  readonly random: () => number;
  readonly send: (sender: Sender, exchange: Exchange, intendedAt: number) => void;
  /** Something in flight has ended, and everything about it is counted. */
  readonly ended: () => void;
}

/** The error of a request that was due but not sent. */
export const IN_FLIGHT_CAP = "not sent: too many in flight";
