/** Repeatable random numbers in [0, 1) from a seed (mulberry32); for mixing a load, not for secrets. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** One of `items`, or undefined when there is none. */
export function pick<T>(items: readonly T[], random: () => number): T | undefined {
  return items[Math.floor(random() * items.length)];
}

/** Up to `count` of `items`, each equally likely, in random order. */
export function sample<T>(items: readonly T[], count: number, random: () => number): T[] {
  const rest = [...items];
  const chosen: T[] = [];
  while (chosen.length < count && rest.length > 0) {
    const index = Math.floor(random() * rest.length);
    const last = rest.pop() as T;
    chosen.push(index < rest.length ? (rest[index] as T) : last);
    if (index < rest.length) rest[index] = last;
  }
  return chosen;
}
