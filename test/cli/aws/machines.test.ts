import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { awsSchema } from "../../../cli/aws/aws-config.ts";
import { toMachines } from "../../../cli/aws/machines.ts";
import { parseOutputs } from "../../../cli/aws/outputs.ts";
import type { ClusterConfig } from "../../../cli/cluster-config.ts";
import { loadClusterConfig } from "../../../cli/config-file.ts";
import { UserError } from "../../../cli/errors.ts";
import { accessOf } from "../../../cli/hosts/machines.ts";
import { statePaths } from "../../../cli/state.ts";
import { sshArgv } from "../../../cli/tools/ssh.ts";

/** As Terraform prints them. */
const printed = () => readFile(join(import.meta.dirname, "recorded/outputs.json"), "utf8");

async function machines(aws: Record<string, unknown> = {}) {
  const config: ClusterConfig = { ...(await loadClusterConfig()), aws: awsSchema.parse(aws) };
  const outputs = parseOutputs(await printed());
  assert.ok(outputs);
  return toMachines(config, outputs, "/state dir/ssh/id_ed25519");
}

test("Terraform's outputs: every node by name, in order, under the address that the others use", async () => {
  const { apps, balancer, traffic, monitoring } = await machines();
  assert.deepEqual(
    apps.map(({ name, inside, address }) => [name, inside, address]),
    [
      ["app1", "10.80.16.5", "i-0a1"],
      ["app2", "10.80.32.5", "i-0a2"],
      ["app3", "10.80.16.9", "i-0a3"],
    ],
  );
  assert.deepEqual([balancer.inside, balancer.address, traffic], ["10.80.0.5", "i-0b0", "198.51.100.7"]);
  assert.equal(monitoring, balancer);
});

test("app10 is not before app2; nothing made yet is null, half of it an error", async () => {
  const found = JSON.parse(await printed());
  found.nodes.value.app10 = { instance_id: "i-10", private_ip: "10.80.32.9" };
  const names = parseOutputs(JSON.stringify(found))?.nodes.map(({ name }) => name);
  assert.deepEqual(names, ["app1", "app2", "app3", "app10"]);
  assert.equal(parseOutputs("{}"), null);
  delete found.nodes.value.app2.private_ip;
  assert.throws(
    () => parseOutputs(JSON.stringify(found)),
    (error) => {
      assert.ok(error instanceof UserError);
      assert.equal(error.code, "outputs_incomplete");
      assert.match(error.problems.join(), /nodes\/value\/app2\/private_ip/);
      return true;
    },
  );
});

test("by Session Manager: SSH's command line, with region and profile, and no address", async () => {
  const { apps } = await machines({ region: "eu-west-1", profile: "prod" });
  const [app1] = apps;
  assert.ok(app1);
  const argv = sshArgv(accessOf(app1, true, statePaths("/state dir", "shop")), "true");
  assert.deepEqual(argv.slice(argv.indexOf("-i") - 2), [
    "-o",
    "ProxyCommand=aws ssm start-session --target %h --document-name AWS-StartSSHSession --parameters portNumber=%p --region eu-west-1 --profile prod",
    "-i",
    "/state dir/ssh/id_ed25519",
    ...["-o", "IdentitiesOnly=yes", "-p", "22", "-l", "admin", "--", "i-0a1", "true"],
  ]);
});

test("by SSH: the balancer at its elastic address, nodes through it, no key left there", async () => {
  const { balancer, apps } = await machines({ access: "ssh", adminAddresses: ["192.0.2.0/24"] });
  assert.deepEqual([balancer.address, balancer.sshArgs], ["198.51.100.7", []]);
  assert.equal(apps[0]?.address, "10.80.16.5");
  assert.match(
    apps[0]?.sshArgs.join(" ") ?? "",
    /^-o ProxyCommand=ssh -i '\/state dir\/ssh\/id_ed25519' .* -W %h:%p admin@198\.51\.100\.7$/,
  );
});
