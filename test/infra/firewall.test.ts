import assert from "node:assert/strict";
import { test } from "node:test";
import { all, everyCluster, lifecycle, ref, resourcesOf, type Synthesized, stackOf } from "./stack.ts";

everyCluster(({ stack }) => {
  test("only clients get in from outside; nodes are reached by the balancer alone", () => {
    assert.deepEqual(allowed(stack, "in"), [
      "apps 4567 from balancer",
      "apps 9100 from balancer",
      "balancer 80 from 0.0.0.0/0",
    ]);
  });

  test("out go packages and Session Manager, and the balancer to its nodes", () => {
    assert.deepEqual(allowed(stack, "out"), [
      "apps 443 to 0.0.0.0/0",
      "apps 80 to 0.0.0.0/0",
      "balancer 443 to 0.0.0.0/0",
      "balancer 4567 to apps",
      "balancer 80 to 0.0.0.0/0",
      "balancer 9100 to apps",
    ]);
  });

  test("groups have no rules but those, each machine is in one of them alone", () => {
    for (const { address, type, values } of all(stack)) {
      assert.notEqual(type, "aws_security_group_rule");
      if (!type.endsWith("security_group")) continue;
      assert.deepEqual([values.ingress, values.egress], [undefined, undefined], address);
    }
    for (const [name, { vpc_security_group_ids }] of Object.entries(resourcesOf(stack, "aws_instance"))) {
      const group = name === "balancer" ? "balancer" : "apps";
      assert.deepEqual(vpc_security_group_ids, [ref(`aws_security_group.${group}.id`)], name);
    }
  });

  test("groups are of the VPC; one that is to be another is made before the old one goes, which machines are still in", () => {
    const groups = resourcesOf(stack, "aws_security_group");
    assert.deepEqual(Object.keys(groups), ["balancer", "apps"]);
    for (const [name, group] of Object.entries(groups)) {
      assert.deepEqual(lifecycle(group), { create_before_destroy: true });
      assert.equal(group.vpc_id, ref("aws_vpc.main.id"));
      // A VPC has no two groups of one name.
      assert.deepEqual([group.name, group.name_prefix], [undefined, `lbctl-shop-${name}-`]);
    }
  });
});

test("access by SSH: port 22 from administrators to the balancer, and on to nodes", () => {
  const stack = stackOf({ access: "ssh", adminAddresses: ["192.0.2.0/24", "2001:db8::/64"] });
  assert.deepEqual(allowed(stack, "in"), [
    "apps 22 from balancer",
    "apps 4567 from balancer",
    "apps 9100 from balancer",
    "balancer 1936 from 192.0.2.0/24",
    "balancer 1936 from 2001:db8::/64",
    "balancer 22 from 192.0.2.0/24",
    "balancer 22 from 2001:db8::/64",
    "balancer 3000 from 192.0.2.0/24",
    "balancer 3000 from 2001:db8::/64",
    "balancer 80 from 0.0.0.0/0",
  ]);
  assert.ok(allowed(stack, "out").includes("balancer 22 to apps"));
});

test("access by Session Manager: administrators reach the pages, and no port 22 is open", () => {
  assert.deepEqual(allowed(stackOf({ adminAddresses: ["192.0.2.0/24"] }), "in"), [
    "apps 4567 from balancer",
    "apps 9100 from balancer",
    "balancer 1936 from 192.0.2.0/24",
    "balancer 3000 from 192.0.2.0/24",
    "balancer 80 from 0.0.0.0/0",
  ]);
});

test("blocks that differ in a colon only have a rule each", () => {
  const trafficAddresses = [
    "1::/16",
    "1::16:0/128",
    "::1:0:0/96",
    "1:2:3:4:5:6:7:8/128",
    "1.2.3.4/32",
    "::/0",
  ];
  const rules = allowed(stackOf({ trafficAddresses }), "in").filter((rule) =>
    rule.startsWith("balancer 80 "),
  );
  assert.deepEqual(rules, trafficAddresses.map((block) => `balancer 80 from ${block}`).sort());
});

/** `apps 4567 from balancer`, sorted. */
function allowed(stack: Synthesized, way: "in" | "out"): string[] {
  const group = (reference: unknown) => /^\$\{aws_security_group\.(\w+)\.id\}$/.exec(String(reference))?.[1];
  const rules = resourcesOf(stack, `aws_vpc_security_group_${way === "in" ? "in" : "e"}gress_rule`);
  return Object.values(rules)
    .map((rule) => {
      assert.equal(rule.ip_protocol, "tcp");
      assert.equal(rule.from_port, rule.to_port);
      const other = rule.cidr_ipv4 ?? rule.cidr_ipv6 ?? group(rule.referenced_security_group_id);
      const direction = `${way === "in" ? "from" : "to"} ${other}`;
      assert.equal(rule.description, direction);
      return `${group(rule.security_group_id)} ${rule.from_port} ${direction}`;
    })
    .sort();
}
