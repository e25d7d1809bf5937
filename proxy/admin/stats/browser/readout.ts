import type uPlot from "uplot";

/** The values under a chart's cursor, as text; the cursor goes by the mouse, by touch and by the arrow keys. */
export class Readout {
  readonly #frame: HTMLElement;
  readonly #text: (value: number | null | undefined) => string;
  readonly #box = document.createElement("div");

  constructor(frame: HTMLElement, text: (value: number | null | undefined) => string) {
    this.#frame = frame;
    this.#text = text;
    this.#box.className = "readout";
    this.#box.hidden = true;
  }

  listen(plot: uPlot): void {
    this.#box.setAttribute("aria-live", "polite");
    plot.root.append(this.#box);
    this.#frame.onkeydown = (event) => this.#key(event, plot);
    this.#frame.onblur = () => plot.setCursor({ left: -10, top: -10 });
  }

  show({ cursor: { idx, left = -1 }, data, series }: uPlot): void {
    const at = idx === null || idx === undefined ? undefined : data[0][idx];
    this.#box.hidden = at === undefined || left < 0;
    if (this.#box.hidden || at === undefined || idx === null || idx === undefined) return;
    const values = series.slice(1).map(({ label }, index) => {
      return `${label} ${this.#text(data[index + 1]?.[idx])}`;
    });
    const lines = [`${new Date(at * 1000).toISOString().slice(11, 19)} UTC`, ...values];
    this.#box.replaceChildren(...lines.map(line));
    this.#box.classList.toggle("left", left > this.#frame.clientWidth / 2);
  }

  #key(event: KeyboardEvent, plot: uPlot): void {
    const steps: Readonly<Record<string, number>> = { ArrowLeft: -5, ArrowRight: 5, Home: -1e6, End: 1e6 };
    const step = steps[event.key];
    if (event.key === "Escape") plot.setCursor({ left: -10, top: -10 });
    if (step === undefined) return;
    event.preventDefault();
    const { width, height } = plot.over.getBoundingClientRect();
    const from = (plot.cursor.left ?? -1) < 0 ? width : (plot.cursor.left ?? width);
    plot.setCursor({ left: Math.max(0, Math.min(width - 1, from + step)), top: height / 2 });
  }
}

function line(text: string): HTMLElement {
  const element = document.createElement("div");
  element.textContent = text;
  return element;
}
