import { parseArgs } from "node:util";

export interface NumberFlag {
  readonly default: number;
  readonly min: number;
  readonly max: number;
}

/** `--name NUMBER` for each; anything else is said and ends the process with 2. */
export function numberFlags<T extends Record<string, NumberFlag>>(flags: T): Record<keyof T, number> {
  try {
    const options = Object.fromEntries(Object.keys(flags).map((name) => [name, { type: "string" as const }]));
    const { values } = parseArgs({ options });
    return Object.fromEntries(
      Object.entries(flags).map(([name, flag]) => [name, check(name, values[name], flag)]),
    ) as Record<keyof T, number>;
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(2);
  }
}

function check(
  name: string,
  text: string | boolean | undefined,
  { default: fallback, min, max }: NumberFlag,
): number {
  if (text === undefined) return fallback;
  const value = typeof text === "string" && text.trim() !== "" ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw new Error(`--${name}: expected a number from ${min} to ${max}, got ${JSON.stringify(text)}`);
}
