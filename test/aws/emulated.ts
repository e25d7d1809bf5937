/**
 * The way of target aws through an emulated AWS, as far as there is one: plan and destroy are commands; deploy and scale are
 * the target's own, with a stand-in for what talks to machines by SSH, since the emulator has none. Part of
 * `npm run test:aws`.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, delimiter, join } from "node:path";
import { suite, type TestContext, test } from "node:test";
import { machinesOf } from "../../cli/aws/known-machines.ts";
import { planMachines, readOutputs } from "../../cli/aws/provision.ts";
import { awsTarget } from "../../cli/aws/target.ts";
import { findTerraform, runTerraform } from "../../cli/aws/terraform.ts";
import { initArgs } from "../../cli/aws/terraform-argv.ts";
import { prepare, terraformDir, type Workspace } from "../../cli/aws/workspace.ts";
import { loadClusterConfig } from "../../cli/config-file.ts";
import { hostsTarget } from "../../cli/hosts/target.ts";
import { makeStateDir, statePaths } from "../../cli/state.ts";
import type { Change, ChangeContext, Target } from "../../cli/target.ts";
import { makeUi } from "../../cli/ui.ts";
import { NO_TERRAFORM } from "../cli/aws/workspace.ts";
import { runLbctl } from "../cli/lbctl.ts";
import { stackOf } from "../infra/stack.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { type Emulator, startEmulator } from "./emulator.ts";
import { NO_PYTHON } from "./venv.ts";

/** Of one command: dozens of calls, each answered by Python. In ms. */
const COMMAND = 600_000;

suite("the emulator", { skip: NO_PYTHON }, () => {
  test("has Debian 12 for both architectures, found as the machines find it, and shows what is left over", async (t) => {
    const emulator = await startEmulator(t);
    const { data } = stackOf({ balancerType: "t3.medium", appType: "t4g.small" });
    assert.deepEqual(await emulator.images(data.aws_ami?.["debian-x86_64"]), [
      "debian-12-amd64-20250601-2000",
    ]);
    assert.deepEqual(await emulator.images(data.aws_ami?.["debian-arm64"]), [
      "debian-12-arm64-20250601-2000",
    ]);
    const before = await emulator.there();
    assert.deepEqual(before.instances, []);
    const after = await emulator.run("ami-0deb12b");
    assert.equal(after.instances?.length, 1);
    assert.equal(after.volumes?.length, 1);
  });
});

suite("lbctl against the emulator", { skip: NO_PYTHON || NO_TERRAFORM || (await withoutProvider()) }, () => {
  test("3 nodes, no change after that; 5, then 2 by name; destroy leaves nothing", {
    timeout: 1_800_000,
  }, async (t) => {
    const emulator = await startEmulator(t);
    const empty = await emulator.there();
    const cluster = await newCluster(t, emulator);

    assert.deepEqual(await cluster.machinesInPlan(), made(["app1", "app2", "app3", "balancer"]));
    assert.deepEqual(await emulator.there(), empty, "a plan makes nothing");

    await cluster.deploy(3);
    assert.deepEqual((await emulator.there()).instances, names(3));
    const three = await cluster.workspace(3);
    assert.equal(await isValid(three), true);
    const again = await planMachines(three);
    assert.deepEqual(withoutNotKept(again.changes), [], "nothing to change after an apply");
    const before = await readOutputs(three);
    assert.ok(before);
    const { apps, traffic } = await machinesOf(three.config);
    assert.deepEqual(
      apps.map(({ name, address, inside }) => [name, address, inside]),
      before.nodes.map(({ name, instance_id, private_ip }) => [name, instance_id, private_ip]),
      "lbctl knows the machines that there are",
    );
    assert.match(traffic, /^\d+\.\d+\.\d+\.\d+$/);
    assert.ok((await emulator.there()).addresses?.includes(traffic));

    await cluster.write(5);
    assert.deepEqual(await cluster.machinesInPlan(), made(["app4", "app5"]));
    await cluster.scale(5);
    const five = await readOutputs(await cluster.workspace(5));
    assert.deepEqual(five?.nodes.slice(0, 3), before.nodes, "those that were there are as they were");
    assert.deepEqual((await emulator.there()).instances, names(5));

    await cluster.scale(2);
    const two = await readOutputs(await cluster.workspace(2));
    assert.deepEqual(two?.nodes, before.nodes.slice(0, 2));
    assert.deepEqual((await emulator.there()).instances, names(2));

    await cluster.lbctl("destroy", "--yes");
    assert.deepEqual(await emulator.there(), empty);
  });

  test("a first deploy that stops half-way is mended by the next", { timeout: 900_000 }, async (t) => {
    const emulator = await startEmulator(t);
    const cluster = await newCluster(t, emulator);
    const interruption = new AbortController();
    const stopped = cluster.deploy(1, interruption.signal, (detail) => {
      if (/^[3-9] of/.test(detail)) interruption.abort();
    });
    await assert.rejects(stopped, { code: "apply_interrupted" });
    await cluster.deploy(1);
    assert.deepEqual((await emulator.there()).instances, names(1));
    assert.deepEqual(withoutNotKept((await planMachines(await cluster.workspace(1))).changes), []);
  });
});

async function newCluster(t: TestContext, { env }: Emulator) {
  const before = { ...process.env };
  Object.assign(process.env, env);
  t.after(() => {
    process.env = before;
  });
  const dir = tempFolder(t);
  process.env.PATH = [standIns(t), process.env.PATH].join(delimiter);
  const write = (nodes: number) =>
    writeFile(join(dir, "lbctl.yaml"), `name: shop\ntarget: aws\nnodes: ${nodes}\n`);
  await write(3);
  const config = await loadClusterConfig(join(dir, "lbctl.yaml"));
  const state = statePaths(config.dir, config.name);
  await makeStateDir(state);
  await retrySeldom(terraformDir(state));
  const target = awsTarget(NO_SSH, async () => undefined);
  const lbctl = async (...args: string[]) => {
    const { code, stdout, stderr } = await runLbctl(dir, args, { timeout: COMMAND });
    assert.equal(code, 0, `lbctl ${args.join(" ")}: ${stdout}${stderr}`);
    return stdout;
  };
  return {
    write,
    lbctl,
    deploy: (nodes: number, signal?: AbortSignal, say?: (detail: string) => void) =>
      target.deploy({ ...config, nodes }, context(signal, say)),
    scale: (nodes: number) => target.scale({ ...config, nodes }, context()),
    workspace: (nodes: number): Promise<Workspace> =>
      prepare({ ...config, nodes }, new AbortController().signal),
    /** What `lbctl plan` says of machines; it asks those that there are where none is to be made. */
    machinesInPlan: async () =>
      withoutNotKept(JSON.parse(await lbctl("plan", "--json")) as Change[])
        .filter(({ what }) => what.startsWith("aws_instance."))
        .map(({ action, what }) => `${action} ${what}`)
        .sort(),
  };
}

/** For the tools that lead to machines, which are looked for before any is made; Terraform is the real one. */
function standIns(t: TestContext): string {
  const folder = tempFolder(t);
  for (const path of ["stand-in/aws", "stand-in-plugin/session-manager-plugin"])
    symlinkSync(join(import.meta.dirname, "../cli/aws", path), join(folder, basename(path)));
  return folder;
}

/** What moto 5.2 takes and does not give back, so that every plan wants it again. AWS gives both back. */
const NOT_KEPT: readonly { readonly what: RegExp; readonly detail: RegExp }[] = [
  // Groups that are given with a network interface, as the provider does where an address is said or denied.
  { what: /^aws_instance\./, detail: /^vpc_security_group_ids \[\] → \["sg-\w+"\]$/ },
  // Texts of rules that name a group instead of a block.
  {
    what: /^aws_vpc_security_group_(?:in|e)gress_rule\./,
    detail: /^description null → "(?:to apps|from balancer)"$/,
  },
];

function withoutNotKept(changes: readonly Change[]): Change[] {
  return changes.filter(
    (change) =>
      change.action !== "change" ||
      !NOT_KEPT.some(({ what, detail }) => what.test(change.what) && detail.test(change.detail)),
  );
}

/** What is done on machines by SSH is not done. */
const NO_SSH: Target = {
  ...hostsTarget(machinesOf),
  plan: async () => [],
  deploy: async () => [],
  scale: async () => [],
};

function context(
  signal = new AbortController().signal,
  say: (detail: string) => void = () => undefined,
): ChangeContext {
  const ui = {
    ...makeUi({ silent: true }),
    steps: async (steps: Parameters<ChangeContext["ui"]["steps"]>[0]) => {
      for (const step of steps) await step.run(say, () => undefined);
    },
  };
  return { ui, signal, verbose: false, yes: true };
}

/** By default a call that the emulator lacks would be tried for minutes; with 1 none is repeated that it drops while busy. */
async function retrySeldom(dir: string): Promise<void> {
  await mkdir(dir, { recursive: true });
  const text = JSON.stringify({ provider: { aws: { max_retries: 3 } } });
  await writeFile(join(dir, "retries_override.tf.json"), text);
}

async function isValid({ terraform, where, signal }: Workspace): Promise<boolean> {
  const { stdout } = await runTerraform(terraform, where.dir, ["validate", "-json"], signal);
  return (JSON.parse(stdout) as { valid: boolean }).valid;
}

function made(machines: readonly string[]): string[] {
  return machines.map((name) => `create aws_instance.${name}`);
}

function names(nodes: number): string[] {
  const apps = Array.from({ length: nodes }, (_, index) => `lbctl-shop-app${index + 1}`);
  return [...apps, "lbctl-shop-balancer"];
}

/** The AWS provider is no part of Terraform: from its registry, or a mirror that TF_CLI_CONFIG_FILE names. */
async function withoutProvider(): Promise<string | false> {
  if (NO_TERRAFORM) return NO_TERRAFORM;
  const { program } = await findTerraform();
  const dir = mkdtempSync(join(tmpdir(), "lbctl-provider-"));
  try {
    const { terraform, provider } = stackOf();
    writeFileSync(join(dir, "main.tf.json"), JSON.stringify({ terraform, provider }));
    execFileSync(program, initArgs(), { cwd: dir, stdio: "pipe" });
    return false;
  } catch (error) {
    const said = error instanceof Error && "stderr" in error ? String(error.stderr) : String(error);
    const why = /Error: ([^\n]+)/.exec(said)?.[1] ?? said;
    return `${program} can't have the AWS provider here (${why}); a mirror in TF_CLI_CONFIG_FILE brings it`;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
