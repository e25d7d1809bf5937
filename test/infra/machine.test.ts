import assert from "node:assert/strict";
import { test } from "node:test";
import {
  everyCluster,
  instances,
  lifecycle,
  type Resource,
  ref,
  resourcesOf,
  type Synthesized,
  stackOf,
} from "./stack.ts";

everyCluster(({ stack, architecture }) => {
  test("Debian 12 for the machines' architecture, of Debian's own account", () => {
    const name = `debian-${architecture}`;
    assert.deepEqual(stack.data.aws_ami, {
      [name]: {
        owners: ["136693071363"],
        most_recent: true,
        filter: [
          { name: "name", values: [`debian-12-${architecture === "arm64" ? "arm64" : "amd64"}-*`] },
          { name: "architecture", values: [architecture] },
          { name: "virtualization-type", values: ["hvm"] },
          { name: "root-device-type", values: ["ebs"] },
        ],
      },
    });
    for (const { ami } of instances(stack)) assert.equal(ami, ref(`data.aws_ami.${name}.id`));
  });

  test("machines are of the types that are said", () => {
    const types = architecture === "arm64" ? ["t4g.medium", "m7g.medium"] : ["t3.medium", "t3.small"];
    for (const [name, { instance_type }] of Object.entries(resourcesOf(stack, "aws_instance"))) {
      assert.equal(instance_type, types[name === "balancer" ? 0 : 1], name);
    }
  });

  test("no machine has a public address of its own, and nodes are in private subnets, in turn", () => {
    for (const instance of instances(stack)) assert.equal(instance.associate_public_ip_address, false);
    const { balancer, ...nodes } = resourcesOf(stack, "aws_instance");
    assert.equal(balancer?.subnet_id, ref("aws_subnet.public.id"));
    for (const [name, node] of Object.entries(nodes)) {
      const zone = Number(name.slice(3)) % 2 === 1 ? "a" : "b";
      assert.equal(node.subnet_id, ref(`aws_subnet.private-${zone}.id`), name);
    }
  });

  test("IMDSv2 only, one hop", () => {
    for (const instance of instances(stack)) {
      assert.deepEqual(instance.metadata_options, {
        http_endpoint: "enabled",
        http_tokens: "required",
        http_put_response_hop_limit: 1,
      });
    }
  });

  test("every machine's own disk is encrypted, solid-state, and goes with it", () => {
    for (const instance of instances(stack)) {
      const { tags: _, ...disk } = instance.root_block_device as Resource;
      assert.deepEqual(disk, {
        encrypted: true,
        volume_type: "gp3",
        volume_size: 16,
        delete_on_termination: true,
      });
    }
  });

  test("a machine starts once it has a way out: routes and its group's rules come first", () => {
    for (const [name, { depends_on }] of Object.entries(resourcesOf(stack, "aws_instance"))) {
      assert.deepEqual([...(depends_on as string[])].sort(), wayOut(stack, name), name);
    }
  });

  test("a newer Debian, another way to start, or a key pair that was made again replaces no machine that runs; nothing else holds it or comes first", () => {
    for (const instance of instances(stack)) {
      assert.deepEqual(lifecycle(instance), {
        ignore_changes: ["user_data", "key_name", "associate_public_ip_address", "ami"],
      });
    }
  });

  test("all that is said of a machine is what these tests look at", () => {
    for (const instance of instances(stack)) {
      assert.deepEqual(Object.keys(instance).sort(), [
        "ami",
        "associate_public_ip_address",
        "depends_on",
        "ebs_optimized",
        "iam_instance_profile",
        "instance_type",
        "key_name",
        "lifecycle",
        "metadata_options",
        "root_block_device",
        "subnet_id",
        "tags",
        "user_data",
        "vpc_security_group_ids",
      ]);
    }
  });

  test("disks have a way of their own, beside the network's", () => {
    for (const { ebs_optimized } of instances(stack)) assert.equal(ebs_optimized, true);
  });

  test("Session Manager's agent for the architecture is installed at every machine's first start", () => {
    const folder = architecture === "arm64" ? "debian_arm64" : "debian_amd64";
    for (const { user_data } of instances(stack)) {
      const script = String(user_data);
      const bucket = "https://s3.eu-central-1.amazonaws.com/amazon-ssm-eu-central-1";
      assert.ok(script.includes(` ${bucket}/latest/${folder}/amazon-ssm-agent.deb `), script);
      assert.match(script, /^retry apt-get .* install \/run\/amazon-ssm-agent\.deb$/m);
      assert.match(script, /^systemctl enable --now amazon-ssm-agent$/m);
    }
  });
});

test("an image that is named is used as it is, and followed", () => {
  const stack = stackOf({ image: "ami-0123456789abcdef0" });
  assert.equal(stack.data.aws_ami, undefined);
  for (const instance of instances(stack)) {
    assert.equal(instance.ami, "ami-0123456789abcdef0");
    assert.deepEqual(lifecycle(instance).ignore_changes, [
      "user_data",
      "key_name",
      "associate_public_ip_address",
    ]);
  }
});

test("in a VPC that is there already machines wait for their group's rules; routes are its owner's", () => {
  const stack = stackOf({
    network: { vpc: "vpc-0a", publicSubnet: "subnet-0a", privateSubnets: ["subnet-0b", "subnet-0c"] },
  });
  for (const [name, { depends_on }] of Object.entries(resourcesOf(stack, "aws_instance"))) {
    assert.deepEqual([...(depends_on as string[])].sort(), rulesOf(stack, name), name);
  }
});

function wayOut(stack: Synthesized, machine: string): string[] {
  const [side, subnets] =
    machine === "balancer" ? ["public", ["public"]] : ["private", ["private-a", "private-b"]];
  return [
    `aws_route.${side}`,
    ...subnets.map((name) => `aws_route_table_association.${name}`),
    ...rulesOf(stack, machine),
  ].sort();
}

/** Addresses of all rules of the machine's group, as they are in the stack. */
function rulesOf(stack: Synthesized, machine: string): string[] {
  const group = ref(`aws_security_group.${machine === "balancer" ? "balancer" : "apps"}.id`);
  return ["aws_vpc_security_group_ingress_rule", "aws_vpc_security_group_egress_rule"]
    .flatMap((type) =>
      Object.entries(resourcesOf(stack, type))
        .filter(([, { security_group_id }]) => security_group_id === group)
        .map(([name]) => `${type}.${name}`),
    )
    .sort();
}
