/** What stopped half-way is gone on with. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { UserError } from "../../../cli/errors.ts";
import { bedOf } from "./bed.ts";

test("a first deploy that stopped while every node was being made goes on: none of them holds anything", async (t) => {
  const bed = await bedOf(t);
  await bed.target.deploy(bed.config(2), bed.yes);
  await bed.changeState((state) => {
    for (const name of ["app1", "app2"])
      Object.assign(state[`aws_instance.${name}`] ?? {}, { tainted: true });
  });
  await bed.withoutOutputs();
  bed.installed.length = 0;
  await bed.target.deploy(bed.config(2), bed.yes);
  assert.deepEqual(bed.installed, ["deploy i-app1-2 i-app2-2"]);
});

test("a first deploy that a quota stopped goes on with fewer nodes", async (t) => {
  const bed = await bedOf(t);
  bed.env({ STAND_IN_FAILS: "aws_instance.app5", STAND_IN_SAYS: "api error VcpuLimitExceeded" });
  await assert.rejects(bed.target.deploy(bed.config(5), bed.yes), { code: "aws_vcpu_quota" });
  bed.env({ STAND_IN_FAILS: "" });
  await bed.target.deploy(bed.config(3), bed.yes);
  assert.deepEqual(bed.installed, ["deploy i-app1-1 i-app2-1 i-app3-1"]);
});

test("an apply that fails half-way: what was made is kept, and the next deploy goes on from there", async (t) => {
  const bed = await bedOf(t);
  bed.env({
    STAND_IN_FAILS: "aws_instance.app2",
    STAND_IN_SAYS:
      "creating EC2 Instance: operation error EC2: RunInstances, api error VcpuLimitExceeded: You have requested more vCPU capacity than your current vCPU limit of 4 allows",
  });
  await assert.rejects(bed.target.deploy(bed.config(2), bed.yes), { code: "aws_vcpu_quota" });
  assert.deepEqual(bed.installed, []);
  bed.env({ STAND_IN_FAILS: "" });
  const changes = await bed.target.deploy(bed.config(2), bed.yes);
  assert.deepEqual(
    changes.map(({ what }) => what),
    ["aws_instance.app2"],
  );
  assert.deepEqual(bed.installed, ["deploy i-app1-1 i-app2-1"]);
});

test("a destroy that fails half-way is gone on with by destroy, not by a deploy that makes all anew", async (t) => {
  const bed = await bedOf(t);
  await bed.target.deploy(bed.config(2), bed.yes);
  bed.env({ STAND_IN_FAILS: "aws_instance.app1", STAND_IN_SAYS: "api error InternalError: later" });
  await assert.rejects(bed.target.destroy(bed.config(2), { keepData: false }, bed.yes), (error) => {
    assert.ok(error instanceof UserError);
    const next = error.next.join("\n");
    assert.doesNotMatch(next, /lbctl deploy/);
    assert.match(next, /lbctl destroy/);
    return true;
  });
});
