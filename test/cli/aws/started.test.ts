/** Nothing is installed on a machine before a command has seen that it came up. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { bedOf } from "./bed.ts";

const LATE = { code: "first_start_failed" };

test("machines that did not come up are waited for again, by every deploy until they do", async (t) => {
  const bed = await bedOf(t);
  bed.late.add("app2");
  for (const _ of [1, 2]) {
    await assert.rejects(bed.target.deploy(bed.config(2), bed.yes), LATE);
    assert.deepEqual(bed.waitedFor.splice(0), ["balancer", "app1", "app2"]);
  }
  assert.deepEqual(bed.installed, []);
  bed.late.clear();
  await bed.target.deploy(bed.config(2), bed.yes);
  assert.deepEqual(bed.waitedFor.splice(0), ["balancer", "app1", "app2"]);
  await bed.target.deploy(bed.config(2), bed.yes);
  assert.deepEqual(bed.waitedFor, []);
});

test("so is a balancer that an apply made before it failed", async (t) => {
  const bed = await bedOf(t);
  await bed.target.deploy(bed.config(2), bed.yes);
  await bed.installs(2);
  await bed.changeState((state) => {
    delete state["aws_instance.balancer"];
    delete state["aws_volume_attachment.journal"];
  });
  bed.env({
    STAND_IN_FAILS: "aws_volume_attachment.journal",
    STAND_IN_SAYS: "api error InternalError: later",
  });
  await assert.rejects(bed.target.deploy(bed.config(2), bed.yes), { code: "terraform_failed" });
  bed.env({ STAND_IN_FAILS: "" });
  bed.waitedFor.length = 0;
  await bed.target.deploy(bed.config(2), bed.yes);
  assert.deepEqual(bed.waitedFor, ["balancer"]);
});

test("so are machines that were started anew, for another type, also where the apply failed at one of them", async (t) => {
  const bed = await bedOf(t);
  await bed.target.deploy(bed.config(2), bed.yes);
  await bed.installs(2);
  const typed = (appType: string) => {
    const { aws } = bed.config(2);
    return { ...bed.config(2), aws: { ...aws, appType } };
  };
  bed.late.add("app1");
  await assert.rejects(bed.target.deploy(typed("t3.large"), bed.yes), LATE);
  bed.late.clear();
  bed.waitedFor.length = 0;
  await bed.target.deploy(typed("t3.large"), bed.yes);
  assert.deepEqual(bed.waitedFor.splice(0), ["app1", "app2"]);
  bed.env({ STAND_IN_FAILS: "aws_instance.app2", STAND_IN_SAYS: "api error InternalError: later" });
  await assert.rejects(bed.target.deploy(typed("t3.medium"), bed.yes), { code: "terraform_failed" });
  bed.env({ STAND_IN_FAILS: "" });
  await bed.target.deploy(typed("t3.medium"), bed.yes);
  assert.deepEqual(bed.waitedFor, ["app1", "app2"]);
});

test("so is every machine where the way to them is another one", async (t) => {
  const bed = await bedOf(t);
  await bed.target.deploy(bed.config(1), bed.yes);
  bed.waitedFor.length = 0;
  const { aws } = bed.config(1);
  const ssh = { ...aws, access: "ssh" as const, adminAddresses: ["192.0.2.0/24"] };
  await bed.target.deploy({ ...bed.config(1), aws: ssh }, bed.yes);
  assert.deepEqual(bed.waitedFor, ["balancer", "app1"]);
});

test("fewer nodes: those that stay have come up before anything is installed on them; those that go need not", async (t) => {
  const bed = await bedOf(t);
  for (const name of ["balancer", "app2"]) bed.late.add(name);
  await assert.rejects(bed.target.deploy(bed.config(2), bed.yes), LATE);
  bed.waitedFor.length = 0;
  await assert.rejects(bed.target.deploy(bed.config(1), bed.yes), LATE);
  assert.deepEqual([bed.waitedFor.splice(0), bed.installed], [["balancer", "app1"], []]);
  assert.ok((await bed.left()).includes("aws_instance.app2"), "nothing was applied");
  bed.late.delete("balancer");
  await bed.target.deploy(bed.config(1), bed.yes);
  assert.deepEqual(bed.waitedFor, ["balancer", "app1"]);
  assert.deepEqual(bed.installed, ["scale to 1 i-app1-1 i-app2-1", "deploy i-app1-1"]);
});

test("nor by a rollback: a machine that has not come up is waited for", async (t) => {
  const bed = await bedOf(t);
  bed.late.add("app2");
  await assert.rejects(bed.target.deploy(bed.config(2), bed.yes), LATE);
  await assert.rejects(bed.target.rollback(bed.config(2), bed.yes), LATE);
  assert.deepEqual(bed.installed, []);
  bed.late.clear();
  await bed.target.rollback(bed.config(2), bed.yes);
  assert.deepEqual(bed.installed, ["rollback i-app1-1 i-app2-1"]);
});
