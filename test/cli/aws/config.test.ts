import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { suite, type TestContext, test } from "node:test";
import { stackSettings } from "../../../cli/aws/stack-settings.ts";
import { loadClusterConfig } from "../../../cli/config-file.ts";
import { UserError } from "../../../cli/errors.ts";
import { architectureOf } from "../../../infra/settings.ts";
import { tempFolder } from "../../support/temp-folder.ts";

async function load(t: TestContext, text: string) {
  const file = join(tempFolder(t), "lbctl.yaml");
  await writeFile(file, text);
  return await loadClusterConfig(file);
}

test("target: aws is a whole config: three nodes on average machines, reached by Session Manager, traffic on 80", async (t) => {
  const settings = stackSettings(await load(t, "name: shop\ntarget: aws\n"), "ssh-ed25519 AAAA");
  assert.deepEqual(settings.nodes, ["app1", "app2", "app3"]);
  assert.deepEqual(
    [settings.balancerType, settings.appType, settings.access, settings.trafficPorts],
    ["t3.medium", "t3.small", "ssm", [80]],
  );
  assert.deepEqual(settings.state, { backend: "local" });
});

test("administrators reach the stats page, Grafana and Prometheus; the balancer nodes' apps and node_exporter", async (t) => {
  const { adminPorts, nodePorts } = stackSettings(await load(t, "target: aws\n"), "");
  assert.deepEqual(
    [adminPorts, nodePorts],
    [
      [1936, 3000, 9090],
      [4567, 9100],
    ],
  );
});

test("no port is opened for monitoring that there is not", async (t) => {
  for (const [monitoring, adminPorts, nodePorts] of [
    ["{ prometheus: none, grafana: none }", [1936], [4567]],
    ["{ grafana: none }", [1936, 9090], [4567, 9100]],
    ["{ prometheus: none }", [1936, 3000], [4567]],
  ]) {
    const settings = stackSettings(await load(t, `target: aws\naws: { monitoring: ${monitoring} }\n`), "");
    assert.deepEqual([settings.adminPorts, settings.nodePorts], [adminPorts, nodePorts]);
  }
});

test("other ports of lbctl.yaml are those that are opened", async (t) => {
  const config = await load(t, "target: aws\nports: { traffic: 8080, admin: 8081, apps: 5000 }\n");
  const { trafficPorts, adminPorts, nodePorts } = stackSettings(config, "");
  assert.deepEqual([trafficPorts, adminPorts, nodePorts], [[8080], [8081, 3000, 9090], [5000, 9100]]);
});

test("with a certificate the only traffic port that is open is 443", async (t) => {
  const config = await load(t, "name: shop\ntarget: aws\ntls: { cert: chain.pem, key: key.pem }\n");
  assert.deepEqual(stackSettings(config, "").trafficPorts, [443]);
});

test("state in S3: a key of the cluster's own, in the machines' region, where nothing else is said", async (t) => {
  const config = await load(
    t,
    "name: shop\ntarget: aws\naws: { region: eu-west-1, state: { backend: s3, bucket: b-1 } }\n",
  );
  assert.deepEqual(stackSettings(config, "").state, {
    backend: "s3",
    bucket: "b-1",
    key: "lbctl/shop/terraform.tfstate",
    region: "eu-west-1",
  });
});

test("state in S3 of another region than the machines'", async (t) => {
  const yaml =
    "target: aws\naws: { region: eu-west-1, state: { backend: s3, bucket: b-1, region: us-east-1 } }\n";
  const { state, region } = stackSettings(await load(t, yaml), "");
  assert.deepEqual([region, state.backend === "s3" && state.region], ["eu-west-1", "us-east-1"]);
});

test("private blocks are taken, and tags of what IAM takes", async (t) => {
  for (const cidr of ["10.0.0.0/16", "172.31.0.0/20", "192.168.0.0/16", "100.64.0.0/16"]) {
    const yaml = `target: aws\naws: { network: { cidr: ${cidr} }, tags: { 'Kosten Stelle': 'a+b=c-d.e_f:g/h@ü 7' } }\n`;
    const { network, tags } = stackSettings(await load(t, yaml), "");
    assert.deepEqual([network, tags], [{ cidr }, { "Kosten Stelle": "a+b=c-d.e_f:g/h@ü 7" }]);
  }
});

test("one address is a block of its own", async (t) => {
  const yaml = "target: aws\naws: { adminAddresses: [192.0.2.7, '2001:db8::7'] }\n";
  const { adminAddresses } = stackSettings(await load(t, yaml), "");
  assert.deepEqual(adminAddresses, ["192.0.2.7/32", "2001:db8::7/128"]);
});

test("blocks at the limit are taken, and a name that is the zone itself", async (t) => {
  const yaml =
    "target: aws\naws: { adminAddresses: [10.0.0.0/8, '2001::/16'], dns: { zone: example.org, name: Example.org } }\n";
  const { adminAddresses, dns } = stackSettings(await load(t, yaml), "");
  assert.deepEqual(adminAddresses, ["10.0.0.0/8", "2001::/16"]);
  assert.equal(dns?.name, "Example.org");
});

test("a block that is named twice is one, however it is spelled", async (t) => {
  const yaml =
    "target: aws\naws: { adminAddresses: [192.0.2.0/24, 192.0.2.0/24], trafficAddresses: ['2001:DB8::/32', '2001:db8:0::0/32', 192.0.2.7] }\n";
  const { adminAddresses, trafficAddresses } = stackSettings(await load(t, yaml), "");
  assert.deepEqual([adminAddresses, trafficAddresses], [["192.0.2.0/24"], ["2001:db8::/32", "192.0.2.7/32"]]);
});

test("a port that something else has on that machine is refused", async (t) => {
  for (const [name, port, owner] of [
    ["admin", 3000, "Grafana"],
    ["apps", 9100, "node_exporter"],
    ["traffic", 22, "SSH"],
  ]) {
    await assert.rejects(load(t, `target: aws\nports: { ${name}: ${port} }\n`), (error) => {
      assert.ok(error instanceof UserError);
      assert.deepEqual(error.problems, [`ports/${name}: expected another port than ${owner}'s, got ${port}`]);
      return true;
    });
  }
});

suite("each mistake is named, with its path", () => {
  const MISTAKES: readonly (readonly [string, RegExp])[] = [
    ["region: Frankfurt", /^aws\/region: expected a region like eu-central-1, got "?Frankfurt/],
    ["appType: small", /^aws\/appType: expected an instance type like t3\.medium/],
    ["appType: t2.micro", /^aws\/appType: expected a type of the Nitro generations/],
    ["image: debian", /^aws\/image: expected an AMI/],
    ["access: telnet", /^aws\/access: expected ssm or ssh/],
    ["region: cn-north-1", /^aws\/region: expected a region of the partition aws .*, got "cn-north-1"/],
    ["region: us-gov-west-1", /^aws\/region: expected a region of the partition aws/],
    ["region: eusc-de-east-1", /^aws\/region: expected a region/],
    ["appType: g3s.xlarge", /^aws\/appType: expected a type of the Nitro generations/],
    ["access: ssh", /^aws\/adminAddresses: expected the blocks that SSH comes from/],
    [
      "adminAddresses: [0.0.0.0/0]",
      /^aws\/adminAddresses: expected the addresses of administrators, at most a \/8 \(IPv6: \/16\), got 0\.0\.0\.0\/0$/,
    ],
    ["adminAddresses: ['::/0']", /^aws\/adminAddresses: .*, got ::\/0$/],
    ["adminAddresses: [128.0.0.0/1, 192.0.2.7]", /^aws\/adminAddresses: .*, got 128\.0\.0\.0\/1$/],
    ["adminAddresses: ['2000::/15']", /^aws\/adminAddresses: .*, got 2000::\/15$/],
    [
      "adminAddresses: [here]",
      /^aws\/adminAddresses\/0: expected an address or a block like 10\.0\.0\.0\/24, got "here"/,
    ],
    ["adminAddresses: [999.1.1.1/99]", /^aws\/adminAddresses\/0: expected an address or a block like/],
    ["adminAddresses: [7]", /^aws\/adminAddresses\/0: expected an address or a block like .*, got 7$/],
    ["adminAddresses: 192.0.2.7", /^aws\/adminAddresses: expected a list of addresses and blocks/],
    [
      "adminAddresses: [1.2.3.4/0]",
      /^aws\/adminAddresses\/0: expected a block by its first address: 0\.0\.0\.0\/0, or only 1\.2\.3\.4, got "1\.2\.3\.4\/0"/,
    ],
    [
      "trafficAddresses: []",
      /^aws\/trafficAddresses: expected at least one block that clients come from \(0\.0\.0\.0\/0 is everybody\), got \[\]/,
    ],
    [
      "network: { cidr: 10.0.0.0/30 }",
      /^aws\/network\/cidr: expected a private IPv4 block from \/16 to \/24/,
    ],
    ["network: { cidr: 300.0.0.0/16 }", /^aws\/network\/cidr: expected a private IPv4 block/],
    ["network: { cidr: '2001::/16' }", /^aws\/network\/cidr: expected a private IPv4 block/],
    [
      "network: { cidr: 10.80.1.5/16 }",
      /^aws\/network\/cidr: expected a block by its first address: 10\.80\.0\.0\/16/,
    ],
    ["network: { cidr: 7 }", /^aws\/network: expected \{ cidr: 10\.80\.0\.0\/16 \}, or/],
    ["network: { vpc: vpc-0a }", /^aws\/network/],
    [
      "dns: { zone: '', name: lb.example.org }",
      /^aws\/dns\/zone: expected a domain like example\.org, .*, got ""/,
    ],
    ["dns: { zone: example.org, name: '' }", /^aws\/dns\/name: expected a domain/],
    ["dns: { zone: 7, name: lb.example.org }", /^aws\/dns\/zone: expected a domain .*, got 7/],
    [
      "dns: { zone: example.org., name: lb.example.org }",
      /^aws\/dns\/zone: .* without a dot at its end, got/,
    ],
    [
      "dns: { zone: example.org, name: lb.other.org }",
      /^aws\/dns\/name: expected a name in the zone example\.org, like lb\.example\.org, got "lb\.other\.org"/,
    ],
    ["dns: { zone: example.org, name: lbexample.org }", /^aws\/dns\/name: expected a name in the zone/],
    ["tags: { 'aws:x': a }", /^aws\/tags: expected keys that do not begin with aws:, .*, got "aws:x"/],
    [
      "tags: { Name: a }",
      /^aws\/tags: expected other keys than lbctl's own \(Cluster, ManagedBy, Name\), got "Name"/,
    ],
    ["tags: { Cost: '%{ if true }x' }", /^aws\/tags\/Cost: expected a text of letters, digits, spaces and _/],
    ["tags: { Cost: 'R&D' }", /^aws\/tags\/Cost: expected a text of letters.*, got "R&D"/],
    ["tags: { '100%{': a }", /^aws\/tags: expected keys of letters, digits, spaces and _/],
    ["tags: { 'R&D': a }", /^aws\/tags: expected keys of letters.*, got "R&D"/],
    [`tags: { Cost: ${"a".repeat(257)} }`, /^aws\/tags\/Cost: expected a text of at most 256 characters/],
    [
      `tags: { ${Array.from({ length: 48 }, (_, n) => `t${n}: a`).join(", ")} }`,
      /^aws\/tags: expected at most 47 tags, got 48$/,
    ],
    ["tags: { cluster: a }", /^aws\/tags: expected other keys than lbctl's own .*, got "cluster"/],
    ["tags: { Team: a, team: b }", /^aws\/tags: expected another key than Team, which IAM .*, got "team"/],
    ["network: { cidr: 8.8.0.0/16 }", /^aws\/network\/cidr: expected a private IPv4 block/],
    ["network: { cidr: 172.32.0.0/16 }", /^aws\/network\/cidr: expected a private IPv4 block/],
    ["network: { cidr: 127.0.0.0/16 }", /^aws\/network\/cidr: expected a private IPv4 block/],
    ["network: { cidr: 100.128.0.0/16 }", /^aws\/network\/cidr: expected a private IPv4 block/],
    [
      "network: { vpc: vpc-0a, publicSubnet: subnet-0a, privateSubnets: [subnet-0b, subnet-0a] }",
      /^aws\/network\/privateSubnets: expected other subnets than publicSubnet, got subnet-0a$/,
    ],
    [
      "trafficAddresses: ['2001:db8::/32']",
      /^aws\/trafficAddresses: expected an IPv4 block among them, .*, got 2001:db8::\/32$/,
    ],
    [
      "access: ssh, adminAddresses: ['2001:db8::/32']",
      /^aws\/adminAddresses: expected an IPv4 block for SSH .*, got 2001:db8::\/32$/,
    ],
    ["profile: '%{x'", /^aws\/profile: expected a profile/],
    ["tags: { '': a }", /^aws\/tags: expected keys of 1 to 128 characters, got ""/],
    ["tags: { Cost: 7 }", /^aws\/tags\/Cost: expected a text .* in quotes if it is a number, got 7/],
    ["journal: { protect: maybe }", /^aws\/journal\/protect: expected true or false, got "maybe"/],
    ["state: { backend: s3, bucket: b-1, region: there }", /^aws\/state\/region: expected a region like/],
    ["journal: { size: 0 }", /^aws\/journal\/size: expected GiB, 1 to 16384, got 0/],
    ["state: { backend: s3 }", /^aws\/state\/bucket: expected the name of a bucket/],
    ["state: { backend: s3, bucket: a..b }", /^aws\/state\/bucket: expected the name of a bucket/],
    ["state: { backend: s3, bucket: b-1, key: /a }", /^aws\/state\/key: expected a path in the bucket/],
    ["state: { backend: s3, bucket: b-1, key: a/ }", /^aws\/state\/key: expected a path in the bucket/],
    ["state: { backend: ftp }", /^aws\/state/],
    ["instances: 3", /^aws\/instances: /],
  ];
  for (const [text, problem] of MISTAKES) {
    test(text, async (t) => {
      await assert.rejects(load(t, `target: aws\naws: { ${text} }\n`), (error) => {
        assert.ok(error instanceof UserError);
        assert.equal(error.exitCode, 2);
        assert.equal(error.problems.length, 1);
        assert.match(error.problems[0] ?? "", problem);
        return true;
      });
    });
  }
  for (const count of ["0", "10", "-1", "3.5", "seven"]) {
    test(`nodes: ${count}`, async (t) => {
      await assert.rejects(load(t, `target: aws\nnodes: ${count}\n`), /lbctl\.yaml has 1 problem/);
    });
  }
});

test("Graviton by its name: the g after the number", () => {
  const arm = [
    "t4g.small",
    "m7g.large",
    "c8gn.xlarge",
    "m7gd.medium",
    "a1.large",
    "x2gd.medium",
    "hpc7g.4xlarge",
    "im4gn.large",
  ];
  const intel = [
    "t3.medium",
    "t3a.small",
    "m6i.large",
    "c5.large",
    "g4dn.xlarge",
    "r7iz.large",
    "m7a.medium",
    "u7i-12tb.224xlarge",
  ];
  for (const type of arm) assert.equal(architectureOf(type), "arm64", type);
  for (const type of intel) assert.equal(architectureOf(type), "x86_64", type);
});
