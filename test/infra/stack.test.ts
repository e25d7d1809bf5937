import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { AWS_PROVIDER_VERSION } from "../../infra/provider-version.ts";
import { synthesize } from "../../infra/synth.ts";
import { all, type Resource, resourcesOf, type Synthesized, settings, stackOf } from "./stack.ts";

/** What AWS lets carry tags; a rule of checkov's would see only some of them. */
const TAGGED =
  /^aws_(vpc|subnet|internet_gateway|nat_gateway|eip|route_table|default_security_group|security_group|vpc_security_group_(in|e)gress_rule|key_pair|iam_role|iam_instance_profile|instance|ebs_volume)$/;

const TYPES = [
  { architecture: "x86_64", balancerType: "t3.medium", appType: "t3.small", debian: "debian-12-amd64-*" },
  { architecture: "arm64", balancerType: "t4g.medium", appType: "m7g.medium", debian: "debian-12-arm64-*" },
] as const;
const STATES = [
  { backend: "local" },
  { backend: "s3", bucket: "shop-state", key: "lbctl/shop/terraform.tfstate", region: "eu-west-1" },
] as const;

for (const count of [1, 3, 9]) {
  for (const { architecture, debian, ...types } of TYPES) {
    for (const state of STATES) {
      suite(`${count} nodes, ${architecture}, state ${state.backend}`, () => {
        const stack = stackOf({ count, state, ...types });
        const nodes = Array.from({ length: count }, (_, index) => `app${index + 1}`);

        test("a machine for the balancer and one for each node, by name", () => {
          assert.deepEqual(Object.keys(resourcesOf(stack, "aws_instance")), ["balancer", ...nodes]);
        });

        test("Debian 12 for the machines' architecture", () => {
          const image = stack.data.aws_ami?.[`debian-${architecture}`];
          assert.deepEqual(Object.keys(stack.data.aws_ami ?? {}), [`debian-${architecture}`]);
          assert.deepEqual(image?.owners, ["136693071363"]);
          assert.deepEqual(filter(image, "name"), [debian]);
          assert.deepEqual(filter(image, "architecture"), [architecture]);
          for (const { ami } of instances(stack))
            assert.equal(ami, `\${data.aws_ami.debian-${architecture}.id}`);
        });

        test("the agent for Session Manager is that of the architecture", () => {
          const folder = architecture === "arm64" ? "debian_arm64" : "debian_amd64";
          for (const { user_data } of instances(stack))
            assert.match(String(user_data), new RegExp(`/${folder}/`));
        });

        test("outputs name each machine and the balancer's elastic address", () => {
          assert.deepEqual(Object.keys(stack.output.nodes?.value ?? {}), nodes);
          assert.equal(stack.output.balancer?.value.address, ref("aws_eip.balancer.public_ip"));
          assert.deepEqual(stack.output.nodes?.value.app1, {
            instance_id: ref("aws_instance.app1.id"),
            private_ip: ref("aws_instance.app1.private_ip"),
          });
        });

        test("the state is where it is said, with a lock there", () => {
          assert.deepEqual(
            stack.terraform.backend,
            state.backend === "local"
              ? { local: { path: "terraform.tfstate" } }
              : {
                  s3: {
                    bucket: "shop-state",
                    key: "lbctl/shop/terraform.tfstate",
                    region: "eu-west-1",
                    encrypt: true,
                    use_lockfile: true,
                  },
                },
          );
          const needed: unknown = stack.terraform.required_version;
          assert.equal(needed, state.backend === "s3" ? ">= 1.10" : ">= 1.6");
        });

        promises(stack);
      });
    }
  }
}

/** What holds for every cluster. */
function promises(stack: Synthesized): void {
  test("no machine has a public address of its own, and nodes are in private subnets, in turn", () => {
    for (const instance of instances(stack)) assert.equal(instance.associate_public_ip_address, false);
    for (const subnet of Object.values(resourcesOf(stack, "aws_subnet"))) {
      assert.equal(subnet.map_public_ip_on_launch, false);
    }
    const { balancer, ...nodes } = resourcesOf(stack, "aws_instance");
    assert.equal(balancer?.subnet_id, ref("aws_subnet.public.id"));
    for (const [name, node] of Object.entries(nodes)) {
      const zone = Number(name.slice(3)) % 2 === 1 ? "a" : "b";
      assert.equal(node.subnet_id, `\${aws_subnet.private-${zone}.id}`, name);
    }
  });

  test("two zones, which stay when AWS opens another", () => {
    const subnets = resourcesOf(stack, "aws_subnet");
    const zone = (name: string) => String(subnets[name]?.availability_zone);
    assert.equal(zone("public"), zone("private-a"));
    assert.notEqual(zone("private-a"), zone("private-b"));
    for (const subnet of Object.values(subnets)) assert.deepEqual(ignored(subnet), ["availability_zone"]);
  });

  test("IMDSv2 only, one hop; every disk encrypted", () => {
    for (const instance of instances(stack)) {
      assert.deepEqual(instance.metadata_options, {
        http_endpoint: "enabled",
        http_tokens: "required",
        http_put_response_hop_limit: 1,
      });
      assert.equal((instance.root_block_device as Resource).encrypted, true);
    }
    assert.equal(resourcesOf(stack, "aws_ebs_volume").journal?.encrypted, true);
  });

  test("the journal has a volume of its own, in the balancer's zone, found by its id and never formatted twice", () => {
    const volume = resourcesOf(stack, "aws_ebs_volume").journal;
    assert.equal(volume?.availability_zone, ref("aws_subnet.public.availability_zone"));
    assert.deepEqual(resourcesOf(stack, "aws_volume_attachment").journal, {
      device_name: "/dev/sdf",
      volume_id: ref("aws_ebs_volume.journal.id"),
      instance_id: ref("aws_instance.balancer.id"),
      stop_instance_before_detaching: true,
    });
    const script = String(resourcesOf(stack, "aws_instance").balancer?.user_data);
    assert.match(
      script,
      /nvme-Amazon_Elastic_Block_Store_\$\(echo '\$\{aws_ebs_volume\.journal\.id\}' \| tr -d -\)/,
    );
    assert.match(script, /\[ \$found = 2 \] && mkfs/);
  });

  test("only clients get in from outside; nodes are reached by the balancer alone", () => {
    assert.deepEqual(allowed(stack, "in"), [
      "apps 4567 from balancer",
      "apps 9100 from balancer",
      "balancer 80 from 0.0.0.0/0",
    ]);
    assert.deepEqual(resourcesOf(stack, "aws_default_security_group").unused?.ingress, undefined);
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

  test("machines may do at AWS what Session Manager needs, and nothing else", () => {
    const { Statement } = JSON.parse(
      String(resourcesOf(stack, "aws_iam_role_policy")["session-manager"]?.policy),
    ) as {
      Statement: { Action: string[] }[];
    };
    assert.deepEqual(
      Statement.flatMap(({ Action }) => Action).filter(
        (action) => !/^ssmmessages:|^ssm:UpdateInstance/.test(action),
      ),
      [],
    );
    assert.equal(resourcesOf(stack, "aws_iam_role_policy_attachment").machine, undefined);
  });

  test("every resource that can be is tagged with its name; the cluster's tags are on all, on disks as well", () => {
    assert.deepEqual(stack.provider.aws[0]?.default_tags, [
      { tags: { Team: "web", Cluster: "shop", ManagedBy: "lbctl" } },
    ]);
    for (const { address, type, values } of all(stack)) {
      if (!TAGGED.test(type)) continue;
      assert.match(String((values.tags as Resource | undefined)?.Name), /^lbctl-shop-/, address);
    }
    for (const instance of instances(stack)) {
      const { tags } = instance.root_block_device as { tags: Resource };
      assert.deepEqual({ Team: tags.Team, Cluster: tags.Cluster }, { Team: "web", Cluster: "shop" });
    }
  });

  test("a newer Debian, or another way to start, replaces no machine that runs", () => {
    for (const instance of instances(stack)) {
      assert.deepEqual(ignored(instance), ["user_data", "associate_public_ip_address", "ami"]);
    }
  });

  test("the provider is pinned", () => {
    assert.deepEqual(stack.terraform.required_providers?.aws, {
      source: "aws",
      version: AWS_PROVIDER_VERSION,
    });
  });

  test("no address has a number of a list or a hash in it, and each is referred to as it is", () => {
    const text = JSON.stringify(stack);
    const known = new Set([
      ...all(stack).map(({ address }) => address),
      ...Object.entries(stack.data).flatMap(([type, named]) =>
        Object.keys(named).map((name) => `data.${type}.${name}`),
      ),
    ]);
    for (const address of known) assert.doesNotMatch(address, /_[0-9A-F]{8}$|\[\d+\]/);
    for (const [, reference = ""] of text.matchAll(/\$\{(?:element\()?((?:data\.)?aws_\w+\.[\w-]+)/g)) {
      assert.ok(known.has(reference), `${reference} is referred to, and there`);
    }
  });
}

test("from 5 nodes to 3: the last two go, and nothing else is different", () => {
  const [five, three] = [stackOf({ count: 5 }), stackOf({ count: 3 })];
  const [before, after] = [new Map(entries(five)), new Map(entries(three))];
  assert.deepEqual(
    [...before.keys()].filter((address) => !after.has(address)),
    ["aws_instance.app4", "aws_instance.app5"],
  );
  for (const [address, values] of after) assert.deepEqual(values, before.get(address), address);
});

test("the same settings give the same text", () => {
  assert.equal(synthesize(settings()), synthesize(settings()));
});

test("access by SSH: port 22 from administrators to the balancer and on to nodes; no agent, no rights at AWS", () => {
  const stack = stackOf({ access: "ssh", adminAddresses: ["192.0.2.0/24", "2001:db8::/64"] });
  assert.deepEqual(
    allowed(stack, "in").filter((rule) => / (22|1936|3000) /.test(rule)),
    [
      "apps 22 from balancer",
      "balancer 1936 from 192.0.2.0/24",
      "balancer 1936 from 2001:db8::/64",
      "balancer 22 from 192.0.2.0/24",
      "balancer 22 from 2001:db8::/64",
      "balancer 3000 from 192.0.2.0/24",
      "balancer 3000 from 2001:db8::/64",
    ],
  );
  assert.equal(stack.resource.aws_iam_role, undefined);
  for (const instance of instances(stack)) {
    assert.equal(instance.iam_instance_profile, undefined);
    assert.doesNotMatch(String(instance.user_data), /ssm/);
  }
});

test("an image that is named is used as it is, and followed", () => {
  const stack = stackOf({ image: "ami-0123456789abcdef0" });
  assert.equal(stack.data.aws_ami, undefined);
  for (const instance of instances(stack)) {
    assert.equal(instance.ami, "ami-0123456789abcdef0");
    assert.deepEqual(ignored(instance), ["user_data", "associate_public_ip_address"]);
  }
});

test("a VPC that is there already: only what is inside is made", () => {
  const network = {
    vpc: "vpc-0a",
    publicSubnet: "subnet-0a",
    privateSubnets: ["subnet-0b", "subnet-0c"],
  } as const;
  const stack = stackOf({ network });
  for (const type of ["aws_vpc", "aws_subnet", "aws_nat_gateway", "aws_route", "aws_internet_gateway"]) {
    assert.equal(stack.resource[type], undefined, type);
  }
  assert.equal(resourcesOf(stack, "aws_instance").app2?.subnet_id, "subnet-0c");
  assert.equal(
    resourcesOf(stack, "aws_ebs_volume").journal?.availability_zone,
    ref("data.aws_subnet.public.availability_zone"),
  );
});

test("a name in Route 53 points to the elastic address", () => {
  const stack = stackOf({ dns: { zone: "example.org", name: "lb.example.org" } });
  const { balancer } = resourcesOf(stack, "aws_route53_record");
  assert.deepEqual(
    [balancer?.name, balancer?.type, balancer?.records],
    ["lb.example.org", "A", [ref("aws_eip.balancer.public_ip")]],
  );
  assert.equal(stackOf().resource.aws_route53_record, undefined);
});

test("a protected journal can't be destroyed by accident", () => {
  const journal = { size: 50, protect: true };
  const volume = resourcesOf(stackOf({ journal }), "aws_ebs_volume").journal;
  assert.equal(volume?.size, 50);
  assert.equal((volume?.lifecycle as Resource | undefined)?.prevent_destroy, true);
});

/** As Terraform writes a reference. */
function ref(address: string): string {
  return `\${${address}}`;
}

function instances(stack: Synthesized): Resource[] {
  return Object.values(resourcesOf(stack, "aws_instance"));
}

function entries(stack: Synthesized): [string, Resource][] {
  return all(stack).map(({ address, values }) => [address, values]);
}

function ignored(resource: Resource): unknown {
  return (resource.lifecycle as Resource | undefined)?.ignore_changes;
}

function filter(image: Resource | undefined, name: string): unknown {
  const filters = (image?.filter ?? []) as readonly { name: string; values: unknown }[];
  return filters.find((one) => one.name === name)?.values;
}

/** `apps 4567 from balancer`, sorted. */
function allowed(stack: Synthesized, way: "in" | "out"): string[] {
  const group = (reference: unknown) => /^\$\{aws_security_group\.(\w+)\.id\}$/.exec(String(reference))?.[1];
  const rules = resourcesOf(stack, `aws_vpc_security_group_${way === "in" ? "in" : "e"}gress_rule`);
  return Object.values(rules)
    .map((rule) => {
      assert.equal(rule.ip_protocol, "tcp");
      assert.equal(rule.from_port, rule.to_port);
      const other = rule.cidr_ipv4 ?? rule.cidr_ipv6 ?? group(rule.referenced_security_group_id);
      return `${group(rule.security_group_id)} ${rule.from_port} ${way === "in" ? "from" : "to"} ${other}`;
    })
    .sort();
}
