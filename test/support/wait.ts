/** Waits for a condition; tests never sleep for a fixed time. */

/**
 * Polls `condition` until it gives something truthy, and returns that.
 * @param what said in the error when `timeout` (ms) passes first
 */
export async function until<T>(
  condition: () => T | Promise<T>,
  { timeout = 10_000, what = "the condition" }: { timeout?: number; what?: string } = {},
): Promise<NonNullable<T>> {
  const deadline = performance.now() + timeout;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (performance.now() > deadline) throw new Error(`${what} did not hold within ${timeout} ms`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
