import assert from "node:assert/strict";
import { test } from "node:test";
import { everyCluster, instances, ref, resourcesOf, stackOf } from "./stack.ts";

everyCluster(({ stack }) => {
  test("machines may do at AWS what Session Manager needs, and nothing else", () => {
    const policies = resourcesOf(stack, "aws_iam_role_policy");
    assert.deepEqual(Object.keys(policies), ["session-manager"]);
    const { policy, ...rest } = policies["session-manager"] ?? {};
    assert.deepEqual(rest, { name: "session-manager", role: ref("aws_iam_role.machine.name") });
    assert.deepEqual(JSON.parse(String(policy)), {
      Version: "2012-10-17",
      Statement: [
        {
          Effect: "Allow",
          Action: [
            "ssm:UpdateInstanceInformation",
            "ssmmessages:CreateControlChannel",
            "ssmmessages:CreateDataChannel",
            "ssmmessages:OpenControlChannel",
            "ssmmessages:OpenDataChannel",
          ],
          Resource: "*",
        },
      ],
    });
    for (const type of Object.keys(stack.resource).filter((name) => name.startsWith("aws_iam_"))) {
      assert.ok(["aws_iam_role", "aws_iam_role_policy", "aws_iam_instance_profile"].includes(type), type);
    }
  });

  test("only machines of EC2 may take the role, which has no policy but that", () => {
    const roles = resourcesOf(stack, "aws_iam_role");
    assert.deepEqual(Object.keys(roles), ["machine"]);
    const { assume_role_policy, ...rest } = roles.machine ?? {};
    assert.deepEqual(JSON.parse(String(assume_role_policy)), {
      Version: "2012-10-17",
      Statement: [{ Effect: "Allow", Action: "sts:AssumeRole", Principal: { Service: "ec2.amazonaws.com" } }],
    });
    assert.deepEqual(Object.keys(rest).sort(), ["description", "name_prefix", "tags"]);
  });

  test("every machine has the profile with that role, and the administrator's key", () => {
    assert.equal(
      resourcesOf(stack, "aws_iam_instance_profile").machine?.role,
      ref("aws_iam_role.machine.name"),
    );
    assert.match(String(resourcesOf(stack, "aws_key_pair").admin?.public_key), /^ssh-ed25519 .+ lbctl-shop$/);
    for (const { iam_instance_profile, key_name } of instances(stack)) {
      assert.equal(iam_instance_profile, ref("aws_iam_instance_profile.machine.name"));
      assert.equal(key_name, ref("aws_key_pair.admin.key_name"));
    }
  });
});

test("no name that has to be the only one is fixed: a deploy that was stopped may have left one that no state knows", () => {
  const cluster = "a-name-of-thirty-two-characters-x";
  const stack = stackOf({ cluster: cluster.slice(0, 32) });
  for (const [type, values] of [
    ["aws_iam_role", resourcesOf(stack, "aws_iam_role").machine],
    ["aws_iam_instance_profile", resourcesOf(stack, "aws_iam_instance_profile").machine],
    ["aws_key_pair", resourcesOf(stack, "aws_key_pair").admin],
  ] as const) {
    const { name, key_name, name_prefix, key_name_prefix = name_prefix } = values ?? {};
    assert.deepEqual([name, key_name], [undefined, undefined], type);
    assert.match(String(key_name_prefix), /^lbctl-a-name-of-/, type);
    assert.ok(String(key_name_prefix).length <= 38, type);
  }
});

test("access by SSH: machines have the key, no agent, and no rights at AWS", () => {
  const stack = stackOf({ access: "ssh", adminAddresses: ["192.0.2.0/24"] });
  assert.deepEqual(
    Object.keys(stack.resource).filter((type) => type.startsWith("aws_iam_")),
    [],
  );
  for (const instance of instances(stack)) {
    assert.equal(instance.key_name, ref("aws_key_pair.admin.key_name"));
    assert.equal(instance.iam_instance_profile, undefined);
    assert.doesNotMatch(String(instance.user_data), /ssm/);
  }
});
