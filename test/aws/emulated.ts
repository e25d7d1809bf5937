/** The way of target aws through an emulated AWS: plan, apply, outputs, scale, destroy. Part of `npm run test:aws`. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite, type TestContext, test } from "node:test";
import { toMachines } from "../../cli/aws/machines.ts";
import { applyMachines, planMachines, readOutputs } from "../../cli/aws/provision.ts";
import { runTerraform } from "../../cli/aws/terraform.ts";
import { initArgs, validateArgs } from "../../cli/aws/terraform-argv.ts";
import { prepare, type Workspace } from "../../cli/aws/workspace.ts";
import type { ClusterConfig } from "../../cli/cluster-config.ts";
import { loadClusterConfig } from "../../cli/config-file.ts";
import { makeStateDir, statePaths } from "../../cli/state.ts";
import { NO_TERRAFORM } from "../cli/aws/workspace.ts";
import { stackOf } from "../infra/stack.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { type Emulator, startEmulator } from "./emulator.ts";
import { NO_PYTHON } from "./venv.ts";

const silent = () => undefined;

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

suite("lbctl against the emulator", { skip: NO_PYTHON || NO_TERRAFORM || withoutProvider() }, () => {
  test("3 nodes, no change after that; 5, then 2 by name; destroy leaves nothing", {
    timeout: 1_200_000,
  }, async (t) => {
    const emulator = await startEmulator(t);
    const empty = await emulator.there();
    const cluster = await newCluster(t, emulator);

    const three = await deploy(cluster, 3);
    assert.deepEqual((await emulator.there()).instances, names(3));
    const [validated, again] = [await validate(three), await planMachines(three)];
    assert.equal(validated, true);
    assert.deepEqual([again.needed, again.changes], [false, []], "nothing to change after an apply");
    const before = await readOutputs(three);
    assert.ok(before);
    const machines = toMachines(three.config, before, three.state);
    assert.deepEqual(
      machines.apps.map(({ name, address, inside }) => [name, address, inside]),
      before.nodes.map(({ name, instance_id, private_ip }) => [name, instance_id, private_ip]),
    );
    assert.match(before.balancer.address, /^\d+\.\d+\.\d+\.\d+$/);
    assert.ok((await emulator.there()).addresses?.includes(before.balancer.address));

    const five = await deploy(cluster, 5);
    assert.deepEqual(
      (await readOutputs(five))?.nodes.slice(0, 3),
      before.nodes,
      "those that were there are as they were",
    );
    assert.deepEqual((await emulator.there()).instances, names(5));

    const two = await deploy(cluster, 2);
    assert.deepEqual((await readOutputs(two))?.nodes, before.nodes.slice(0, 2));
    assert.deepEqual((await emulator.there()).instances, names(2));

    await planMachines(two, { destroy: true });
    await applyMachines(two, silent);
    assert.deepEqual(await emulator.there(), empty);
  });

  test("an apply that stops half-way is mended by the next", { timeout: 600_000 }, async (t) => {
    const cluster = await newCluster(t, await startEmulator(t));
    const interruption = new AbortController();
    const work = { ...(await ready(cluster, 1)), signal: interruption.signal };
    await planMachines(work);
    await assert.rejects(
      applyMachines(work, (detail) => /^[3-9] of/.test(detail) && interruption.abort()),
      {
        code: "apply_interrupted",
      },
    );
    const mended = await deploy(cluster, 1);
    assert.deepEqual((await planMachines(mended)).changes, []);
  });
});

async function newCluster(t: TestContext, { env }: Emulator): Promise<ClusterConfig> {
  const before = { ...process.env };
  Object.assign(process.env, env);
  t.after(() => {
    process.env = before;
  });
  const file = join(tempFolder(t), "lbctl.yaml");
  await writeFile(file, "name: shop\ntarget: aws\n");
  const config = await loadClusterConfig(file);
  const state = statePaths(config.dir, config.name);
  await makeStateDir(state);
  return config;
}

async function ready(cluster: ClusterConfig, nodes: number): Promise<Workspace> {
  const work = await prepare({ ...cluster, nodes }, new AbortController().signal);
  // A call that the emulator lacks would be tried for minutes.
  await writeFile(
    join(work.where.dir, "retries_override.tf.json"),
    JSON.stringify({ provider: { aws: { max_retries: 1 } } }),
  );
  return work;
}

async function deploy(cluster: ClusterConfig, nodes: number): Promise<Workspace> {
  const work = await ready(cluster, nodes);
  await planMachines(work);
  await applyMachines(work, silent);
  return work;
}

async function validate({ terraform, where, signal }: Workspace): Promise<boolean> {
  const { stdout } = await runTerraform(terraform, where.dir, validateArgs(), signal);
  return (JSON.parse(stdout) as { valid: boolean }).valid;
}

function names(nodes: number): string[] {
  const apps = Array.from({ length: nodes }, (_, index) => `lbctl-shop-app${index + 1}`);
  return [...apps, "lbctl-shop-balancer"];
}

/** The AWS provider is no part of Terraform: from its registry, or a mirror that TF_CLI_CONFIG_FILE names. */
function withoutProvider(): string | false {
  if (NO_TERRAFORM) return NO_TERRAFORM;
  const dir = mkdtempSync(join(tmpdir(), "lbctl-provider-"));
  try {
    const { terraform, provider } = stackOf();
    writeFileSync(join(dir, "main.tf.json"), JSON.stringify({ terraform, provider }));
    execFileSync("terraform", initArgs(), { cwd: dir, stdio: "pipe" });
    return false;
  } catch (error) {
    const said = error instanceof Error && "stderr" in error ? String(error.stderr) : String(error);
    const why = /Error: ([^\n]+)/.exec(said)?.[1] ?? said;
    return `the AWS provider can't be had here (${why}); a mirror in TF_CLI_CONFIG_FILE brings it`;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
