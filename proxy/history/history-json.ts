import { setImmediate as turn } from "node:timers/promises";
import { NODE_STATES } from "../node-state.ts";
import type { History } from "./history.ts";

/**
 * All of the history as JSON (`HistoryAnswer`). At nine nodes that is over 100,000 numbers, so requests get their turn
 * between the pieces.
 */
export async function historyJson(history: History): Promise<string> {
  const { id, at, cluster, nodes, routes } = history.columns;
  const fields = [
    field("id", JSON.stringify(id)),
    field("at", JSON.stringify(at)),
    field("states", JSON.stringify(NODE_STATES)),
    field("events", JSON.stringify(history.events)),
    field("cluster", JSON.stringify(cluster.all())),
    field("nodes", await each(nodes)),
    field("routes", await each(routes)),
  ];
  return `{${fields.join(",")}}`;
}

async function each(lines: ReadonlyMap<string, { all(): unknown }>): Promise<string> {
  const fields: string[] = [];
  for (const [name, line] of lines) {
    fields.push(field(name, JSON.stringify(line.all())));
    await turn();
  }
  return `{${fields.join(",")}}`;
}

function field(name: string, value: string): string {
  return `${JSON.stringify(name)}:${value}`;
}
