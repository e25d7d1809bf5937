/** Follows one write: what the journal keeps of it, together with what its deliveries know now. Pure. */

import type { ClientReply, DeliveryStep, FollowedWrite, NodeDelivery, WriteMark } from "./api.ts";
import type { DeliveryProgress } from "./delivery.ts";
import type { NodeState } from "./node-state.ts";
import { SKIPPED, type StoredAck, type WriteStory } from "./record.ts";

/** As much of a node as a write's story needs. */
export interface FollowedNode {
  readonly name: string;
  readonly state: NodeState;
  readonly member: boolean;
  readonly cursor: number;
  readonly delivering: boolean;
}

export interface FollowFacts {
  /** In config order. */
  readonly nodes: readonly { readonly node: FollowedNode; readonly progress: DeliveryProgress }[];
  readonly replies: readonly ClientReply[];
  /** The route's ack policy now; null where the route is gone. */
  readonly policy: string | null;
  /** ms: who acks later is late. */
  readonly sendTimeout: number;
  /** ms since the epoch. */
  readonly now: number;
}

export function followWrite(story: WriteStory, facts: FollowFacts): FollowedWrite {
  const present = facts.nodes.map(({ node, progress }) => deliveryTo(story, node, progress, facts));
  const known = new Set(present.map(({ node }) => node));
  const gone = story.acks.filter(({ node }) => !known.has(node)).map((ack) => ackedByGone(story, ack, facts));
  const nodes = [...present, ...gone];
  const { policy, replies } = facts;
  return { ...story, state: stateOf(story, nodes), marks: marksOf(story, nodes), policy, replies, nodes };
}

function deliveryTo(
  story: WriteStory,
  node: FollowedNode,
  progress: DeliveryProgress,
  facts: FollowFacts,
): NodeDelivery {
  const { place, tries } = progress;
  const ack = story.acks.find((one) => one.node === node.name) ?? null;
  const step = ack ? "acked" : stepOf(story, node, progress);
  return {
    node: node.name,
    state: node.state,
    member: node.member,
    step,
    behind: WAITING.has(step) && typeof place === "object" ? place.behind : null,
    attempts: ack?.attempts ?? tries?.attempts ?? 0,
    sentAt: ack ? null : (tries?.sentAt ?? null),
    lastFailure: ack ? null : (tries?.lastFailure ?? null),
    nextAt: step === "paused" ? (tries?.nextAt ?? null) : null,
    ack,
    ...judged(story, ack, isOwed(step) && node.member, facts),
  };
}

/** Its answer stays when a node is removed. */
function ackedByGone(story: WriteStory, ack: StoredAck, facts: FollowFacts): NodeDelivery {
  return {
    node: ack.node,
    state: null,
    member: false,
    step: "acked",
    behind: null,
    attempts: ack.attempts,
    sentAt: null,
    lastFailure: null,
    nextAt: null,
    ack,
    ...judged(story, ack, false, facts),
  };
}

/** Steps that `behind` explains. */
const WAITING: ReadonlySet<DeliveryStep> = new Set(["same-key", "held", "barrier", "as-barrier"]);

function stepOf({ seq, outcome }: WriteStory, node: FollowedNode, { place }: DeliveryProgress): DeliveryStep {
  if (outcome === SKIPPED) return "skipped";
  // A snapshot of another node brought it along.
  if (node.cursor >= seq) return "covered";
  const at = typeof place === "string" ? place : place.at;
  if (at === "set-aside" || at === "held" || at === "sending") return at;
  if (!node.delivering) return "node-out";
  return at === "done" ? "covered" : at;
}

/** The node will get it yet. */
function isOwed(step: DeliveryStep): boolean {
  return step !== "acked" && step !== "covered" && step !== "skipped" && step !== "set-aside";
}

function judged(
  { at, outcome }: WriteStory,
  ack: StoredAck | null,
  owed: boolean,
  { sendTimeout, now }: FollowFacts,
): { late: boolean; diverged: boolean } {
  const until = ack?.at ?? (owed ? now : at);
  const compared = ack !== null && !ack.ambiguous && outcome !== null && outcome !== SKIPPED;
  return { late: until - at > sendTimeout, diverged: compared && ack.status !== outcome };
}

function stateOf(story: WriteStory, nodes: readonly NodeDelivery[]): FollowedWrite["state"] {
  if (story.setAside) return "set-aside";
  if (story.outcome === SKIPPED) return "skipped";
  if (story.outcome === null) return "pending";
  return nodes.some(({ member, step }) => member && isOwed(step)) ? "pending" : "delivered";
}

function marksOf(story: WriteStory, nodes: readonly NodeDelivery[]): WriteMark[] {
  const marks: WriteMark[] = [];
  if (nodes.some(({ late }) => late)) marks.push("late");
  if (nodes.some(({ diverged }) => diverged)) marks.push("diverged");
  if (nodes.some(({ ack }) => ack?.ambiguous)) marks.push("ambiguous");
  if (story.purged) marks.push("purged");
  return marks;
}
