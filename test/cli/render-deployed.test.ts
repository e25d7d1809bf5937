import assert from "node:assert/strict";
import { test } from "node:test";
import { clusterOf } from "../../cli/hosts/record.ts";
import { renderRolledBack } from "../../cli/tools/render-deployed.ts";
import { clusterConfig, recordWith } from "./hosts/site.ts";

const DONE = {
  changes: [],
  dashboards: [],
  cluster: clusterOf(clusterConfig(), recordWith({ app1: "10.0.0.11" }), "10.0.0.10"),
};

test("the end of a rollback says where another one goes", () => {
  const text = renderRolledBack(DONE, { proxy: "0.1.0-aaaa", app: "app-bbbb" });
  assert.match(
    text,
    /\n\nThe release before is now 0\.1\.0-aaaa with app app-bbbb: another lbctl rollback goes there, not further back\.$/,
  );
  assert.match(renderRolledBack(DONE, { proxy: "0.1.0-aaaa", app: null }), /is now 0\.1\.0-aaaa: another/);
});

test("the end of a rollback from a release that did not answer says that there is none to go to", () => {
  assert.match(renderRolledBack(DONE, null), /\n\nThere is no release to go back to from here/);
});
