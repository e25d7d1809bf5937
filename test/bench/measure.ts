import type { Served } from "./client.ts";
import type { Contender } from "./contenders.ts";
import { cpuMicros, familyOf } from "./machine.ts";

export interface Measurement extends Served {
  /** CPU of the contender's processes (all threads), user and system, for each good answer. */
  readonly microsPerRequest: number;
}

/** CPU used from before the first request to after the last answer. */
export async function measure(contender: Contender, load: () => Promise<Served>): Promise<Measurement> {
  const used = () => familyOf(contender.child.pid).reduce((sum, pid) => sum + cpuMicros(pid), 0);
  const before = used();
  const served = await load();
  return { ...served, microsPerRequest: (used() - before) / Math.max(1, served.requests) };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const [low = 0, high = 0] = [sorted[sorted.length % 2 === 0 ? middle - 1 : middle], sorted[middle]];
  return (low + high) / 2;
}

/** "52.1 (48.0 to 60.3)": median, least and most. */
export function spread(values: readonly number[], digits: number): string {
  const [middle, least, most] = [median(values), Math.min(...values), Math.max(...values)];
  return `${middle.toFixed(digits)} (${least.toFixed(digits)} to ${most.toFixed(digits)})`;
}

/** Medians over the rounds. */
export interface Summary {
  readonly name: string;
  readonly micros: number;
  readonly from: number;
  readonly to: number;
  readonly rate: number;
  readonly p50: number;
  readonly p99: number;
  readonly errors: number;
}

export function summarize(name: string, rounds: readonly Measurement[]): Summary {
  const of = (value: (round: Measurement) => number) => rounds.map(value);
  return {
    name,
    micros: median(of((round) => round.microsPerRequest)),
    from: Math.min(...of((round) => round.microsPerRequest)),
    to: Math.max(...of((round) => round.microsPerRequest)),
    rate: median(of((round) => round.requests / round.seconds)),
    p50: median(of((round) => round.p50)),
    p99: median(of((round) => round.p99)),
    errors: of((round) => round.errors).reduce((sum, errors) => sum + errors, 0),
  };
}
