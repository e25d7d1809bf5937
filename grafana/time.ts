/** Durations in rules. A test shortens all of them by one factor, and then doesn't wait for days. */

export interface Time {
  /** As PromQL and `for` write it; at least 1 ms. */
  duration(seconds: number): string;
  /** As a number to compare an age with. */
  age(seconds: number): number;
}

const UNITS = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1000],
  ["ms", 1],
] as const;

export function shortened(factor: number): Time {
  return {
    duration: (seconds) => written(Math.max(1, Math.round((seconds * 1000) / factor))),
    age: (seconds) => seconds / factor,
  };
}

export const REAL_TIME = shortened(1);

function written(ms: number): string {
  const [unit, length] = UNITS.find(([, length]) => ms % length === 0) ?? ["ms", 1];
  return `${ms / length}${unit}`;
}
