import assert from "node:assert/strict";
import { test } from "node:test";
import { AWS_PROVIDER_VERSION } from "../../infra/provider-version.ts";
import { synthesize } from "../../infra/synth.ts";
import { all, everyCluster, instances, type Resource, ref, resourcesOf, settings, stackOf } from "./stack.ts";

/** What AWS lets carry tags; a rule of checkov's would see only some of them. */
const TAGGED =
  /^aws_(vpc|subnet|internet_gateway|nat_gateway|eip|route_table|default_security_group|security_group|vpc_security_group_(in|e)gress_rule|key_pair|iam_role|iam_instance_profile|instance|ebs_volume)$/;

everyCluster(({ stack, nodes, state }) => {
  test("a machine for the balancer and one for each node, by name", () => {
    assert.deepEqual(Object.keys(resourcesOf(stack, "aws_instance")), ["balancer", ...nodes]);
  });

  test("outputs name each machine, the balancer's elastic address and the key that machines are made with", () => {
    const machine = (name: string) => ({
      instance_id: ref(`aws_instance.${name}.id`),
      private_ip: ref(`aws_instance.${name}.private_ip`),
    });
    assert.deepEqual(stack.output, {
      balancer: { value: { ...machine("balancer"), address: ref("aws_eip.balancer.public_ip") } },
      nodes: { value: Object.fromEntries(nodes.map((name) => [name, machine(name)])) },
      public_key: { value: stack.resource.aws_key_pair?.admin?.public_key },
    });
  });

  test("the state is where it is said, with a lock there", () => {
    const { backend, ...place } = state;
    assert.deepEqual(stack.terraform.backend, {
      [backend]:
        backend === "local" ? { path: "terraform.tfstate" } : { ...place, encrypt: true, use_lockfile: true },
    });
    const needed: unknown = stack.terraform.required_version;
    assert.equal(needed, backend === "s3" ? ">= 1.10" : ">= 1.6");
  });

  test("the provider is pinned, and told no more than where and which tags", () => {
    assert.deepEqual(stack.terraform.required_providers, {
      aws: { source: "aws", version: AWS_PROVIDER_VERSION },
    });
    assert.deepEqual(stack.provider, {
      aws: [
        {
          region: "eu-central-1",
          default_tags: [{ tags: { Team: "web", Cluster: "shop", ManagedBy: "lbctl" } }],
        },
      ],
    });
  });

  test("every resource that can be is tagged with its name; the cluster's tags are on disks as well", () => {
    for (const { address, type, values } of all(stack)) {
      if (!TAGGED.test(type)) continue;
      assert.match(String((values.tags as Resource | undefined)?.Name), /^lbctl-shop-/, address);
    }
    for (const instance of instances(stack)) {
      const { tags } = instance.root_block_device as { tags: Resource };
      assert.deepEqual({ Team: tags.Team, Cluster: tags.Cluster }, { Team: "web", Cluster: "shop" });
    }
  });

  test("no address has a number of a list or a hash in it, and each is referred to as it is", () => {
    const known = new Set([
      ...all(stack).map(({ address }) => address),
      ...Object.entries(stack.data).flatMap(([type, named]) =>
        Object.keys(named).map((name) => `data.${type}.${name}`),
      ),
    ]);
    for (const address of known) assert.doesNotMatch(address, /_[0-9A-F]{8}$|\[\d+\]/);
    const references = JSON.stringify(stack).matchAll(/\$\{(?:element\()?((?:data\.)?aws_\w+\.[\w-]+)/g);
    for (const [, reference = ""] of references) {
      assert.ok(known.has(reference), `${reference} is referred to, and there`);
    }
  });
});

test("from 5 nodes to 3: the last two go, and nothing else is different", () => {
  const [before, after] = [stackOf({ count: 5 }), stackOf({ count: 3 })].map(
    (stack) => new Map(all(stack).map(({ address, values }) => [address, values])),
  );
  assert.deepEqual(
    [...(before?.keys() ?? [])].filter((address) => !after?.has(address)),
    ["aws_instance.app4", "aws_instance.app5"],
  );
  for (const [address, values] of after ?? []) assert.deepEqual(values, before?.get(address), address);
});

test("the same settings give the same text", () => {
  assert.equal(synthesize(settings()), synthesize(settings()));
});

test("a profile is handed to the provider, and to what keeps the state in S3", () => {
  const state = { backend: "s3", bucket: "shop-state", key: "shop", region: "eu-west-1" } as const;
  const stack = stackOf({ profile: "ops", state });
  assert.equal(stack.provider.aws[0]?.profile, "ops");
  assert.equal((stack.terraform.backend?.s3 as Resource | undefined)?.profile, "ops");
});

test("region, cluster and network are those that are said, wherever they stand", () => {
  const stack = stackOf({
    region: "sa-east-1",
    cluster: "till",
    network: { cidr: "10.9.0.0/20" },
    publicKey: "ssh-ed25519 AAAA",
  });
  const text = JSON.stringify(stack);
  assert.doesNotMatch(text, /eu-central-1|shop|10\.80\./);
  const [provider] = stack.provider.aws as [{ region: string; default_tags: [{ tags: Resource }] }];
  assert.deepEqual([provider.region, provider.default_tags[0].tags.Cluster], ["sa-east-1", "till"]);
  assert.equal(resourcesOf(stack, "aws_vpc").main?.cidr_block, "10.9.0.0/20");
  for (const { cidr_block } of Object.values(resourcesOf(stack, "aws_subnet")))
    assert.match(String(cidr_block), /cidrsubnet\("10\.9\.0\.0\/20", 4, \d\)/);
  for (const { user_data, root_block_device } of instances(stack)) {
    assert.match(String(user_data), /https:\/\/s3\.sa-east-1\.amazonaws\.com\/amazon-ssm-sa-east-1\//);
    assert.equal((root_block_device as { tags: Resource }).tags.Cluster, "till");
  }
});

test("a name in Route 53 is in the zone that is said, and points to the elastic address", () => {
  const stack = stackOf({ dns: { zone: "example.org", name: "lb.example.org" } });
  assert.deepEqual(stack.data.aws_route53_zone, { main: { name: "example.org" } });
  assert.deepEqual(resourcesOf(stack, "aws_route53_record"), {
    balancer: {
      zone_id: ref("data.aws_route53_zone.main.zone_id"),
      name: "lb.example.org",
      type: "A",
      ttl: 60,
      records: [ref("aws_eip.balancer.public_ip")],
    },
  });
});

test("without a name nothing is asked of Route 53", () => {
  const stack = stackOf();
  assert.equal(stack.data.aws_route53_zone, undefined);
  assert.equal(stack.resource.aws_route53_record, undefined);
});
