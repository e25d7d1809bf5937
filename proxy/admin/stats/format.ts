/** Figures as people read them. */

const COUNT = new Intl.NumberFormat("en-US");

/** 1234567 → "1,234,567". */
export function count(value: number): string {
  return COUNT.format(value);
}

/** Seconds → "0.4 s", "12 s", "3 m 20 s", "5 h 2 m", "4 d 3 h". */
export function age(seconds: number): string {
  if (seconds < 0.95) return seconds <= 0 ? "0 s" : `${Math.max(0.1, seconds).toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return pair(whole, 60, "m", 1, "s");
  if (whole < 86_400) return pair(whole, 3600, "h", 60, "m");
  return pair(whole, 86_400, "d", 3600, "h");
}

/** Seconds → "0.42 ms", "8.1 ms", "230 ms", "1.2 s"; "–" for nothing. */
export function latency(seconds: number | null): string {
  if (seconds === null) return "–";
  const ms = seconds * 1000;
  if (ms < 1) return `${Number(ms.toFixed(2))} ms`;
  if (ms < 10) return `${Number(ms.toFixed(1))} ms`;
  return ms < 1000 ? `${Math.round(ms)} ms` : `${Number(seconds.toFixed(1))} s`;
}

/** Percentiles in one unit: "1.7", "13", "1,200"; "–" for nothing. */
export function millis(seconds: number | null): string {
  if (seconds === null) return "–";
  const ms = seconds * 1000;
  return ms < 10 ? String(Number(ms.toFixed(1))) : count(Math.round(ms));
}

/** A rate a second → "0", "0.4", "12", "1,012"; "–" for nothing. */
export function rate(value: number | null): string {
  if (value === null) return "–";
  return value > 0 && value < 9.95 ? String(Number(value.toFixed(1))) : count(Math.round(value));
}

/** Bytes → "0 B", "12.5 KiB", "1.2 GiB". */
export function bytes(value: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const step = value < 1024 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(value) / 10));
  const scaled = value / 1024 ** step;
  return `${step === 0 || scaled >= 100 ? Math.round(scaled) : Number(scaled.toFixed(1))} ${units[step]}`;
}

/** Part of a whole → "0.02 %"; nothing for none. */
export function share(part: number, whole: number): string {
  if (part === 0 || whole === 0) return "";
  const percent = (part / whole) * 100;
  return percent < 0.01 ? "< 0.01 %" : `${Number(percent.toPrecision(2))} %`;
}

function pair(value: number, large: number, largeUnit: string, small: number, smallUnit: string): string {
  const rest = Math.floor((value % large) / small);
  const head = `${Math.floor(value / large)} ${largeUnit}`;
  return rest === 0 ? head : `${head} ${rest} ${smallUnit}`;
}

/** "1 write", "2 writes". */
export function plural(value: number, word: string): string {
  return `${count(value)} ${word}${value === 1 ? "" : "s"}`;
}

export function iso(ms: number): string {
  return new Date(ms).toISOString();
}

/** ms since the epoch → "03:14:07", UTC. */
export function clock(ms: number): string {
  return iso(ms).slice(11, 19);
}
