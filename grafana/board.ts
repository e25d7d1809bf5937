import {
  AnnotationQueryBuilder,
  type Dashboard,
  DashboardBuilder,
  DashboardCursorSync,
  DashboardLinkBuilder,
  DashboardLinkType,
  DatasourceVariableBuilder,
  type Panel,
  QueryVariableBuilder,
  RowBuilder,
  VariableRefresh,
} from "@grafana/grafana-foundation-sdk/dashboard";
import { DATASOURCE, type SizedPanel } from "./panel.ts";
import { AT } from "./query.ts";

/** What all boards share: variables, links to each other, events as annotations, panels in rows. */

export interface Row {
  readonly title: string;
  /** Rows of the grid that its panels take. */
  readonly height: number;
  /** Their widths add up to 24, or to a multiple of it. */
  readonly panels: readonly SizedPanel[];
}

export interface Board {
  /** Also the name of its file. */
  readonly uid: string;
  readonly title: string;
  readonly description: string;
  /** Variables after `datasource` and `instance`. */
  readonly variables: readonly QueryVariableBuilder[];
  readonly rows: readonly Row[];
}

const TAG = "lbctl";
const COLUMNS = 24;

/** Events → PromQL: above 0 for a minute after one. Text in the legend's form. */
export const EVENTS = [
  {
    name: "Deploys and restarts",
    color: "blue",
    title: "started",
    text: "{{instance}}",
    expr: `changes(process_start_time_seconds{job="lbctl",${AT}}[1m]) > 0`,
  },
  {
    name: "Scaling",
    color: "purple",
    title: "scaled",
    text: "number of nodes changed",
    expr: `changes(lb_nodes{${AT}}[1m]) > 0`,
  },
  {
    name: "Node states",
    color: "orange",
    title: "{{node}}",
    text: "entered {{state}}",
    expr: `increase(lb_node_state_changes_total{${AT}}[1m]) > 0`,
  },
  {
    name: "Reloads",
    color: "green",
    title: "reload",
    text: "{{outcome}}",
    expr: `increase(lb_config_reloads_total{${AT}}[1m]) > 0`,
  },
] as const;

/** A variable that lists a label's values. */
export function labelVariable(name: string, title: string, query: string): QueryVariableBuilder {
  return new QueryVariableBuilder(name)
    .label(title)
    .datasource(DATASOURCE)
    .query({ qryType: 1, query, refId: `variable-${name}` })
    .definition(query)
    .refresh(VariableRefresh.OnTimeRangeChanged);
}

export function nodeVariable(): QueryVariableBuilder {
  return labelVariable("node", "node", `label_values(lb_node_member{${AT}}, node)`);
}

export function dashboard(board: Board): Dashboard {
  const builder = new DashboardBuilder(board.title)
    .uid(board.uid)
    .description(board.description)
    .tags([TAG])
    .timezone("browser")
    .time({ from: "now-1h", to: "now" })
    .refresh("30s")
    .tooltip(DashboardCursorSync.Crosshair)
    .variables([
      new DatasourceVariableBuilder("datasource").label("data source").type("prometheus"),
      labelVariable("instance", "balancer", "label_values(lb_build_info, instance)"),
      ...board.variables,
    ])
    .annotations(EVENTS.map(annotation))
    .link(links());
  return { ...builder.build(), panels: placed(board.rows) };
}

function annotation({ name, color, title, text, expr }: (typeof EVENTS)[number]): AnnotationQueryBuilder {
  return new AnnotationQueryBuilder()
    .name(name)
    .datasource(DATASOURCE)
    .iconColor(color)
    .expr(expr)
    .step("15s")
    .titleFormat(title)
    .textFormat(text);
}

/** By tag: a board of one's own that has it appears among them. */
function links(): DashboardLinkBuilder {
  return new DashboardLinkBuilder("lbctl")
    .type(DashboardLinkType.Dashboards)
    .tags([TAG])
    .includeVars(true)
    .keepTime(true);
}

function placed(rows: readonly Row[]): (Panel | ReturnType<RowBuilder["build"]>)[] {
  let [id, y] = [1, 0];
  return rows.flatMap(({ title, height, panels }) => {
    const head = new RowBuilder(title).id(id++).gridPos({ x: 0, y: y++, w: COLUMNS, h: 1 }).build();
    let x = 0;
    const body = panels.map((panel) => {
      if (x + panel.width > COLUMNS) [x, y] = [0, y + height];
      const built = panel.build({ id: id++, x, y, height });
      x += panel.width;
      return built;
    });
    y += height;
    return [head, ...body];
  });
}
