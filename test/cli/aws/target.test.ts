import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { delimiter, join } from "node:path";
import { suite, type TestContext, test } from "node:test";
import { machinesOf } from "../../../cli/aws/known-machines.ts";
import { awsTarget } from "../../../cli/aws/target.ts";
import type { ClusterConfig } from "../../../cli/cluster-config.ts";
import { loadClusterConfig } from "../../../cli/config-file.ts";
import { UserError } from "../../../cli/errors.ts";
import { nodesFor } from "../../../cli/hosts/goal.ts";
import { clusterOf, emptyRecord, type HostsRecord } from "../../../cli/hosts/record.ts";
import { hostsTarget } from "../../../cli/hosts/target.ts";
import { makeStateDir, statePaths, writeJson } from "../../../cli/state.ts";
import type { ChangeContext, Reached, Target } from "../../../cli/target.ts";
import { makeUi } from "../../../cli/ui.ts";
import { AWS_PROVIDER_VERSION } from "../../../infra/provider-version.ts";
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

  test("scale without a yes: what is wanted stays as it was, and no plan is left to be applied", async (t) => {
    const bed = await bedOf(t);
    await bed.target.deploy(bed.config(1), bed.yes);
    const begun: string[] = [];
    const context = { ...bed.yes, yes: false, begin: async () => void begun.push("begun") };
    await assert.rejects(bed.target.scale(bed.config(3), context), { code: "not_confirmed" });
    assert.deepEqual(begun, []);
    assert.equal(existsSync(join(stateOf(bed.config(3)).dir, "terraform/deploy.tfplan")), false);
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

  test("machines that an earlier command left before anything was installed are waited for", async (t) => {
    const bed = await bedOf(t);
    await bed.target.deploy(bed.config(2), bed.yes);
    bed.waitedFor.length = 0;
    await bed.target.deploy(bed.config(2), bed.yes);
    assert.deepEqual(bed.waitedFor, ["balancer", "app1", "app2"], "nothing is on record of them yet");
  });

  test("a node whose machine is replaced is drained before that", async (t) => {
    const bed = await bedOf(t);
    await bed.target.deploy(bed.config(2), bed.yes);
    await bed.installs(2);
    const file = join(stateOf(bed.config(2)).dir, "terraform/terraform.tfstate");
    const state = JSON.parse(await readFile(file, "utf8"));
    state["aws_instance.app2"].values.ami = "ami-of-before";
    await writeFile(file, JSON.stringify(state));
    bed.installed.length = 0;
    await bed.target.deploy(bed.config(2), bed.yes);
    assert.deepEqual(bed.installed, ["POST /api/nodes/app2/drain i-app2-1", "deploy i-app1-1 i-app2-2"]);
  });

  test("where the balancer's machine is replaced as well, nobody is there to drain for", async (t) => {
    const bed = await bedOf(t);
    await bed.target.deploy(bed.config(2), bed.yes);
    await bed.installs(2);
    const file = join(stateOf(bed.config(2)).dir, "terraform/terraform.tfstate");
    const state = JSON.parse(await readFile(file, "utf8"));
    for (const name of ["balancer", "app2"]) state[`aws_instance.${name}`].values.ami = "ami-of-before";
    await writeFile(file, JSON.stringify(state));
    bed.installed.length = 0;
    await bed.target.deploy(bed.config(2), bed.yes);
    assert.deepEqual(bed.installed, ["deploy i-app1-1 i-app2-2"]);
  });

  test("after an update of lbctl the lock file is that of its version of the provider", async (t) => {
    const bed = await bedOf(t);
    await bed.target.plan(bed.config(1), bed.yes);
    const file = join(stateOf(bed.config(1)).dir, "terraform/.terraform.lock.hcl");
    const lock = await readFile(file, "utf8");
    await writeFile(file, lock.replaceAll(AWS_PROVIDER_VERSION, "6.0.0"));
    await bed.target.plan(bed.config(1), bed.yes);
    assert.equal(await readFile(file, "utf8"), lock);
  });

  test("a first deploy that stopped while every node was being made goes on: none of them holds anything", async (t) => {
    const bed = await bedOf(t);
    await bed.target.deploy(bed.config(2), bed.yes);
    const file = join(stateOf(bed.config(2)).dir, "terraform/terraform.tfstate");
    const state = JSON.parse(await readFile(file, "utf8"));
    for (const name of ["app1", "app2"]) state[`aws_instance.${name}`].tainted = true;
    await writeFile(file, JSON.stringify(state));
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

  test("in another account nothing is made a second time, and nothing forgotten", async (t) => {
    const bed = await bedOf(t);
    await bed.target.deploy(bed.config(2), bed.yes);
    const before = await bed.left();
    bed.env({ STAND_IN_OTHER_ACCOUNT: "yes" });
    for (const how of ["deploy", "scale", "plan"] as const)
      await assert.rejects(bed.target[how](bed.config(2), bed.yes), { code: "aws_other_account" });
    await assert.rejects(bed.target.destroy(bed.config(2), { keepData: false }, bed.yes), {
      code: "aws_other_account",
    });
    assert.deepEqual(await bed.left(), before);
    assert.ok(existsSync(join(stateOf(bed.config(2)).dir, "terraform/terraform.tfstate")));
  });

  test("without the tools that lead to machines none is made", async (t) => {
    const bed = await bedOf(t);
    const path = process.env.PATH ?? "";
    const without = path.split(delimiter).filter((dir) => !dir.endsWith("stand-in-plugin"));
    bed.env({ PATH: without.join(delimiter) });
    await assert.rejects(bed.target.deploy(bed.config(1), bed.yes), (error) => {
      assert.ok(error instanceof UserError);
      assert.equal(error.code, "session_tools_missing");
      assert.match(error.next.join("\n"), /session-manager-working-with-install-plugin/);
      return true;
    });
    assert.equal(existsSync(join(stateOf(bed.config(1)).dir, "terraform/terraform.tfstate")), false);
  });

  suite("with the state in S3, from another checkout", () => {
    test("without the machines' key: deploy, scale and plan are refused, and no machine gets another", async (t) => {
      const bed = await bedOf(t, S3);
      await bed.target.deploy(bed.config(1), bed.yes);
      await bed.anotherCheckout();
      for (const how of ["deploy", "scale", "plan"] as const)
        await assert.rejects(bed.target[how](bed.config(1), bed.yes), { code: "ssh_key_differs" });
      assert.equal((await bed.left()).filter((address) => address === "aws_instance.app1").length, 1);
    });

    test("destroy needs no key, and leaves nothing", async (t) => {
      const bed = await bedOf(t, S3);
      await bed.target.deploy(bed.config(2), bed.yes);
      await bed.anotherCheckout();
      assert.equal(bed.target.isElsewhere?.(bed.config(2)), true);
      assert.equal(await bed.target.destroy(bed.config(2), { keepData: false }, bed.yes), true);
      assert.deepEqual(await bed.left(), []);
      assert.equal(await bed.target.destroy(bed.config(2), { keepData: false }, bed.yes), false, "gone");
    });
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
    for (const how of ["deploy", "plan"] as const)
      await assert.rejects(bed.target[how](other, bed.yes), { code: "aws_would_lose_all_nodes" });
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
    assert.deepEqual(await bed.left(), []);
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

const S3 = "aws: { state: { backend: s3, bucket: shop-state } }\n";

/** A cluster's folder, PATH with the stand-ins first, and a record of what was asked of the installer. */
async function bedOf(t: TestContext, yaml = "") {
  const before = { ...process.env };
  t.after(() => {
    process.env = before;
  });
  const dir = tempFolder(t);
  const left = join(dir, "left.json");
  const standIns = ["stand-in", "stand-in-plugin"].map((name) => join(import.meta.dirname, name));
  process.env.PATH = [...standIns, process.env.PATH].join(delimiter);
  process.env.STAND_IN_LEFT = left;
  process.env.STAND_IN_S3 = dir;
  const file = join(dir, "lbctl.yaml");
  await writeFile(file, `name: shop\ntarget: aws\n${yaml}`);
  const base = await loadClusterConfig(file);
  const state = stateOf(base);
  await makeStateDir(state);
  const installed: string[] = [];
  const waitedFor: string[] = [];
  const context: ChangeContext = {
    ui: makeUi({ silent: true }),
    verbose: false,
    yes: true,
    signal: new AbortController().signal,
  };
  const config = (nodes: number): ClusterConfig => ({ ...base, nodes });
  const target = awsTarget(await installer(t, installed), async ({ machines }) => {
    waitedFor.push(...machines.map(({ name }) => name));
  });
  return {
    target,
    config,
    installed,
    waitedFor,
    yes: context,
    env: (values: Record<string, string>) => Object.assign(process.env, values),
    /** What is at AWS after the last apply. */
    left: async () => JSON.parse(await readFile(left, "utf8")) as string[],
    /** As the hosts' half records it at its end. */
    installs: async (nodes: number) => {
      const { apps } = await machinesOf(config(nodes));
      const record: HostsRecord = {
        ...emptyRecord("shop"),
        target: "aws",
        balancerUrl: "http://198.51.100.7",
        adminPort: 1936,
        adminUser: "admin",
        nodes: nodesFor(config(nodes), { nodes: [] }, apps),
      };
      await writeJson(state.record, record);
    },
    anotherCheckout: async () => {
      await rm(state.dir, { recursive: true });
      await makeStateDir(state);
    },
  };
}

/** Writes down what it is asked, with the machines that it would see; so does its balancer. */
async function installer(t: TestContext, said: string[]): Promise<Target> {
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
    reach: (config) => balancerOf(t, config, said),
  };
}

async function balancerOf(t: TestContext, config: ClusterConfig, said: string[]): Promise<Reached> {
  const { apps } = await machinesOf(config);
  const server = createServer(({ method, url = "" }, response) => {
    const address = apps.find(({ name }) => url.includes(`/${name}/`))?.address;
    said.push(`${method} ${url} ${address}`);
    response.setHeader("content-type", "application/json").end("{}");
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const record = { ...emptyRecord("shop"), target: "aws", adminPort: port, adminUser: "admin" } as const;
  const cluster = clusterOf(config, { ...record, balancerUrl: "http://127.0.0.1" }, "127.0.0.1");
  await writeFile(cluster.adminPasswordFile, "secret\n");
  return { cluster, [Symbol.asyncDispose]: async () => undefined };
}
