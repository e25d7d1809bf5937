import type { NodeStatus } from "../../api.ts";
import { html } from "../html.ts";
import type { Finding } from "./finding.ts";
import { age, plural } from "./format.ts";

/** How long (ms) a backlog may take to begin to shrink. */
const PATIENCE = 30_000;

/** What there is to say of one node. @param now ms since the epoch */
export function nodeFindings(node: NodeStatus, now: number): Finding[] {
  return [...stateFindings(node, now), ...heldFindings(node)];
}

function heldFindings({ name, held }: NodeStatus): Finding[] {
  if (held === null) return [];
  const what = html`<b>${name}</b> is held at write ${String(held.at)} while it is copied by hand, and acks none behind it.`;
  const todo = html`When the copy is in place: ${held.for.map((target) => html`<code>lbctl nodes resync ${target} --done</code> `)}`;
  return [{ tone: "off", what, todo }];
}

function stateFindings(node: NodeStatus, now: number): Finding[] {
  const name = html`<b>${node.name}</b>`;
  const since = age((now - node.since) / 1000);
  const why = node.reason ?? "no reason given";
  switch (node.state) {
    case "quarantined":
      return [
        {
          tone: "bad",
          what: html`${name} is quarantined: ${why}.`,
          todo: html`Mend it, then press Resync, or <code>lbctl nodes resync ${node.name}</code>.`,
        },
      ];
    case "down":
      return [
        {
          tone: "bad",
          what: html`${name} is down for ${since}: ${why}.`,
          todo: html`Bring it back; it catches up by itself. <code>lbctl logs ${node.name}</code>`,
        },
      ];
    case "joining":
      return [{ tone: "busy", what: html`${name} joins: ${node.bootstrap ?? why}.`, todo: html`` }];
    case "catching-up":
      return [catchingUp(node, now)];
    case "draining":
    case "maint":
      return [
        {
          tone: "off",
          what: html`${name} is ${node.state} for ${since}: ${why}.`,
          todo: html`Ready ends it.`,
        },
      ];
    default:
      return [];
  }
}

function catchingUp(node: NodeStatus, now: number): Finding {
  if (node.lag === 0) {
    const what = html`<b>${node.name}</b> has caught up but for what is under way.`;
    return { tone: "busy", what, todo: html`Nothing to do.` };
  }
  const left = html`<b>${node.name}</b> catches up: ${plural(node.lag, "write")} to go`;
  const { catchUpEta: eta } = node;
  if (eta !== null)
    return { tone: "busy", what: html`${left}, about ${age(eta)}.`, todo: html`Nothing to do.` };
  if (now - node.since < PATIENCE) return { tone: "busy", what: html`${left}.`, todo: html`` };
  return {
    tone: "bad",
    what: html`${left}, and they don't get fewer.`,
    todo: html`It is too slow or fails: <code>lbctl logs ${node.name}</code>`,
  };
}
