/** Durations and sizes as people write them. */

const MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const BYTES = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 } as const;

/** "500ms", "2s", "1.5h" or a number of ms → ms; null where it is none. */
export function parseDuration(value: string | number): number | null {
  return parse(value, /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/, MS);
}

/** "64KiB", "1MiB", "1GiB" or a number of bytes → bytes; null where it is none. */
export function parseSize(value: string | number): number | null {
  return parse(value, /^(\d+(?:\.\d+)?)(B|KiB|MiB|GiB)$/, BYTES);
}

/** 90000 → "90s": the largest unit that gives a whole number. */
export function formatDuration(ms: number): string {
  return format(ms, MS);
}

/** 65536 → "64KiB": the largest unit that gives a whole number. */
export function formatSize(bytes: number): string {
  return format(bytes, BYTES);
}

function parse(value: string | number, form: RegExp, units: Readonly<Record<string, number>>): number | null {
  if (typeof value === "number") return Number.isSafeInteger(value) && value >= 0 ? value : null;
  const [, digits, unit] = form.exec(value) ?? [];
  const factor = unit === undefined ? undefined : units[unit];
  if (factor === undefined) return null;
  const total = Math.round(Number(digits) * factor);
  return Number.isSafeInteger(total) ? total : null;
}

function format(value: number, units: Readonly<Record<string, number>>): string {
  let best = String(value);
  for (const [unit, factor] of Object.entries(units)) {
    if (value % factor === 0 && (value >= factor || factor === 1)) best = `${value / factor}${unit}`;
  }
  return best;
}
