import { MappingType, type ValueMapping } from "@grafana/grafana-foundation-sdk/dashboard";
import type { NodeState } from "../proxy/node-state.ts";
import { above, type SizedPanel, states } from "./panel.ts";
import { now } from "./query.ts";

/** States of nodes as coloured bands; the better ones have the lower numbers. */

const SHOWN: Readonly<Record<NodeState, { readonly value: number; readonly color: string }>> = {
  "in-sync": { value: 0, color: "green" },
  "catching-up": { value: 1, color: "yellow" },
  joining: { value: 2, color: "blue" },
  draining: { value: 3, color: "purple" },
  maint: { value: 4, color: "#808080" },
  down: { value: 5, color: "red" },
  quarantined: { value: 6, color: "dark-red" },
};

/** @param where picks nodes */
export function nodeStates(title: string, width: number, where = ""): SizedPanel {
  return states({
    title,
    description:
      "State of each node. Reads go only to in-sync ones (green); yellow catches up; down, quarantined and joining " +
      "for long need someone.",
    unit: "none",
    thresholds: above(1, 5),
    mappings: [mapping()],
    queries: { "{{node}}": stateNumber(where) },
    width,
  });
}

function mapping(): ValueMapping {
  const entries = Object.entries(SHOWN).map(([text, { value, color }]) => [
    value,
    { text, color, index: value },
  ]);
  return { type: MappingType.ValueToText, options: Object.fromEntries(entries) };
}

/** One series is 1 and the others 0: their sum, each times its number, is the number of the state. */
function stateNumber(where: string): string {
  const terms = Object.entries(SHOWN).map(([state, { value }]) => {
    const matcher = `state="${state}"${where === "" ? "" : `,${where}`}`;
    return `${now("lb_node_state", matcher)} * ${value}`;
  });
  return `sum by (node) (${terms.join(" or ")})`;
}
