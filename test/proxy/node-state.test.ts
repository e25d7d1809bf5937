import assert from "node:assert/strict";
import { test } from "node:test";
import {
  NODE_STATES,
  type NodeEvent,
  type NodeState,
  nextState,
  takesWrites,
} from "../../proxy/node-state.ts";

const up = { healthy: true, history: true };
const down = { healthy: false, history: true };
const blank = { healthy: true, history: false };

/** state, event, facts → state; every pair that changes something. */
const TABLE: readonly [NodeState, NodeEvent, typeof up, NodeState][] = [
  ["down", "came-up", up, "catching-up"],
  ["down", "came-up", blank, "joining"],
  ["joining", "bootstrapped", up, "catching-up"],
  ["catching-up", "caught-up", up, "in-sync"],
  ["in-sync", "missed-write", up, "catching-up"],
  ["joining", "went-down", blank, "down"],
  ["catching-up", "went-down", down, "down"],
  ["in-sync", "went-down", down, "down"],
  ["in-sync", "lost-history", blank, "joining"],
  ["catching-up", "lost-history", blank, "joining"],
  ["draining", "ready", up, "catching-up"],
  ["draining", "ready", down, "down"],
  ["draining", "ready", blank, "joining"],
  ["maint", "ready", up, "catching-up"],
  ["maint", "ready", down, "down"],
  ["maint", "ready", blank, "joining"],
  ["quarantined", "ready", up, "catching-up"],
  ["quarantined", "ready", down, "down"],
  ["quarantined", "ready", blank, "joining"],
];
const BY_OPERATOR: readonly (readonly [NodeEvent, NodeState])[] = [
  ["drain", "draining"],
  ["maint", "maint"],
  ["quarantine", "quarantined"],
];
const EVENTS: readonly NodeEvent[] = [
  "went-down",
  "came-up",
  "caught-up",
  "missed-write",
  "bootstrapped",
  "lost-history",
  "ready",
];

for (const [state, event, facts, expected] of TABLE) {
  test(`${state} + ${event} (${facts.healthy ? "up" : "down"}, ${facts.history ? "history" : "no history"}) is ${expected}`, () => {
    assert.equal(nextState(state, event, facts), expected);
  });
}

for (const [event, expected] of BY_OPERATOR) {
  test(`${event} leads to ${expected} from every state`, () => {
    for (const state of NODE_STATES) assert.equal(nextState(state, event, up), expected);
  });
}

test("every pair that is not in the table leaves the state as it is", () => {
  for (const state of NODE_STATES) {
    for (const event of EVENTS) {
      if (TABLE.some(([from, on]) => from === state && on === event)) continue;
      for (const facts of [up, down, blank])
        assert.equal(nextState(state, event, facts), state, `${state} + ${event}`);
    }
  }
});

test("no event but caught-up leads to in-sync, and only from catching-up", () => {
  for (const state of NODE_STATES) {
    for (const event of [...EVENTS, ...BY_OPERATOR.map(([name]) => name)]) {
      for (const facts of [up, down, blank]) {
        const next = nextState(state, event, facts);
        if (next !== "in-sync" || state === "in-sync") continue;
        assert.deepEqual([state, event], ["catching-up", "caught-up"]);
      }
    }
  }
});

test("deliveries run in in-sync, catching-up and draining", () => {
  assert.deepEqual(NODE_STATES.filter(takesWrites), ["catching-up", "in-sync", "draining"]);
});
