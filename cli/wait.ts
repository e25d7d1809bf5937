/** Waiting for a condition, for as long as there is progress. */
import { setTimeout as sleep } from "node:timers/promises";

export interface WaitOptions {
  readonly signal: AbortSignal;
  /** Gives up after this long without progress, in ms. */
  readonly patience: number;
  /** Between two looks, in ms. */
  readonly every?: number;
}

/**
 * @param look truthy: done. It calls `progress` when something moved, which starts the patience anew.
 * @returns null when the patience is over
 */
export async function waitFor<T>(
  look: (progress: () => void) => Promise<T | null | undefined | false>,
  { signal, patience, every = 100 }: WaitOptions,
): Promise<T | null> {
  let deadline = performance.now() + patience;
  const progress = () => {
    deadline = performance.now() + patience;
  };
  for (;;) {
    signal.throwIfAborted();
    const found = await look(progress);
    if (found) return found;
    if (performance.now() > deadline) return null;
    await sleep(every, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}
