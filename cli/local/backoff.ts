/** How long to wait before a process that died is started again. */

/** One that ran this long was healthy: its next restart is quick again. In ms. */
export const STEADY_AFTER = 10_000;

const FIRST = 100;
const LONGEST = 10_000;

/** @param failures in a row, from 1; @returns ms: 100, 200, 400 … 10,000 */
export function backoff(failures: number): number {
  return Math.min(FIRST * 2 ** (failures - 1), LONGEST);
}
