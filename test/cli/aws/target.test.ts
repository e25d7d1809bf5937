import assert from "node:assert/strict";
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { machinesOf } from "../../../cli/aws/known-machines.ts";
import { UserError } from "../../../cli/errors.ts";
import { lockCluster } from "../../../cli/lock.ts";
import { makeUi } from "../../../cli/ui.ts";
import { bedOf, stateOf } from "./bed.ts";

test("deploy: machines first, then what runs on them; again: nothing at AWS", async (t) => {
  const bed = await bedOf(t);
  const changes = await bed.target.deploy(bed.config(3), bed.yes);
  assert.deepEqual(
    changes
      .filter(({ what }) => what.startsWith("aws_instance."))
      .map(({ action, what }) => `${action} ${what}`),
    ["create aws_instance.balancer", ...[1, 2, 3].map((n) => `create aws_instance.app${n}`)],
  );
  assert.deepEqual(bed.installed, ["deploy i-app1-1 i-app2-1 i-app3-1"]);
  assert.deepEqual(await bed.target.deploy(bed.config(3), bed.yes), []);
  assert.deepEqual(bed.installed.length, 2, "what is on the machines is looked at again");
});

test("what Terraform keeps is its owner's alone", async (t) => {
  const bed = await bedOf(t);
  await bed.target.deploy(bed.config(1), bed.yes);
  const dir = join(stateOf(bed.config(1)).dir, "terraform");
  assert.equal(statSync(dir).mode & 0o777, 0o700);
  for (const name of ["main.tf.json", "outputs.json"])
    assert.equal(statSync(join(dir, name)).mode & 0o777, 0o600, name);
});

test("without a yes nothing is made", async (t) => {
  const bed = await bedOf(t);
  await assert.rejects(bed.target.deploy(bed.config(1), { ...bed.yes, yes: false }), (error) => {
    assert.ok(error instanceof UserError);
    assert.equal(error.code, "not_confirmed");
    assert.ok(error.problems.includes("create aws_instance.app1"));
    return true;
  });
  assert.equal(existsSync(join(stateOf(bed.config(1)).dir, "terraform/terraform.tfstate")), false);
  assert.deepEqual(bed.installed, []);
});

test("a yes is asked for with the changes and the cost in sight", async (t) => {
  const bed = await bedOf(t);
  const asked: string[] = [];
  const ui = { ...makeUi({ silent: true }), confirm: async (question: string) => asked.push(question) > 0 };
  await bed.target.deploy(bed.config(1), { ...bed.yes, yes: false, ui });
  assert.equal(asked.length, 1);
  assert.match(
    asked[0] ?? "",
    /aws_instance\.app1[\s\S]*COST A MONTH[\s\S]*An estimate[\s\S]*changes at AWS\?$/,
  );
});

test("a change that would replace every node at once is refused, and nothing is touched", async (t) => {
  const bed = await bedOf(t);
  await bed.target.deploy(bed.config(2), bed.yes);
  const other = { ...bed.config(2), aws: { ...bed.config(2).aws, image: "ami-0f" } };
  for (const how of ["deploy", "plan"] as const)
    await assert.rejects(bed.target[how](other, bed.yes), { code: "aws_would_lose_all_nodes" });
  assert.equal((await machinesOf(other)).apps[0]?.address, "i-app1-1");
});

test("destroy takes every machine and the state directory; --keep-data is refused", async (t) => {
  const bed = await bedOf(t);
  await bed.target.deploy(bed.config(1), bed.yes);
  await assert.rejects(bed.target.destroy(bed.config(1), { keepData: true }, bed.yes), {
    code: "keep_data_not_possible",
  });
  await bed.target.destroy(bed.config(1), { keepData: false }, bed.yes);
  assert.deepEqual(await bed.left(), []);
  assert.equal(existsSync(stateOf(bed.config(1)).dir), false);
});

test("plan beside a command that changes the cluster: who that is; it touches none of its files", async (t) => {
  const bed = await bedOf(t);
  const state = stateOf(bed.config(1));
  using _deploy = lockCluster(state, "deploy");
  await assert.rejects(
    bed.target.plan(bed.config(3), bed.yes),
    /expected to be alone on this cluster, got "lbctl deploy" \(pid \d+/,
  );
  assert.equal(existsSync(join(state.dir, "terraform")), false);
});

test("plan shows machines alone until they are there, and changes nothing", async (t) => {
  const bed = await bedOf(t);
  const changes = await bed.target.plan(bed.config(1), bed.yes);
  assert.ok(changes.some(({ what }) => what === "aws_instance.app1"));
  assert.deepEqual(bed.installed, []);
  await bed.target.deploy(bed.config(1), bed.yes);
  await bed.target.plan(bed.config(1), bed.yes);
  assert.equal(bed.installed.at(-1), "plan i-app1-1");
  assert.match((await bed.target.cost?.(bed.config(1))) ?? "", /node, t3\.small/);
});
