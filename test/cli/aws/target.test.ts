import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { suite, type TestContext, test } from "node:test";
import { machinesOf } from "../../../cli/aws/known-machines.ts";
import { awsTarget } from "../../../cli/aws/target.ts";
import type { ClusterConfig } from "../../../cli/cluster-config.ts";
import { loadClusterConfig } from "../../../cli/config-file.ts";
import { UserError } from "../../../cli/errors.ts";
import { hostsTarget } from "../../../cli/hosts/target.ts";
import { makeStateDir, statePaths } from "../../../cli/state.ts";
import type { ChangeContext, Target } from "../../../cli/target.ts";
import { makeUi } from "../../../cli/ui.ts";
import { tempFolder } from "../../support/temp-folder.ts";

const stateOf = ({ dir, name }: ClusterConfig) => statePaths(dir, name);

suite("target aws, with a stand-in for Terraform and one for what installs", () => {
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

  test("a change that would replace every node at once is refused, and nothing is touched", async (t) => {
    const bed = await bedOf(t);
    await bed.target.deploy(bed.config(2), bed.yes);
    const other = { ...bed.config(2), aws: { ...bed.config(2).aws, image: "ami-0f" } };
    await assert.rejects(bed.target.deploy(other, bed.yes), { code: "aws_would_lose_all_nodes" });
    assert.equal((await machinesOf(other)).apps[0]?.address, "i-app1-1");
  });

  test("scale refuses while other changes wait for a deploy", async (t) => {
    const bed = await bedOf(t);
    await bed.target.deploy(bed.config(2), bed.yes);
    const other = { ...bed.config(2), aws: { ...bed.config(2).aws, appType: "t3.large" } };
    await assert.rejects(bed.target.checkScale(other, 3, bed.yes), /other changes that wait for a deploy/);
    await bed.target.checkScale(bed.config(2), 3, bed.yes);
    assert.equal(bed.installed.at(-1), "checkScale 2", "no more machines than there are can be looked at");
  });

  test("destroy takes every machine and the state directory; --keep-data is refused", async (t) => {
    const bed = await bedOf(t);
    await bed.target.deploy(bed.config(1), bed.yes);
    await assert.rejects(bed.target.destroy(bed.config(1), { keepData: true }, bed.yes), {
      code: "keep_data_not_possible",
    });
    await bed.target.destroy(bed.config(1), { keepData: false }, bed.yes);
    assert.equal(existsSync(stateOf(bed.config(1)).dir), false);
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
});

/** A cluster's folder, PATH with the stand-in first, and a record of what was asked of the installer. */
async function bedOf(t: TestContext) {
  const before = { ...process.env };
  t.after(() => {
    process.env = before;
  });
  process.env.PATH = [join(import.meta.dirname, "stand-in"), process.env.PATH].join(delimiter);
  const file = join(tempFolder(t), "lbctl.yaml");
  await writeFile(file, "name: shop\ntarget: aws\n");
  const base = await loadClusterConfig(file);
  await makeStateDir(stateOf(base));
  const installed: string[] = [];
  const context: ChangeContext = {
    ui: makeUi({ silent: true }),
    verbose: false,
    yes: true,
    signal: new AbortController().signal,
  };
  return {
    target: awsTarget(installer(installed), async () => undefined),
    config: (nodes: number): ClusterConfig => ({ ...base, nodes }),
    installed,
    yes: context,
    env: (values: Record<string, string>) => Object.assign(process.env, values),
  };
}

/** Writes down what it is asked, with the machines that it would see. */
function installer(said: string[]): Target {
  const note = async (what: string, config: ClusterConfig) => {
    const { apps } = await machinesOf(config);
    said.push([what, ...apps.map(({ address }) => address)].join(" "));
    return [];
  };
  return {
    ...hostsTarget(machinesOf),
    plan: (config) => note("plan", config),
    deploy: (config) => note("deploy", config),
    scale: (config) => note(`scale to ${config.nodes}`, config),
    checkScale: async (_, nodes) => void said.push(`checkScale ${nodes}`),
  };
}
