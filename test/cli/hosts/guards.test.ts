/** What needs somebody's wish. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  confirmRemoval,
  hostsOfOthers,
  refuseHalfDestroyed,
  refuseHostsOfOthers,
  refuseRemoval,
  unseenNodes,
} from "../../../cli/hosts/guards.ts";
import type { ChangeContext } from "../../../cli/target.ts";
import { makeUi } from "../../../cli/ui.ts";
import { clusterConfig, hostsWork, recordWith } from "./site.ts";

test("a rollback deletes no node; one whose host is given up for another, or listed no more, is no obstacle", () => {
  const { apps } = hostsWork(clusterConfig({ nodes: 3 })).machines;
  const record = recordWith({ app1: "10.0.0.11", app2: "10.0.0.12" });
  refuseRemoval(record, apps, apps);
  assert.throws(() => refuseRemoval(record, apps.slice(0, 1), apps), {
    code: "nodes_would_go",
    message: "expected every node to stay in a rollback, got lbctl.yaml without app2",
  });
  refuseRemoval(record, apps.slice(0, 1), apps.slice(0, 1));
  refuseRemoval(recordWith({ app1: "10.0.0.11", app2: "10.9.9.9" }), apps, apps);
});

test("a node that lbctl.yaml lacks and this state directory has not seen was added by somebody else", () => {
  const { apps } = hostsWork(clusterConfig({ nodes: 3 })).machines;
  const record = recordWith({ app1: "10.0.0.11", app2: "10.0.0.12" });
  const unseen = (...given: Parameters<typeof unseenNodes>) => unseenNodes(...given).map(({ name }) => name);
  const only = apps.slice(0, 1);
  assert.deepEqual(unseen(record, apps, null, "deploy"), []);
  assert.deepEqual(unseen(record, only, record, "deploy"), []);
  for (const local of [
    null,
    recordWith({ app1: "10.0.0.11" }),
    recordWith({ app1: "10.0.0.11", app2: "10.9.9.9" }),
  ]) {
    assert.deepEqual(unseen(record, only, local, "deploy"), ["app2"]);
    assert.deepEqual(unseen(record, only, local, "scale"), [], "a scale says how many are to stay");
  }
  const moved = recordWith({ app1: "10.0.0.11", app2: "10.9.9.9" });
  for (const command of ["deploy", "scale", "rollback"] as const)
    assert.deepEqual(unseen(moved, apps, record, command), ["app2"], "it has another host since");
});

test("such a node goes with a yes alone", async () => {
  const { nodes } = recordWith({ app2: "10.0.0.12" });
  const context = (yes: boolean, answer: boolean, asked: string[] = []): ChangeContext => ({
    ui: { ...makeUi({ silent: true }), confirm: async (question) => asked.push(question) > 0 && answer },
    verbose: false,
    yes,
    signal: new AbortController().signal,
  });
  const asked: string[] = [];
  await confirmRemoval(nodes, "deploy", context(false, true, asked));
  assert.match(asked.join(), /lacks app2 \(10\.0\.0\.12\), which somebody else added/);
  await confirmRemoval(nodes, "deploy", context(true, false));
  await confirmRemoval([], "deploy", context(false, false));
  await assert.rejects(confirmRemoval(nodes, "deploy", context(false, false)), {
    code: "nodes_would_go",
    next: ["get the newer lbctl.yaml, then: lbctl deploy", "lbctl deploy --yes   # if they are to go"],
  });
});

test("after a destroy that was stopped: whole data is gone on with, and of half of it only a destroy is left", () => {
  const work = hostsWork(clusterConfig({ nodes: 2 }));
  const { balancer, apps } = work.machines;
  const record = recordWith({ app1: "10.0.0.11", app2: "10.0.0.12" }, { destroying: true });
  const facts = (journal: boolean, ...data: boolean[]) => [
    { machine: balancer, hasJournal: journal, hasAppData: false },
    ...data.flatMap((hasAppData, at) => {
      const machine = apps[at];
      return machine ? [{ machine, hasJournal: false, hasAppData }] : [];
    }),
  ];
  refuseHalfDestroyed(record, "reference", facts(true, true, true));
  refuseHalfDestroyed(record, "none", facts(true, false, false));
  refuseHalfDestroyed({ ...record, destroying: false }, "reference", facts(false, false, false));
  for (const [kind, ...found] of [
    ["reference", true, true, false],
    ["reference", false, true, true],
    ["reference", false, false, false],
    ["reference", true, true],
    ["none", false, false, false],
  ] as const) {
    const [journal, ...data] = found;
    assert.throws(() => refuseHalfDestroyed(record, kind, facts(journal, ...data)), {
      code: "half_destroyed",
    });
  }
});

test("a host of another cluster, also of one with this name, is neither changed nor cleaned", () => {
  const [machine] = hostsWork().machines.apps;
  assert.ok(machine);
  const of = (owner: string | null) => [{ machine, owner }];
  for (const owner of [null, "shop 3f2a"]) refuseHostsOfOthers({ name: "shop", id: "3f2a" }, of(owner));
  for (const [id, owner] of [
    ["3f2a", "shop 77aa"],
    ["3f2a", "other 3f2a"],
    [undefined, "shop 77aa"],
  ] as const) {
    const record = { ...recordWith({}), ...(id === undefined ? {} : { id }) };
    assert.equal(hostsOfOthers(record, of(owner)).length, 1);
    assert.throws(() => refuseHostsOfOthers(record, of(owner)), {
      code: "other_cluster",
      problems: [`app1 (10.0.0.11) is of cluster "${owner.split(" ")[0]}"`],
    });
  }
});
