/** Who may leave at a time, so that writes never lack the nodes that they wait for. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Departure, neededInSync, nextDeparture } from "../../cli/removal.ts";
import { nodeNames } from "../../cli/tools/proxy-config.ts";
import type { NodeState, NodeStatus, Status } from "../../proxy/api.ts";

/** As much of the balancer's status as is looked at; every node is a member. */
function statusOf(states: Readonly<Record<string, NodeState>>, ack: string, minInSync = 1): Status {
  const nodes = Object.entries(states).map(([name, state]) => ({ name, state }) as NodeStatus);
  const inSync = nodes.filter(({ state }) => state === "in-sync").length;
  const routes = [{ to: "all", policy: ack }];
  return { nodes, inSync, members: nodes.length, minInSync, routes } as unknown as Status;
}

function allInSync(names: readonly string[]): Record<string, NodeState> {
  return Object.fromEntries(names.map((name) => [name, "in-sync"]));
}

/** Every departure on the way down; checks that writes can go on before, during and after each. */
function wayDown(ack: string, from: number, to: number, minInSync = 1): Departure[] {
  let names = nodeNames(from);
  const departures: Departure[] = [];
  while (names.length > to) {
    const status = statusOf(allInSync(names), ack, minInSync);
    const next = nextDeparture(status, names.slice(to));
    assert.ok(next);
    const left = names.filter((name) => !next.nodes.includes(name));
    if (next.drained) assert.ok(left.length >= neededInSync(status, names.length), "while they drain");
    assert.ok(left.length >= neededInSync(status, left.length), "once they are gone");
    departures.push(next);
    names = left;
  }
  return departures;
}

test("with all and one every node that leaves goes at once", () => {
  for (const ack of ["all", "one"]) {
    assert.deepEqual(wayDown(ack, 9, 3), [{ nodes: nodeNames(9).slice(3), drained: true }]);
  }
});

test("with quorum as many go at a time as leave a majority: from 9 to 1 in four goes", () => {
  assert.deepEqual(wayDown("quorum", 9, 1), [
    { nodes: ["app6", "app7", "app8", "app9"], drained: true },
    { nodes: ["app4", "app5"], drained: true },
    { nodes: ["app3"], drained: true },
    { nodes: ["app2"], drained: false },
  ]);
});

test("a majority is left at every step, from any number of nodes to any other", () => {
  for (let from = 2; from <= 9; from++) for (let to = 1; to < from; to++) wayDown("quorum", from, to);
});

test("minInSync holds on the way, too", () => {
  assert.deepEqual(
    wayDown("all", 5, 2, 2).map(({ nodes }) => nodes),
    [["app3", "app4", "app5"]],
  );
  assert.deepEqual(wayDown("all", 3, 2, 2), [{ nodes: ["app3"], drained: true }]);
});

test("nodes that serve nobody go first, whatever the others do", () => {
  const states = { app1: "in-sync", app2: "in-sync", app3: "down", app4: "in-sync" } as const;
  const next = nextDeparture(statusOf(states, "quorum"), ["app3", "app4"]);
  assert.deepEqual(next, { nodes: ["app3"], drained: true });
});

test("nobody goes while that would stop the writes", () => {
  const states = { app1: "in-sync", app2: "down", app3: "in-sync" } as const;
  assert.equal(nextDeparture(statusOf(states, "quorum"), ["app3"]), null);
  assert.equal(nextDeparture(statusOf({ app1: "catching-up", app2: "in-sync" }, "all"), ["app2"]), null);
});
