import assert from "node:assert/strict";
import { test } from "node:test";
import { everyCluster, lifecycle, ref, resourcesOf, stackOf } from "./stack.ts";

everyCluster(({ stack }) => {
  test("two zones, which stay when AWS opens another", () => {
    assert.deepEqual(stack.data.aws_availability_zones, {
      here: {
        state: "available",
        filter: [{ name: "opt-in-status", values: ["opt-in-not-required"] }],
      },
    });
    const subnets = resourcesOf(stack, "aws_subnet");
    assert.deepEqual(Object.keys(subnets), ["public", "private-a", "private-b"]);
    const zone = (name: string) => String(subnets[name]?.availability_zone);
    assert.equal(zone("public"), zone("private-a"));
    assert.notEqual(zone("private-a"), zone("private-b"));
    for (const subnet of Object.values(subnets)) {
      assert.deepEqual(lifecycle(subnet).ignore_changes, ["availability_zone"]);
    }
  });

  test("subnets are cut from the VPC's block, none from another's, and give no public address", () => {
    const { tags: _, ...vpc } = resourcesOf(stack, "aws_vpc").main ?? {};
    assert.deepEqual(vpc, {
      cidr_block: "10.80.0.0/16",
      enable_dns_hostnames: true,
      enable_dns_support: true,
    });
    const subnets = Object.values(resourcesOf(stack, "aws_subnet"));
    for (const subnet of subnets) {
      assert.match(String(subnet.cidr_block), /^\$\{cidrsubnet\("10\.80\.0\.0\/16", 4, \d\)\}$/);
      assert.equal(subnet.vpc_id, ref("aws_vpc.main.id"));
      assert.equal(subnet.map_public_ip_on_launch, false);
    }
    assert.equal(new Set(subnets.map(({ cidr_block }) => cidr_block)).size, subnets.length);
  });

  test("the balancer's subnet goes out by the internet gateway, nodes' by the NAT gateway", () => {
    assert.deepEqual(resourcesOf(stack, "aws_route"), {
      public: {
        route_table_id: ref("aws_route_table.public.id"),
        destination_cidr_block: "0.0.0.0/0",
        gateway_id: ref("aws_internet_gateway.main.id"),
      },
      private: {
        route_table_id: ref("aws_route_table.private.id"),
        destination_cidr_block: "0.0.0.0/0",
        nat_gateway_id: ref("aws_nat_gateway.main.id"),
      },
    });
    assert.deepEqual(
      Object.values(resourcesOf(stack, "aws_route_table_association")).map(
        ({ subnet_id, route_table_id }) => [subnet_id, route_table_id],
      ),
      [
        [ref("aws_subnet.public.id"), ref("aws_route_table.public.id")],
        [ref("aws_subnet.private-a.id"), ref("aws_route_table.private.id")],
        [ref("aws_subnet.private-b.id"), ref("aws_route_table.private.id")],
      ],
    );
  });

  test("the NAT gateway is in the public subnet, with an address of its own, once there is a way out", () => {
    const { tags: _, ...nat } = resourcesOf(stack, "aws_nat_gateway").main ?? {};
    assert.deepEqual(nat, {
      subnet_id: ref("aws_subnet.public.id"),
      allocation_id: ref("aws_eip.nat.id"),
      depends_on: ["aws_internet_gateway.main"],
    });
    assert.equal(resourcesOf(stack, "aws_internet_gateway").main?.vpc_id, ref("aws_vpc.main.id"));
    assert.equal(resourcesOf(stack, "aws_eip").nat?.domain, "vpc");
  });

  test("the VPC's default security group lets nothing in and nothing out", () => {
    const { tags: _, ...group } = resourcesOf(stack, "aws_default_security_group").unused ?? {};
    assert.deepEqual(group, { vpc_id: ref("aws_vpc.main.id") });
  });
});

test("a VPC that is there already: nothing of it is made or changed, and only what is inside is", () => {
  const network = {
    vpc: "vpc-0a",
    publicSubnet: "subnet-0a",
    privateSubnets: ["subnet-0b", "subnet-0c"],
  } as const;
  const stack = stackOf({ network });
  for (const type of [
    "aws_vpc",
    "aws_subnet",
    "aws_nat_gateway",
    "aws_internet_gateway",
    "aws_route",
    "aws_route_table",
    "aws_route_table_association",
    "aws_default_security_group",
  ]) {
    assert.equal(stack.resource[type], undefined, type);
  }
  const machines = resourcesOf(stack, "aws_instance");
  assert.deepEqual(
    Object.entries(machines).map(([name, { subnet_id }]) => [name, subnet_id]),
    [
      ["balancer", "subnet-0a"],
      ["app1", "subnet-0b"],
      ["app2", "subnet-0c"],
      ["app3", "subnet-0b"],
    ],
  );
  for (const group of Object.values(resourcesOf(stack, "aws_security_group"))) {
    assert.equal(group.vpc_id, "vpc-0a");
  }
  assert.equal(
    resourcesOf(stack, "aws_ebs_volume").journal?.availability_zone,
    ref("data.aws_subnet.public.availability_zone"),
  );
  assert.deepEqual(stack.data.aws_subnet, { public: { id: "subnet-0a" } });
});
