import type { ClusterSeries } from "../../api.ts";

/** What the charts draw; the page's markup (legends) and its script (uPlot) both go by this. */

/** A line is told from another by its dashes, too: colour is never the only sign. */
export interface ChartLine {
  readonly key: ClusterSeries;
  readonly label: string;
  /** Custom property of the style sheet that holds its colour. */
  readonly color: string;
  /** Lengths of dashes and gaps in pixels; empty: a full line. */
  readonly dash: readonly number[];
  readonly width: number;
}

export interface Chart {
  readonly id: string;
  readonly title: string;
  /** A second; seconds, shown as ms; records. */
  readonly unit: "rate" | "latency" | "records";
  readonly lines: readonly ChartLine[];
}

const percentiles = (kind: "read" | "write", color: string): ChartLine[] => [
  { key: `${kind}P50`, label: "p50", color, dash: [2, 3], width: 1.5 },
  { key: `${kind}P90`, label: "p90", color, dash: [7, 4], width: 1.5 },
  { key: `${kind}P99`, label: "p99", color, dash: [], width: 2 },
];

export const CHARTS: readonly Chart[] = [
  {
    id: "traffic",
    title: "Requests a second",
    unit: "rate",
    lines: [
      { key: "reads", label: "reads", color: "--read", dash: [], width: 2 },
      { key: "writes", label: "writes", color: "--write", dash: [7, 4], width: 2 },
    ],
  },
  {
    id: "errors",
    title: "Errors a second",
    unit: "rate",
    lines: [
      { key: "readErrors", label: "reads", color: "--read", dash: [], width: 2 },
      { key: "writeErrors", label: "writes", color: "--write", dash: [7, 4], width: 2 },
    ],
  },
  { id: "reads", title: "Latency of reads", unit: "latency", lines: percentiles("read", "--read") },
  { id: "writes", title: "Latency of writes", unit: "latency", lines: percentiles("write", "--write") },
];

/** The chart of each node's lag: a line for each, made from their names. */
export const LAG_CHART = { id: "lag", title: "Lag by node", unit: "records" } as const;

/** The looks of up to nine nodes, in config order. */
export const NODE_DASHES: readonly (readonly number[])[] = [
  [],
  [8, 4],
  [3, 3],
  [10, 3, 2, 3],
  [2, 5],
  [14, 4],
  [6, 2, 2, 2, 2, 2],
  [5, 5],
  [1, 3],
];

export function nodeColor(index: number): string {
  return `--node${(index % NODE_DASHES.length) + 1}`;
}

export function nodeDash(index: number): readonly number[] {
  return NODE_DASHES[index % NODE_DASHES.length] ?? [];
}
