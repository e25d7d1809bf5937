/** Another checkout, another account, another machine, another version: whoever goes on with a cluster. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { suite, test } from "node:test";
import { UserError } from "../../../cli/errors.ts";
import { claimStateDir } from "../../../cli/state-target.ts";
import { AWS_PROVIDER_VERSION } from "../../../infra/provider-version.ts";
import { bedOf, S3, stateOf } from "./bed.ts";

test("after an update of lbctl the lock file is that of its version of the provider", async (t) => {
  const bed = await bedOf(t);
  await bed.target.plan(bed.config(1), bed.yes);
  const file = join(stateOf(bed.config(1)).dir, "terraform/.terraform.lock.hcl");
  const lock = await readFile(file, "utf8");
  await writeFile(file, lock.replaceAll(AWS_PROVIDER_VERSION, "6.0.0"));
  await bed.target.plan(bed.config(1), bed.yes);
  assert.equal(await readFile(file, "utf8"), lock);
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

test("nor is what is there without machines: a first deploy that stopped after its network", async (t) => {
  const bed = await bedOf(t);
  await bed.target.deploy(bed.config(1), bed.yes);
  const file = join(stateOf(bed.config(1)).dir, "terraform/terraform.tfstate");
  const all = Object.entries<unknown>(JSON.parse(await readFile(file, "utf8")));
  const network = Object.fromEntries(all.filter(([address]) => !address.startsWith("aws_instance.")));
  await writeFile(file, JSON.stringify(network));
  bed.env({ STAND_IN_OTHER_ACCOUNT: "yes" });
  for (const how of ["deploy", "plan"] as const)
    await assert.rejects(bed.target[how](bed.config(1), bed.yes), { code: "aws_other_account" });
  await assert.rejects(bed.target.destroy(bed.config(1), { keepData: false }, bed.yes), {
    code: "aws_other_account",
  });
  assert.deepEqual(JSON.parse(await readFile(file, "utf8")), network);
});

test("destroy asks Terraform wherever a state is, also where its lock file is not", async (t) => {
  const bed = await bedOf(t);
  await bed.target.deploy(bed.config(2), bed.yes);
  const dir = join(stateOf(bed.config(2)).dir, "terraform");
  await rm(join(dir, ".terraform.lock.hcl"));
  assert.equal(await bed.target.destroy(bed.config(2), { keepData: false }, bed.yes), true);
  assert.deepEqual(await bed.left(), []);
});

test("what Terraform keeps for itself and cannot read is told by Terraform", async (t) => {
  const bed = await bedOf(t, S3);
  await bed.target.deploy(bed.config(1), bed.yes);
  const { aws } = bed.config(1);
  const file = join(stateOf(bed.config(1)).dir, "terraform/.terraform/terraform.tfstate");
  const kept = JSON.parse(await readFile(file, "utf8"));
  await writeFile(file, JSON.stringify({ ...kept, backend: { config: kept.backend.config } }));
  const ops = { ...bed.config(1), aws: { ...aws, profile: "ops" } };
  await assert.rejects(bed.target.deploy(ops, bed.yes), { code: "state_moved" });
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

test("another profile for the same state in S3 is no move of it; another bucket is", async (t) => {
  const bed = await bedOf(t, S3);
  const config = bed.config(1);
  await bed.target.deploy(config, bed.yes);
  const ops = { ...config, aws: { ...config.aws, profile: "ops" } };
  assert.deepEqual(await bed.target.deploy(ops, bed.yes), [], "it is the same cluster");
  const state = { backend: "s3", bucket: "another-state" } as const;
  await assert.rejects(bed.target.deploy({ ...config, aws: { ...config.aws, state } }, bed.yes), {
    code: "state_moved",
  });
  assert.ok((await bed.left()).includes("aws_instance.app1"));
});

for (const [where, yaml, args] of [
  ["in S3, which others use, is not locked", S3, /^plan .*-lock=false/m],
  ["that is here is locked", "", /^plan (?!.*-lock=false)/m],
] as const) {
  test(`for a plan that nobody applies a state ${where}; for a deploy it is`, async (t) => {
    const bed = await bedOf(t, yaml);
    const said = join(stateOf(bed.config(1)).dir, "said");
    bed.env({ STAND_IN_NOTES: said });
    await bed.target.plan(bed.config(1), bed.yes);
    assert.match(await readFile(said, "utf8"), args);
    await rm(said);
    await bed.target.deploy(bed.config(1), bed.yes);
    assert.doesNotMatch(await readFile(said, "utf8"), /-lock=false/);
  });
}

test("a plan leaves a state directory free for another target; one of another target it does not enter", async (t) => {
  const bed = await bedOf(t);
  const config = bed.config(1);
  await bed.target.plan(config, bed.yes);
  const giveBack = await claimStateDir({ ...config, target: "local" });
  await assert.rejects(bed.target.plan(config, bed.yes), { code: "other_target" });
  await giveBack();
  await bed.target.deploy(config, bed.yes);
  await assert.rejects(claimStateDir({ ...config, target: "local" }), { code: "other_target" });
});

test("a destroy that is refused leaves the configuration with the machines' key: Terraform may be used by hand", async (t) => {
  const bed = await bedOf(t);
  const config = bed.config(1);
  await bed.target.deploy(config, bed.yes);
  const file = join(stateOf(config).dir, "terraform/main.tf.json");
  const before = await readFile(file, "utf8");
  bed.env({ STAND_IN_OTHER_ACCOUNT: "yes" });
  await assert.rejects(bed.target.destroy(config, { keepData: false }, bed.yes));
  assert.equal(await readFile(file, "utf8"), before);
});

test("a key pair that is gone at AWS is made again, for the same key", async (t) => {
  const bed = await bedOf(t);
  await bed.target.deploy(bed.config(1), bed.yes);
  await bed.changeState((state) => void delete state["aws_key_pair.admin"]);
  const changes = await bed.target.deploy(bed.config(1), bed.yes);
  assert.deepEqual(
    changes.map(({ action, what }) => `${action} ${what}`),
    ["create aws_key_pair.admin"],
  );
});

test("another key is refused also where the pair is gone, or is that other key's by Terraform alone", async (t) => {
  const bed = await bedOf(t);
  const config = bed.config(2);
  await bed.target.deploy(config, bed.yes);
  const ssh = join(stateOf(config).dir, "ssh");
  await rename(ssh, `${ssh}.first`);
  const refused = async () => {
    for (const how of ["deploy", "scale", "plan"] as const)
      await assert.rejects(bed.target[how](config, bed.yes), (error) => {
        assert.ok(error instanceof UserError);
        assert.equal(error.code, "ssh_key_differs");
        assert.match(error.next.join("\n"), /^mv .*ssh.* .*ssh\.other/);
        return true;
      });
  };
  await bed.changeState((state) => void delete state["aws_key_pair.admin"]);
  await refused();
  // As by an apply of one machine here: the configuration of the plan that was refused has this key.
  const file = join(stateOf(config).dir, "terraform/main.tf.json");
  const { resource } = JSON.parse(await readFile(file, "utf8"));
  await bed.changeState((state) => {
    state["aws_key_pair.admin"] = { values: resource.aws_key_pair.admin, id: "key-2" };
  });
  await refused();
  await rm(ssh, { recursive: true });
  await rename(`${ssh}.first`, ssh);
  const changes = await bed.target.deploy(config, bed.yes);
  assert.deepEqual(
    changes.map(({ action, what }) => `${action} ${what}`),
    ["replace aws_key_pair.admin"],
    "the first one is the machines' still",
  );
});

test("what a plan that was killed leaves claims nothing: an empty state, and no apply", async (t) => {
  const bed = await bedOf(t);
  const config = bed.config(1);
  await bed.target.plan(config, bed.yes);
  await writeFile(join(stateOf(config).dir, "terraform/terraform.tfstate"), "");
  await (await claimStateDir({ ...config, target: "local" }))();
});

suite("with the state in S3, from another checkout", () => {
  test("without the machines' key: deploy, scale and plan are refused, and no machine gets another", async (t) => {
    const bed = await bedOf(t, S3);
    await bed.target.deploy(bed.config(1), bed.yes);
    await bed.anotherCheckout();
    for (const how of ["deploy", "scale", "plan"] as const)
      await assert.rejects(bed.target[how](bed.config(1), bed.yes), { code: "ssh_key_differs" });
    await assert.rejects(bed.target.checkScale(bed.config(1), 2, bed.yes), { code: "ssh_key_differs" });
    assert.equal((await bed.left()).filter((address) => address === "aws_instance.app1").length, 1);
  });

  test("destroy asks nothing of the key, whatever it is", async (t) => {
    const bed = await bedOf(t);
    await bed.target.deploy(bed.config(1), bed.yes);
    await writeFile(join(stateOf(bed.config(1)).dir, "ssh/id_ed25519"), "no key\n");
    assert.equal(await bed.target.destroy(bed.config(1), { keepData: false }, bed.yes), true);
    assert.deepEqual(await bed.left(), []);
  });

  test("a cluster that was destroyed from there is forgotten here: nobody drains its nodes", async (t) => {
    const bed = await bedOf(t, S3);
    await bed.target.deploy(bed.config(3), bed.yes);
    await bed.destroyedElsewhere();
    bed.env({ STAND_IN_FAILS: "aws_instance.app1", STAND_IN_SAYS: "api error InternalError: later" });
    await assert.rejects(bed.target.deploy(bed.config(3), bed.yes), { code: "terraform_failed" });
    bed.env({ STAND_IN_FAILS: "" });
    bed.installed.length = 0;
    await bed.target.deploy(bed.config(2), bed.yes);
    assert.deepEqual(bed.installed, ["deploy i-app1-2 i-app2-2"]);
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
