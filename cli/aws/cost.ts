/** What a month of these machines costs, about. Pure. */
import { APP_DISK, BALANCER_DISK } from "../../infra/disks.ts";
import type { StackSettings } from "../../infra/settings.ts";
import { table } from "../tools/table.ts";
import {
  HOURS_A_MONTH,
  INSTANCE_TYPES,
  NAT_GATEWAY,
  PRICES_OF,
  PRICES_REGION,
  PUBLIC_ADDRESS,
  VOLUME,
} from "./prices.ts";

export interface CostLine {
  readonly what: string;
  /** Of one, US dollars a month; null: not in the table. */
  readonly each: number | null;
  readonly count: number;
}

export function costLines({ balancerType, appType, nodes, journal, network }: StackSettings): CostLine[] {
  const made = "cidr" in network;
  return [
    machine(`balancer, ${balancerType}`, balancerType, 1),
    machine(`node, ${appType}`, appType, nodes.length),
    {
      what: "GiB of gp3 volumes",
      each: VOLUME,
      count: BALANCER_DISK + journal.size + nodes.length * APP_DISK,
    },
    ...(made ? [{ what: "NAT gateway", each: NAT_GATEWAY * HOURS_A_MONTH, count: 1 }] : []),
    { what: "public address", each: PUBLIC_ADDRESS * HOURS_A_MONTH, count: made ? 2 : 1 },
  ];
}

/** US dollars a month; null where the price of a machine isn't in the table. */
export function totalCost(lines: readonly CostLine[]): number | null {
  return lines.reduce<number | null>(
    (sum, { each, count }) => (sum === null || each === null ? null : sum + each * count),
    0,
  );
}

/** @param today whether the prices are old goes by it */
export function renderCost(settings: StackSettings, today = new Date()): string {
  const lines = costLines(settings);
  const total = totalCost(lines);
  const rows = lines.map(({ what, each, count }) => [
    `  ${what}`,
    String(count),
    each === null ? "?" : each.toFixed(2),
    each === null ? "?" : (each * count).toFixed(2),
  ]);
  const columns = [
    { title: "  COST A MONTH, ABOUT" },
    { title: "COUNT", right: true },
    { title: "EACH", right: true },
    { title: "USD", right: true },
  ];
  const unknown = lines.filter(({ each }) => each === null).map(({ what }) => what);
  return [
    table(columns, [...rows, ["  together", "", "", total === null ? "?" : total.toFixed(2)]]),
    `  An estimate: on demand, without traffic and tax, by the prices of ${PRICES_OF} in ${PRICES_REGION}${
      settings.region === PRICES_REGION ? "" : ` (${settings.region} differs)`
    }.`,
    ...(isOld(today) ? ["  They are older than a year: https://calculator.aws has those of today."] : []),
    ...(unknown.length > 0 ? [`  Not in the table of prices: ${unknown.join("; ")}.`] : []),
  ].join("\n");
}

/** From the month after the one that the prices are of, a year later. */
function isOld(today: Date): boolean {
  const [year = 0, month = 0] = PRICES_OF.split("-").map(Number);
  return today.getTime() >= Date.UTC(year + 1, month);
}

function machine(what: string, type: string, count: number): CostLine {
  const price = INSTANCE_TYPES[type];
  return { what, each: price === undefined ? null : price * HOURS_A_MONTH, count };
}
