/** A scripted node that keeps state: users, each with how often it was made, and a snapshot of them. */

import { type Gate, header, userOf } from "./bare-cluster.ts";
import type { Arrival, Reaction, TestNode } from "./nodes.ts";

export interface State {
  /** User → times that a write of it was carried out. */
  users: Map<string, number>;
  /** Snapshots given and taken. */
  given: number;
  taken: number;
}

/** What a node does otherwise than the others; null: nothing. */
export type Override = (arrival: Arrival) => Reaction | null | Promise<Reaction | null>;

/** An app without idempotency keys: what comes twice is done twice. `slow`: a gate that GET snapshot waits for. */
export function keepState(
  node: TestNode,
  { slow, override }: { slow?: Gate; override?: Override } = {},
): State {
  const state: State = { users: new Map(), given: 0, taken: 0 };
  node.behave(async (arrival) => {
    const special = await override?.(arrival);
    if (special) return special;
    if (arrival.url === "/lb/snapshot" && arrival.method === "GET") {
      await slow?.answers()(arrival);
      state.given++;
      return { body: JSON.stringify([...state.users]) };
    }
    if (arrival.url === "/lb/snapshot") {
      state.users = new Map(JSON.parse(arrival.body) as [string, number][]);
      state.taken++;
      return { status: 204 };
    }
    if (arrival.url === "/lb/digest") return { body: JSON.stringify({ digest: digestOf(state) }) };
    if (header(arrival, "lb-seq") === "") return {};
    const user = userOf(arrival);
    state.users.set(user, (state.users.get(user) ?? 0) + 1);
    return { status: 201 };
  });
  return state;
}

export function digestOf({ users }: State): string {
  return JSON.stringify([...users].toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
