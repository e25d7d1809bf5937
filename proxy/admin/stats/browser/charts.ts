import uPlot from "uplot";
import { CHARTS, type Chart, LAG_CHART, nodeColor, nodeDash } from "../series.ts";
import type { Past } from "./past.ts";
import { Readout } from "./readout.ts";
import { axisValues, type Unit, valueText } from "./units.ts";

interface Line {
  readonly label: string;
  readonly color: string;
  readonly dash: readonly number[];
  readonly width: number;
}

interface Drawn {
  readonly plot: uPlot;
  readonly frame: HTMLElement;
  /** Names of the lines: other ones need another plot. */
  readonly lines: string;
}

/** Charts of fixed lines, and one of each node's lag; their frames come with the page's markup. */
export class Charts {
  readonly #past: Past;
  readonly #drawn = new Map<string, Drawn>();
  readonly #resized = new ResizeObserver(() => this.#fit());

  constructor(past: Past) {
    this.#past = past;
    // Colours are painted: another scheme needs new paint.
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#anew());
  }

  /** Draws what the past holds now. */
  draw(): void {
    for (const chart of CHARTS) this.#update(chart.id, chart.unit, chart.lines, this.#columns(chart));
    const lags = [...this.#past.lag];
    const lines = lags.map(([label], index) => {
      return { label, color: nodeColor(index), dash: nodeDash(index), width: 1.5 };
    });
    this.#update(
      LAG_CHART.id,
      "records",
      lines,
      lags.map(([, column]) => column),
    );
  }

  #columns({ lines }: Chart): (number | null)[][] {
    return lines.map(({ key }) => this.#past.cluster.get(key) ?? []);
  }

  #update(id: string, unit: Unit, lines: readonly Line[], columns: readonly (number | null)[][]): void {
    const frame = document.getElementById(`chart-${id}`);
    if (frame === null) return;
    const data = [this.#past.at.map((ms) => ms / 1000), ...columns] as uPlot.AlignedData;
    const names = lines.map(({ label }) => label).join("\n");
    const drawn = this.#drawn.get(id);
    if (drawn?.frame === frame && drawn.lines === names) {
      drawn.plot.setData(data);
      return;
    }
    this.#drop(id);
    const plot = new uPlot(options(frame, unit, lines), data, frame);
    this.#drawn.set(id, { plot, frame, lines: names });
    this.#resized.observe(frame);
  }

  #drop(id: string): void {
    this.#drawn.get(id)?.plot.destroy();
    this.#drawn.delete(id);
  }

  #anew(): void {
    for (const id of [...this.#drawn.keys()]) this.#drop(id);
    this.draw();
  }

  #fit(): void {
    for (const { plot, frame } of this.#drawn.values()) plot.setSize(sizeOf(frame));
  }
}

function sizeOf({ clientWidth, clientHeight }: HTMLElement): { width: number; height: number } {
  return { width: clientWidth, height: clientHeight };
}

function options(frame: HTMLElement, unit: Unit, lines: readonly Line[]): uPlot.Options {
  const color = painter(frame);
  const axis = {
    stroke: color("--quiet"),
    grid: { stroke: color("--line"), width: 1 },
    ticks: { show: false },
    font: `11px ${getComputedStyle(frame).fontFamily}`,
  };
  const readout = new Readout(frame, (value) => valueText(unit, value));
  return {
    ...sizeOf(frame),
    padding: [8, 8, 0, 0],
    legend: { show: false },
    cursor: { sync: { key: "stats" }, drag: { x: false, y: false }, points: { size: 6 } },
    scales: { x: { range: lastMinutes }, y: { range: (_plot, _least, most) => [0, topOf(unit, most)] } },
    axes: [
      { ...axis, size: 22, gap: 5, space: 64, values: (_plot, splits) => splits.map(time) },
      { ...axis, size: 52, gap: 4, space: 28, values: (_plot, splits) => axisValues(unit, splits) },
    ],
    series: [
      {},
      ...lines.map(({ label, color: name, dash, width }) => {
        return { label, stroke: color(name), width, dash: [...dash], points: { show: false } };
      }),
    ],
    hooks: { ready: [(plot) => readout.listen(plot)], setCursor: [(plot) => readout.show(plot)] },
  };
}

/** Colours as a canvas takes them: what a custom property comes to in the scheme of now. */
function painter(frame: HTMLElement): (name: string) => string {
  const probe = document.createElement("i");
  frame.append(probe);
  const style = getComputedStyle(probe);
  // uPlot asks while it is made; a frame without the probe again is a frame for the plot alone.
  queueMicrotask(() => probe.remove());
  return (name) => {
    probe.style.color = `var(${name})`;
    return style.color;
  };
}

/** Always 15 minutes wide: time runs through, and doesn't stretch. */
function lastMinutes(_plot: uPlot, _first: number, last: number | null): [number, number] {
  const end = last ?? Date.now() / 1000;
  return [end - 900, end];
}

/** Small values must not look large. */
function topOf(unit: Unit, most: number | null): number {
  const least = { rate: 5, latency: 0.005, records: 10 }[unit];
  return Math.max(least, (most ?? 0) * 1.1);
}

function time(seconds: number): string {
  return new Date(seconds * 1000).toISOString().slice(11, 16);
}
