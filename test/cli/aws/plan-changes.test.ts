import assert from "node:assert/strict";
import { test } from "node:test";
import {
  machinesThere,
  madeMachines,
  planChanges,
  removedNodes,
  replacedNodes,
} from "../../../cli/aws/plan-changes.ts";
import { resource } from "./plan.ts";

test("what Terraform would do, in lbctl's words", () => {
  const size = (instance_type: string) => ({ instance_type, ami: "ami-1" });
  const plan = {
    resource_changes: [
      { ...resource("aws_ami.debian", ["read"]), mode: "data" },
      resource("aws_vpc.main", ["no-op"], { before: { cidr_block: "10.80.0.0/16" } }),
      resource("aws_instance.app4", ["create"], { after: size("t3.small") }),
      resource("aws_instance.app5", ["delete"], { before: size("t3.small") }),
      resource("aws_instance.app1", ["update"], { before: size("t3.small"), after: size("t3.large") }),
      resource("aws_instance.app2", ["delete", "create"], {
        before: size("t3.small"),
        replace_paths: [["ami"]],
      }),
      resource("aws_instance.app3", ["create", "delete"], {
        before: size("t3.small"),
        replace_paths: [["ami"]],
      }),
      resource("aws_ebs_volume.journal", ["create"], { after: { size: 20 } }),
    ],
  };
  assert.deepEqual(planChanges(plan), [
    { action: "create", what: "aws_instance.app4", detail: "t3.small" },
    { action: "remove", what: "aws_instance.app5", detail: "t3.small" },
    { action: "change", what: "aws_instance.app1", detail: 'instance_type "t3.small" → "t3.large"' },
    { action: "replace", what: "aws_instance.app2", detail: "another ami" },
    { action: "replace", what: "aws_instance.app3", detail: "another ami" },
    { action: "create", what: "aws_ebs_volume.journal", detail: "20 GiB" },
  ]);
  assert.deepEqual(madeMachines(plan), ["app4", "app2", "app3"]);
  assert.deepEqual(removedNodes(plan), ["app5"]);
  assert.deepEqual(replacedNodes(plan), ["app2", "app3"]);
});

test("of tags only those that change are shown; what AWS alone knows is said to be known later", () => {
  const tags = (Team: string) => ({
    tags: { Name: "lbctl-shop-app1", Team },
    tags_all: { Cluster: "shop", Name: "lbctl-shop-app1", Team },
  });
  const change = {
    before: { ...tags("web"), public_ip: "198.51.100.7", size: null },
    after: { ...tags("shop"), size: 20 },
    after_unknown: { public_ip: true, tags: {} },
  };
  assert.deepEqual(planChanges({ resource_changes: [resource("aws_instance.app1", ["update"], change)] }), [
    {
      action: "change",
      what: "aws_instance.app1",
      detail:
        'tags_all/Team "web" → "shop", public_ip "198.51.100.7" → known once it is done, size null → 20',
    },
  ]);
});

test("machines are those that the plan found, where outputs are older; one that is gone keeps its name", () => {
  const machine = (name: string, id: string, private_ip: string) =>
    resource(`aws_instance.${name}`, ["no-op"], { before: { id, private_ip } });
  const node = (n: number) => ({ instance_id: `i-${n}`, private_ip: `10.0.1.${n}` });
  const balancer = { instance_id: "i-b1", private_ip: "10.0.0.5", address: "198.51.100.7" };
  const said = {
    balancer: { before: balancer },
    nodes: { before: { app1: node(1), app2: node(2), app3: node(3) } },
  };
  const plan = {
    output_changes: said,
    resource_changes: [
      machine("balancer", "i-b2", "10.0.0.6"),
      machine("app1", "i-1", "10.0.1.1"),
      machine("app2", "i-22", "10.0.1.22"),
      resource("aws_instance.app3", ["create"]),
      machine("app4", "i-4", "10.0.1.4"),
    ],
  };
  assert.deepEqual(machinesThere(plan), {
    balancer: { instance_id: "i-b2", private_ip: "10.0.0.6", address: "198.51.100.7" },
    nodes: [
      { name: "app1", ...node(1) },
      { name: "app2", instance_id: "i-22", private_ip: "10.0.1.22" },
      { name: "app3", ...node(3) },
    ],
  });
  assert.equal(
    machinesThere({ resource_changes: plan.resource_changes }),
    null,
    "nothing was applied to its end",
  );
  assert.equal(machinesThere({ ...plan, output_changes: { ...said, nodes: { before: null } } }), null);
});

test("an empty plan changes nothing", () => {
  assert.deepEqual(planChanges({}), []);
});
