import type { NodeStatus, Status } from "../../api.ts";

/** What an operator can do to a node by a button, in the words of the page that asks first. */
export const ACTIONS = {
  drain: {
    label: "Drain",
    effect: "It finishes what is in flight and gets no more reads. Writes still reach it.",
  },
  maint: {
    label: "Maint",
    effect: "It gets no reads and no writes until it is made ready again; then it catches up.",
  },
  ready: {
    label: "Ready",
    effect: "It catches up with the journal, and then gets reads again.",
  },
  resync: {
    label: "Resync",
    effect: "What it holds is thrown away and made anew from another node's snapshot; then it catches up.",
  },
} as const;
export type Action = keyof typeof ACTIONS;

export function isAction(text: string): text is Action {
  return Object.hasOwn(ACTIONS, text);
}

/** The buttons of a node: what makes sense in its state, the likeliest first. */
export function actionsOf({ state }: NodeStatus): readonly Action[] {
  if (state === "quarantined") return ["resync", "ready", "maint"];
  if (state === "maint") return ["ready", "resync"];
  if (state === "draining") return ["ready", "maint"];
  return ["drain", "maint", "resync"];
}

/** Why the balancer refuses it unless it is forced to; null: it doesn't. */
export function riskOf(action: Action, { state }: NodeStatus, { inSync }: Status): string | null {
  if (action === "resync") return null;
  if (action === "ready") {
    return state === "quarantined"
      ? "Its data differs from the other nodes': resync it, unless you know that it is right."
      : null;
  }
  return state === "in-sync" && inSync <= 1
    ? "It is the last node in-sync: reads and writes will fail."
    : null;
}

/** Whose snapshot a resync can be made from. */
export function donorsFor({ name }: NodeStatus, { nodes }: Status): readonly string[] {
  return nodes.filter((node) => node.name !== name && node.state === "in-sync").map((node) => node.name);
}
