import { latency, rate } from "../format.ts";

export type Unit = "rate" | "latency" | "records";

/** A value as text, with its unit where it has one. */
export function valueText(unit: Unit, value: number | null | undefined): string {
  if (value === null || value === undefined) return "–";
  return unit === "latency" ? latency(value) : rate(value);
}

const SHORT = new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 1 });

/** Beside an axis, where there is little room. */
export function axisValues(unit: Unit, splits: readonly number[]): string[] {
  return splits.map((value) => {
    if (unit !== "latency") return SHORT.format(value);
    return value === 0 ? "0" : latency(value);
  });
}
