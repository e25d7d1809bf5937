/**
 * The states of a node and the one function that changes them (DESIGN §3, "Node states"; table-tested).
 *
 * joining → catching-up ⇄ in-sync; any of these → down → back to where its history allows; draining, maint and
 * quarantined are set by an operator or by rule, outlive restarts and ignore health.
 */

export const NODE_STATES = [
  "joining",
  "catching-up",
  "in-sync",
  "down",
  "draining",
  "maint",
  "quarantined",
] as const;
export type NodeState = (typeof NODE_STATES)[number];

export type NodeEvent =
  /** Health: enough checks failed, or a connection was refused. */
  | "went-down"
  /** Health: enough checks passed. */
  | "came-up"
  /** Has every answered record. */
  | "caught-up"
  /** Another node acked a write that this one failed or did not answer in time. */
  | "missed-write"
  /** A node without history got the others' state. */
  | "bootstrapped"
  /** Its state was lost or replaced, or its backlog was dropped. */
  | "lost-history"
  /** Diverged, or keeps failing a record that others acked. */
  | "quarantine"
  | "drain"
  | "maint"
  /** An operator ends draining, maint or quarantined. */
  | "ready";

/** What the state alone does not say. */
export interface NodeFacts {
  /** The last health checks passed. */
  readonly healthy: boolean;
  /** Holds the state of the others up to its cursor; false until bootstrapped. */
  readonly history: boolean;
}

/** States that only an operator (or, for quarantined, a resync) ends. */
export function isAdminState(state: NodeState): state is "draining" | "maint" | "quarantined" {
  return state === "draining" || state === "maint" || state === "quarantined";
}

/** The state after `event`; the same state when the event does not apply in it. */
export function nextState(state: NodeState, event: NodeEvent, facts: NodeFacts): NodeState {
  switch (event) {
    case "drain":
      return "draining";
    case "maint":
      return "maint";
    case "quarantine":
      return "quarantined";
    case "ready":
      return isAdminState(state) ? serving(facts) : state;
    case "lost-history":
      return isAdminState(state) || state === "down" ? state : "joining";
    default:
      return isAdminState(state) ? state : byHealthAndHistory(state, event, facts);
  }
}

function byHealthAndHistory(state: NodeState, event: NodeEvent, facts: NodeFacts): NodeState {
  switch (event) {
    case "went-down":
      return "down";
    case "came-up":
      return state === "down" ? serving({ ...facts, healthy: true }) : state;
    case "bootstrapped":
      return state === "joining" ? "catching-up" : state;
    case "caught-up":
      return state === "catching-up" ? "in-sync" : state;
    case "missed-write":
      return state === "in-sync" ? "catching-up" : state;
    default:
      return state;
  }
}

/** Where a node goes when nothing keeps it out: never straight to in-sync. */
function serving({ healthy, history }: NodeFacts): NodeState {
  if (!healthy) return "down";
  return history ? "catching-up" : "joining";
}

/** Deliveries run in these states; in the others they wait. */
export function takesWrites(state: NodeState): boolean {
  return state === "in-sync" || state === "catching-up" || state === "draining";
}
