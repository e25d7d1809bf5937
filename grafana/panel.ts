import {
  BigValueColorMode,
  BigValueGraphMode,
  GraphThresholdsStyleConfigBuilder,
  GraphThresholdsStyleMode,
  LegendDisplayMode,
  LegendPlacement,
  ReduceDataOptionsBuilder,
  SortOrder,
  TooltipDisplayMode,
  VisibilityMode,
  VizLegendOptionsBuilder,
  VizTooltipOptionsBuilder,
} from "@grafana/grafana-foundation-sdk/common";
import {
  type Panel,
  type Threshold,
  ThresholdsConfigBuilder,
  ThresholdsMode,
  type ValueMapping,
} from "@grafana/grafana-foundation-sdk/dashboard";
import { DataqueryBuilder, PromQueryFormat } from "@grafana/grafana-foundation-sdk/prometheus";
import { PanelBuilder as StatBuilder } from "@grafana/grafana-foundation-sdk/stat";
import { PanelBuilder as StatesBuilder } from "@grafana/grafana-foundation-sdk/statetimeline";
import { PanelBuilder as LinesBuilder } from "@grafana/grafana-foundation-sdk/timeseries";

/** One panel: what every one must have, and the three shapes that the boards use. */

export interface PanelSpec {
  readonly title: string;
  /** What it shows, and what to make of it; shown behind the (i). */
  readonly description: string;
  /** One of Grafana's, e.g. from `@grafana/grafana-foundation-sdk/units`. */
  readonly unit: string;
  readonly thresholds: readonly Threshold[];
  /** Legend (with `{{label}}`) → PromQL. */
  readonly queries: Readonly<Record<string, string>>;
  /** Columns of 24. */
  readonly width: number;
  readonly min?: number;
  readonly max?: number;
  readonly mappings?: ValueMapping[];
  /** Dots with the number of a write, where Prometheus keeps exemplars. */
  readonly exemplars?: true;
  /** Text where there is no data, for what is normally not there. */
  readonly noValue?: string;
}

export interface SizedPanel {
  readonly width: number;
  build(position: {
    readonly id: number;
    readonly x: number;
    readonly y: number;
    readonly height: number;
  }): Panel;
}

type Builder = LinesBuilder | StatBuilder | StatesBuilder;

export const DATASOURCE = { type: "prometheus", uid: `\${datasource}` };

/** The more, the worse. */
export function above(warn: number, bad: number): Threshold[] {
  return steps("green", [warn, "yellow"], [bad, "red"]);
}

/** The less, the worse. */
export function below(warn: number, bad: number): Threshold[] {
  return steps("red", [bad, "yellow"], [warn, "green"]);
}

function steps(base: string, ...rest: [number, string][]): Threshold[] {
  return [{ value: null, color: base }, ...rest.map(([value, color]) => ({ value, color }))];
}

/** A course over time. */
export function lines(spec: PanelSpec): SizedPanel {
  const legend = new VizLegendOptionsBuilder()
    .displayMode(LegendDisplayMode.List)
    .placement(LegendPlacement.Bottom)
    .showLegend(true);
  const tooltip = new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi).sort(SortOrder.Descending);
  const dashed = new GraphThresholdsStyleConfigBuilder().mode(GraphThresholdsStyleMode.Dashed);
  return sized(spec, () =>
    new LinesBuilder().legend(legend).tooltip(tooltip).thresholdsStyle(dashed).fillOpacity(8),
  );
}

/** The figure of now, in the colour of its threshold. */
export function stat(spec: PanelSpec): SizedPanel {
  return sized(spec, () =>
    new StatBuilder()
      .colorMode(BigValueColorMode.Background)
      .graphMode(BigValueGraphMode.None)
      .reduceOptions(new ReduceDataOptionsBuilder().calcs(["lastNotNull"])),
  );
}

/** A band for each series, coloured by what it was when. */
export function states(spec: PanelSpec): SizedPanel {
  return sized(spec, () => new StatesBuilder().showValue(VisibilityMode.Never).mergeValues(true));
}

function sized(spec: PanelSpec, create: () => Builder): SizedPanel {
  return {
    width: spec.width,
    build: ({ id, x, y, height }) => {
      const panel = described(create(), spec).id(id).gridPos({ x, y, w: spec.width, h: height });
      return panel.build();
    },
  };
}

function described(panel: Builder, spec: PanelSpec): Builder {
  panel
    .title(spec.title)
    .description(spec.description)
    .datasource(DATASOURCE)
    .unit(spec.unit)
    .thresholds(new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps([...spec.thresholds]))
    .targets(
      Object.entries(spec.queries).map((query, index) => target(query, index, spec.exemplars ?? false)),
    );
  if (spec.min !== undefined) panel.min(spec.min);
  if (spec.max !== undefined) panel.max(spec.max);
  if (spec.mappings !== undefined) panel.mappings(spec.mappings);
  if (spec.noValue !== undefined) panel.noValue(spec.noValue);
  return panel;
}

function target([legend, expr]: [string, string], index: number, exemplars: boolean): DataqueryBuilder {
  return new DataqueryBuilder()
    .refId(String.fromCharCode(65 + index))
    .datasource(DATASOURCE)
    .expr(expr)
    .legendFormat(legend)
    .exemplar(exemplars)
    .format(PromQueryFormat.TimeSeries)
    .range();
}
