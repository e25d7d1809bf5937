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
import { nodeGoal, nodesFor } from "../../../cli/hosts/goal.ts";
import { accessOf } from "../../../cli/hosts/machines.ts";
import { statePaths } from "../../../cli/state.ts";
import { sshArgv } from "../../../cli/tools/ssh.ts";
import { awsRecord } from "./record.ts";

const STATE = statePaths("/state dir", "shop");

/** As Terraform prints them. */
const printed = () => readFile(join(import.meta.dirname, "recorded/outputs.json"), "utf8");

async function machines(aws: Record<string, unknown> = {}) {
  const config: ClusterConfig = { ...(await loadClusterConfig()), aws: awsSchema.parse(aws) };
  const outputs = parseOutputs(await printed());
  assert.ok(outputs);
  return toMachines(config, outputs, STATE);
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
  const argv = sshArgv(accessOf(app1, true, STATE), "true");
  assert.deepEqual(argv.slice(argv.indexOf("-i") - 2), [
    "-o",
    "ProxyCommand=aws ssm start-session --target %h --document-name AWS-StartSSHSession --parameters portNumber=%p --region eu-west-1 --profile prod",
    "-i",
    "/state dir/.lbctl/shop/ssh/id_ed25519",
    ...["-o", "IdentitiesOnly=yes", "-p", "22", "-l", "admin", "--", "i-0a1", "true"],
  ]);
});

test("by SSH: the balancer at its elastic address, nodes through it, no key left there", async () => {
  const { balancer, apps } = await machines({ access: "ssh", adminAddresses: ["192.0.2.0/24"] });
  assert.equal(balancer.address, "198.51.100.7");
  assert.equal(apps[0]?.address, "10.80.16.5");
  const [alias, ...proxy] = apps[0]?.sshArgs.filter((arg) => arg !== "-o") ?? [];
  assert.equal(alias, "HostKeyAlias=i-0a1");
  const command = proxy.join();
  assert.match(command, /^ProxyCommand=ssh -W %h:%p .* -- 198\.51\.100\.7$/);
  for (const part of [
    "-i '/state dir/.lbctl/shop/ssh/id_ed25519' -o IdentitiesOnly=yes",
    '\'UserKnownHostsFile="/state dir/.lbctl/shop/known_hosts" ',
    "-o HostKeyAlias=i-0b0",
    "-l admin",
  ])
    assert.ok(command.includes(part), `${part} in ${command}`);
});

for (const access of ["ssm", "ssh"]) {
  test(`by ${access}: a machine is told from another in its place by its id, whatever its address`, async () => {
    const { balancer, apps } = await machines({ access, adminAddresses: ["192.0.2.0/24"] });
    assert.deepEqual(
      [balancer, ...apps].map(({ identity }) => identity),
      ["i-0b0", "i-0a1", "i-0a2", "i-0a3"],
    );
  });
}

test("a machine in the place of another, with its private address, is a node without history", async () => {
  const before = (await machines({ access: "ssh" })).apps;
  const [first, second] = before;
  assert.ok(first && second);
  const record = awsRecord(nodesFor(await loadClusterConfig(), { nodes: [] }, before));
  const goal = nodeGoal(record, [{ ...first, identity: "i-0ff" }, second]);
  assert.deepEqual(
    goal.replaced.map(({ name }) => name),
    ["app1"],
  );
  assert.deepEqual(
    goal.staying.map(({ name }) => name),
    ["app2"],
  );
  const bySession = (await machines({ access: "ssm" })).apps;
  assert.equal(nodeGoal(record, bySession).staying.length, 3, "another way in makes no other machine");
});
