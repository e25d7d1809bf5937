import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { type TestContext, test } from "node:test";
import { stripVTControlCharacters } from "node:util";
import { findTerraform } from "../../../cli/aws/terraform.ts";
import { AWS_PROVIDER_VERSION } from "../../../infra/provider-version.ts";
import { tempFolder } from "../../support/temp-folder.ts";
import { run } from "../lbctl.ts";
import { NO_TERRAFORM } from "./workspace.ts";

const LBCTL = join(import.meta.dirname, "../../../cli/bin.ts");

test("lbctl plan: every change, then the cost; nothing is made, and no credential is in the state directory", async (t) => {
  const { lbctl } = await bed(t);
  const ran = await lbctl("plan");
  assert.equal(ran.code, 0, ran.stderr);
  const text = stripVTControlCharacters(ran.stdout);
  assert.match(text, /\+ create +aws_instance\.app3 +t3\.small/);
  assert.match(
    text,
    /\+ create +aws_vpc_security_group_ingress_rule\.balancer-in-80-0-0-0-0-0 +port 80 from 0\.0\.0\.0\/0/,
  );
  assert.match(text, /COST A MONTH, ABOUT[\s\S]*together +\d+\.\d\d/);
  const json = await lbctl("plan", "--json");
  assert.ok((JSON.parse(json.stdout) as { what: string }[]).some(({ what }) => what === "aws_instance.app1"));
  const status = await lbctl("status");
  assert.match(status.stderr, /expected a deployed cluster "shop", got none/);
});

test("lbctl deploy where nobody can be asked: --yes is the next step", async (t) => {
  const { lbctl } = await bed(t);
  const ran = await lbctl("deploy", "--json");
  assert.equal(ran.code, 1, ran.stdout);
  assert.equal((JSON.parse(ran.stdout) as { error: { code: string } }).error.code, "not_confirmed");
});

test("lbctl scale --nodes with what is no number from 1 to 9", async (t) => {
  const { lbctl } = await bed(t);
  for (const count of ["0", "10", "-1", "3.5", "seven"]) {
    const ran = await lbctl("scale", `--nodes=${count}`);
    assert.equal(ran.code, 2, count);
    assert.match(ran.stderr, new RegExp(`expected a whole number from 1 to 9.*got ${count}`), count);
  }
});

test("lbctl doctor: what is there, what is missing, and what brings it", async (t) => {
  const { lbctl } = await bed(t, ["stand-in"]);
  const ran = await lbctl("doctor", "--json");
  const { findings } = JSON.parse(ran.stdout) as {
    findings: { check: string; ok: boolean; found: string; mend: string }[];
  };
  const by = Object.fromEntries(findings.map((finding) => [finding.check, finding]));
  assert.equal(by["Terraform or OpenTofu"]?.found, "terraform 1.11.4");
  assert.equal(by["AWS CLI"]?.ok, true);
  assert.equal(by["AWS credentials"]?.found, "arn:aws:iam::000000000000:user/ada");
  assert.equal(by["Session Manager plugin"]?.ok, false);
  assert.match(by["Session Manager plugin"]?.mend ?? "", /install-plugin/);
});

test("another package than the published one is refused, and nothing was begun", {
  skip: NO_TERRAFORM,
}, async (t) => {
  if ((await findTerraform()).program === "tofu") return t.skip("OpenTofu has packages of its own (ADR 15)");
  const { dir } = await bed(t);
  const platform = `linux_${process.arch === "arm64" ? "arm64" : "amd64"}`;
  const mirror = join(dir, "mirror");
  const folder = join(mirror, "registry.terraform.io/hashicorp/aws", AWS_PROVIDER_VERSION, platform);
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, `terraform-provider-aws_v${AWS_PROVIDER_VERSION}_x5`), "another");
  const settings = join(dir, "terraform.rc");
  await writeFile(
    settings,
    `provider_installation { filesystem_mirror { path = ${JSON.stringify(mirror)} } }\n`,
  );
  const env = { ...process.env, TF_CLI_CONFIG_FILE: settings };
  const lbctl = (...args: string[]) =>
    run(process.execPath, [LBCTL, ...args], { cwd: dir, env, timeout: 60_000 });
  const { code, stdout } = await lbctl("plan", "--json");
  assert.equal(code, 1);
  assert.equal(
    (JSON.parse(stdout) as { error: { code: string } }).error.code,
    "provider_not_genuine",
    stdout,
  );
  assert.equal((await lbctl("destroy", "--yes")).code, 0, "nothing is there to be destroyed");
});

test("without Terraform or OpenTofu: what to install", async (t) => {
  const { dir } = await bed(t);
  const ran = await run(process.execPath, [LBCTL, "plan"], { cwd: dir, env: { PATH: dir, HOME: dir } });
  assert.equal(ran.code, 1);
  assert.match(ran.stderr, /expected Terraform or OpenTofu 1\.6 or newer, got neither/);
});

for (const [backend, aws, oldest] of [
  ["local", "", "1.6"],
  ["s3", "aws: { state: { backend: s3, bucket: shop-state } }\n", "1.10"],
] as const) {
  test(`a Terraform that is too old for state ${backend}: which one is needed`, async (t) => {
    const dir = tempFolder(t);
    await writeFile(join(dir, "lbctl.yaml"), `name: shop\ntarget: aws\n${aws}`);
    const old = backend === "s3" ? "1.9.8" : "1.5.7";
    await writeFile(join(dir, "terraform"), `#!/bin/sh\necho '{"terraform_version":"${old}"}'\n`, {
      mode: 0o755,
    });
    const ran = await run(process.execPath, [LBCTL, "plan"], {
      cwd: dir,
      env: { PATH: `${dir}:/bin`, HOME: dir },
    });
    assert.equal(ran.code, 1);
    assert.ok(
      ran.stderr.includes(`expected Terraform or OpenTofu ${oldest} or newer, got terraform ${old}`),
      ran.stderr,
    );
  });
}

/** @param standIns folders that come first on PATH */
async function bed(t: TestContext, standIns = ["stand-in", "stand-in-plugin"]) {
  const dir = tempFolder(t);
  await writeFile(join(dir, "lbctl.yaml"), "name: shop\ntarget: aws\n");
  const env = {
    ...process.env,
    PATH: [...standIns.map((name) => join(import.meta.dirname, name)), process.env.PATH].join(delimiter),
  };
  return {
    dir,
    lbctl: (...args: string[]) => run(process.execPath, [LBCTL, ...args], { cwd: dir, env, timeout: 60_000 }),
  };
}
