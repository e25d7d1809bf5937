/** A signal that aborts with another one's reason, or when its time is over. Disposed of, its timer is gone. */
export interface TimeLimit extends Disposable {
  readonly signal: AbortSignal;
}

/** What comes of `work`, or, once the signal is aborted, its reason. The work itself goes on. */
export async function unlessAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  signal.throwIfAborted();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal.reason);
  signal.addEventListener("abort", abort);
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

/** @param late what it aborts with after `ms` */
export function timeLimit(ms: number, late: () => Error, given: AbortSignal): TimeLimit {
  const over = new AbortController();
  const timer = setTimeout(() => over.abort(late()), ms);
  return {
    signal: AbortSignal.any([given, over.signal]),
    [Symbol.dispose]: () => clearTimeout(timer),
  };
}
