import assert from "node:assert/strict";
import { test } from "node:test";
import { type Circumstances, wayIn } from "../../../proxy/bootstrap/way-in.ts";
import type { Member } from "../../../proxy/cluster.ts";
import { UpstreamNode } from "../../../proxy/node.ts";

const donor = { node: { name: "app1" } } as unknown as Member;

const CASES: readonly {
  readonly when: string;
  readonly node?: { readonly empty?: boolean; readonly blank?: boolean };
  readonly given?: Partial<Circumstances>;
  readonly way: string;
  readonly note?: RegExp;
}[] = [
  { when: "the journal is whole and the node empty", way: "replay" },
  { when: "it is not declared empty", node: { empty: false }, way: "snapshot" },
  { when: "something may have been sent to it", node: { blank: false }, way: "snapshot" },
  { when: "the journal was purged", given: { journal: { first: 2, foundedEmpty: true } }, way: "snapshot" },
  {
    when: "the first nodes were not empty",
    given: { journal: { first: 1, foundedEmpty: false } },
    way: "snapshot",
  },
  {
    when: "nobody could be copied",
    node: { empty: false },
    given: { donors: [] },
    way: "none",
    note: /waits for an in-sync node/,
  },
  {
    when: "the app offers no snapshot, and the node is not empty",
    node: { empty: false },
    given: { path: null },
    way: "none",
    note: /not declared empty.*resync new --from DONOR --manual/,
  },
  {
    when: "the app offers no snapshot, and the journal was purged",
    given: { path: null, journal: { first: 2, foundedEmpty: true } },
    way: "none",
    note: /does not reach back.*resync new --from DONOR --manual/,
  },
];

for (const { when, node: facts, given, way, note } of CASES) {
  test(`the way in when ${when}: ${way}`, () => {
    const node = new UpstreamNode(
      { name: "new", url: "http://127.0.0.1:1", empty: facts?.empty ?? true },
      () => {},
    );
    node.blank = facts?.blank ?? true;
    const journal = { first: 1, foundedEmpty: true };
    const found = wayIn(node, { journal, path: "/lb/snapshot", donors: [donor], ...given });
    assert.equal(found.kind, way);
    if (note) assert.match(found.kind === "none" ? found.note : "", note);
    if (found.kind === "snapshot") assert.equal(found.donor, donor);
  });
}
