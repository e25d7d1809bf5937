/** Machines that come, go and are replaced, and the nodes on them. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { UserError } from "../../../cli/errors.ts";
import { bedOf, type StandInState, stateOf } from "./bed.ts";

test("scale down: nodes leave the balancer while their machines are there, then those go", async (t) => {
  const bed = await bedOf(t);
  await bed.target.deploy(bed.config(5), bed.yes);
  bed.installed.length = 0;
  await bed.target.scale(bed.config(3), bed.yes);
  assert.deepEqual(bed.installed, ["scale to 3 i-app1-1 i-app2-1 i-app3-1 i-app4-1 i-app5-1"]);
});

test("scale up: the others' machines are as they were", async (t) => {
  const bed = await bedOf(t);
  await bed.target.deploy(bed.config(1), bed.yes);
  bed.installed.length = 0;
  const changes = await bed.target.scale(bed.config(3), bed.yes);
  assert.deepEqual(
    changes.map(({ action, what }) => `${action} ${what}`),
    ["create aws_instance.app2", "create aws_instance.app3"],
  );
  assert.deepEqual(bed.installed, ["scale to 3 i-app1-1 i-app2-1 i-app3-1"]);
});

test("scale without a yes: what is wanted stays as it was, and no plan is left to be applied", async (t) => {
  const bed = await bedOf(t);
  await bed.target.deploy(bed.config(1), bed.yes);
  const begun: string[] = [];
  const context = { ...bed.yes, yes: false, begin: async () => void begun.push("begun") };
  await assert.rejects(bed.target.scale(bed.config(3), context), { code: "not_confirmed" });
  assert.deepEqual(begun, []);
  assert.equal(existsSync(join(stateOf(bed.config(3)).dir, "terraform/deploy.tfplan")), false);
});

test("what fails before the apply leaves no plan to be applied", async (t) => {
  const bed = await bedOf(t);
  await bed.target.deploy(bed.config(1), bed.yes);
  const begin = () => Promise.reject(new Error("no room on the disk"));
  await assert.rejects(bed.target.scale(bed.config(3), { ...bed.yes, begin }), /no room/);
  assert.equal(existsSync(join(stateOf(bed.config(3)).dir, "terraform/deploy.tfplan")), false);
  assert.equal((await bed.left()).includes("aws_instance.app3"), false);
});

test("scale with a yes: what is wanted is on record before the first machine is made", async (t) => {
  const bed = await bedOf(t);
  await bed.target.deploy(bed.config(1), bed.yes);
  const state = join(stateOf(bed.config(1)).dir, "terraform/terraform.tfstate");
  const there: boolean[] = [];
  const begin = async () => void there.push((await readFile(state, "utf8")).includes("aws_instance.app3"));
  await bed.target.scale(bed.config(3), { ...bed.yes, begin });
  assert.deepEqual(there, [false]);
});

test("only machines that are new, or start anew, are waited for", async (t) => {
  const bed = await bedOf(t);
  await bed.target.deploy(bed.config(1), bed.yes);
  assert.deepEqual(bed.waitedFor.splice(0), ["balancer", "app1"]);
  await bed.installs(1);
  await bed.target.scale(bed.config(2), bed.yes);
  assert.deepEqual(bed.waitedFor.splice(0), ["app2"]);
  await bed.installs(2);
  await bed.target.deploy(bed.config(2), bed.yes);
  assert.deepEqual(bed.waitedFor, []);
  const { aws } = bed.config(2);
  await bed.target.deploy({ ...bed.config(2), aws: { ...aws, appType: "t3.large" } }, bed.yes);
  assert.deepEqual(bed.waitedFor, ["app1", "app2"]);
});

test("a node whose machine is replaced is drained before that", async (t) => {
  const bed = await bedOf(t);
  await bed.target.deploy(bed.config(2), bed.yes);
  await bed.installs(2);
  await bed.changeState(withOldImages("app2"));
  bed.installed.length = 0;
  await bed.target.deploy(bed.config(2), bed.yes);
  assert.deepEqual(bed.installed, ["POST /api/nodes/app2/drain i-app2-1", "deploy i-app1-1 i-app2-2"]);
});

test("a node that was drained for a replacement which did not come about: how it is brought back", async (t) => {
  const bed = await bedOf(t);
  await bed.target.deploy(bed.config(2), bed.yes);
  await bed.installs(2);
  await bed.changeState(withOldImages("app2"));
  bed.env({ STAND_IN_FAILS: "aws_instance.app2", STAND_IN_SAYS: "api error InternalError: later" });
  await assert.rejects(bed.target.deploy(bed.config(2), bed.yes), (error) => {
    assert.ok(error instanceof UserError);
    assert.equal(error.code, "terraform_failed");
    assert.match(error.next.join("\n"), /^lbctl deploy[\s\S]*^lbctl nodes ready app2 /m);
    return true;
  });
});

test("where the balancer's machine is replaced as well, nobody is there to drain for", async (t) => {
  const bed = await bedOf(t);
  await bed.target.deploy(bed.config(2), bed.yes);
  await bed.installs(2);
  await bed.changeState(withOldImages("balancer", "app2"));
  bed.installed.length = 0;
  await bed.target.deploy(bed.config(2), bed.yes);
  assert.deepEqual(bed.installed, ["deploy i-app1-1 i-app2-2"]);
});

test("scale refuses while other changes wait for a deploy", async (t) => {
  const bed = await bedOf(t);
  await bed.target.deploy(bed.config(2), bed.yes);
  const other = { ...bed.config(2), aws: { ...bed.config(2).aws, appType: "t3.large" } };
  await assert.rejects(bed.target.checkScale(other, 3, bed.yes), /other changes that wait for a deploy/);
  await bed.target.checkScale(bed.config(2), 3, bed.yes);
  assert.equal(bed.installed.at(-1), "checkScale 2", "no more machines than there are can be looked at");
});

for (const [what, lose] of [
  ["the balancer, which AWS lost", (state: StandInState) => void delete state["aws_instance.balancer"]],
  ["another node, which AWS lost", (state: StandInState) => void delete state["aws_instance.app1"]],
  ["a volume to be attached", (state: StandInState) => void delete state["aws_volume_attachment.journal"]],
  ["a machine of another image", withOldImages("app1")],
] as const) {
  test(`fewer nodes and ${what}: one after the other, and nothing is touched`, async (t) => {
    const bed = await bedOf(t);
    await bed.target.deploy(bed.config(3), bed.yes);
    await bed.installs(3);
    await bed.changeState(lose);
    bed.installed.length = 0;
    for (const how of ["deploy", "plan"] as const)
      await assert.rejects(bed.target[how](bed.config(2), bed.yes), (error) => {
        assert.ok(error instanceof UserError);
        assert.equal(error.code, "aws_fewer_nodes_alone");
        assert.match(error.next.join("\n"), /^set nodes: 3 in lbctl\.yaml[\s\S]*^lbctl scale --nodes 2$/m);
        return true;
      });
    assert.deepEqual(bed.installed, []);
    await bed.target.deploy(bed.config(3), bed.yes);
    await bed.target.checkScale(bed.config(3), 2, bed.yes);
    await bed.target.scale(bed.config(2), bed.yes);
    assert.match(bed.installed.at(-1) ?? "", /^scale to 2 /);
  });
}

test("fewer nodes and another way in: one after the other, since the one is not open yet that the other needs", async (t) => {
  const bed = await bedOf(t);
  await bed.target.deploy(bed.config(2), bed.yes);
  const { aws } = bed.config(1);
  const ssh = { ...bed.config(1), aws: { ...aws, access: "ssh" as const, adminAddresses: ["192.0.2.0/24"] } };
  await assert.rejects(bed.target.deploy(ssh, bed.yes), { code: "aws_fewer_nodes_alone" });
});

test("a node that goes leaves the balancer also where another's machine was replaced by Terraform alone", async (t) => {
  const bed = await bedOf(t);
  await bed.target.deploy(bed.config(3), bed.yes);
  await bed.installs(3);
  await bed.changeState((state) => void Object.assign(state["aws_instance.app2"] ?? {}, { id: "i-app2-2" }));
  bed.installed.length = 0;
  await bed.target.deploy(bed.config(2), bed.yes);
  assert.equal(bed.installed[0], "scale to 2 i-app1-1 i-app2-2 i-app3-1");
});

test("a machine that was replaced by Terraform alone: plan and scale go on with the one that is there", async (t) => {
  const bed = await bedOf(t);
  await bed.target.deploy(bed.config(3), bed.yes);
  await bed.installs(3);
  // The outputs name the one that is gone until a whole apply.
  await bed.changeState((state) => void Object.assign(state["aws_instance.app2"] ?? {}, { id: "i-app2-2" }));
  await bed.target.plan(bed.config(3), bed.yes);
  assert.equal(bed.installed.at(-1), "plan i-app1-1 i-app2-2 i-app3-1");
  bed.installed.length = 0;
  await bed.target.checkScale(bed.config(3), 2, bed.yes);
  await bed.target.scale(bed.config(2), bed.yes);
  assert.deepEqual(bed.installed, ["checkScale 2", "scale to 2 i-app1-1 i-app2-2 i-app3-1"]);
});

/** Machines of another image than is wanted: the next plan replaces them. */
function withOldImages(...names: readonly string[]): (state: StandInState) => void {
  return (state) => {
    for (const name of names)
      Object.assign(state[`aws_instance.${name}`]?.values ?? {}, { ami: "ami-of-before" });
  };
}
