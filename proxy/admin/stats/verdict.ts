import { html } from "../html.ts";
import { balancerFindings } from "./balancer-findings.ts";
import type { Finding } from "./finding.ts";
import { nodeFindings } from "./node-findings.ts";
import type { StatsView } from "./view.ts";

/** Is anything wrong? Which node? What to do? The worst first; none: all is well. */
export function findings(view: StatsView): Finding[] {
  const { nodes } = view.status;
  const all = [
    ...serving(view),
    ...nodes.flatMap((node) => nodeFindings(node, view.now)),
    ...balancerFindings(view),
  ];
  const order = ["bad", "busy", "off"];
  return all.toSorted((a, b) => order.indexOf(a.tone) - order.indexOf(b.tone));
}

function serving({ status, ready }: StatsView): Finding[] {
  if (status.draining) {
    return [
      { tone: "off", what: html`The balancer is shutting down.`, todo: html`What is in flight is finished.` },
    ];
  }
  if (ready) return [];
  const reads = status.inSync === 0 ? "Reads and writes" : "Writes";
  return [
    {
      tone: "bad",
      what: html`<b>${reads} are refused:</b> ${status.inSync} of ${status.nodes.length} nodes in-sync, ${status.minInSync} needed.`,
      todo: html`Bring back one of the nodes below.`,
    },
  ];
}
