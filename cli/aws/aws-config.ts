/** `aws:` of lbctl.yaml: what the machines are to be, and where. */
import { z } from "zod";
import type { GivenNetwork, LocalState, MadeNetwork, StackSettings } from "../../infra/settings.ts";
import { addressBlock, parseBlock, whichBlock } from "../address-block.ts";
import type { HostsConfig } from "../hosts-config.ts";
import { USUAL_PORTS } from "../monitoring-ports.ts";

export interface AwsConfig
  extends Pick<
    StackSettings,
    | "region"
    | "profile"
    | "balancerType"
    | "appType"
    | "image"
    | "access"
    | "adminAddresses"
    | "trafficAddresses"
    | "dns"
    | "journal"
    | "tags"
  > {
  readonly monitoring: Pick<HostsConfig["monitoring"], "prometheus" | "grafana">;
  readonly network: MadeNetwork | GivenNetwork;
  readonly state: LocalState | S3StateSetting;
}

/** Without key and region: a key of the cluster's own, the region of the machines. */
export interface S3StateSetting {
  readonly backend: "s3";
  readonly bucket: string;
  readonly key?: string | undefined;
  readonly region?: string | undefined;
}

/** Families of before Nitro: no EBS volume by its id, which the journal is found by. */
const BEFORE_NITRO = /^(t1|t2|m[1-4]|c[1134]|r[34]|i[23]|d2|h1|x1e?|p[23]|g[23]s?|f1|cc2|cr1|hs1)\./;

/** A block of more addresses than this is no office, VPN or home: IPv4 and IPv6. */
const WIDEST_ADMIN_BLOCK = { 4: 8, 6: 16 };

/** lbctl's own; another value would be lost. */
const OWN_TAGS = ["Cluster", "ManagedBy", "Name"];

const region = matching(/^[a-z]{2,4}(-[a-z]+)+-\d$/, "a region like eu-central-1").refine(
  // Partitions with other hosts, other accounts of Debian's and no way between them and the rest of AWS.
  (name) => !/^(cn|us-gov|us-iso[a-z]*|eu-iso[a-z]*|eusc-[a-z]+)-/.test(name),
  { error: "a region of the partition aws (not of China, GovCloud and the like), such as eu-central-1" },
);

/**
 * Of keys and values: what IAM takes, which is less than EC2 does, and nothing that Terraform evaluates.
 * https://docs.aws.amazon.com/IAM/latest/APIReference/API_Tag.html
 */
const TAG = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u;
const TAG_CHARACTERS = "letters, digits, spaces and _ . : / = + - @";
/** AWS takes 50 on a resource. */
const MOST_TAGS = 50 - OWN_TAGS.length;

/** AWS' own limit of rules in one direction of a security group, for IPv4 and IPv6 each. */
const MOST_RULES = 60;

const domain = matching(
  /^(?=.{3,253}$)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z0-9-]{2,63}$/i,
  "a domain like example.org, without a dot at its end",
);

export const awsSchema = z.strictObject(
  {
    region: region.default("eu-central-1"),
    profile: matching(/^(?!.*[$%]\{)\S+$/, "a profile of the AWS configuration")
      .nullable()
      .default(null),
    balancerType: instanceType("t3.medium"),
    appType: instanceType("t3.small"),
    image: matching(/^ami-[0-9a-f]+$/, "an AMI like ami-0123456789abcdef0")
      .nullable()
      .default(null),
    access: z.enum(["ssm", "ssh"], { error: "ssm or ssh" }).default("ssm"),
    adminAddresses: blocks().default([]),
    trafficAddresses: blocks()
      .refine((list) => list.length > 0, {
        error: "at least one block that clients come from (0.0.0.0/0 is everybody)",
      })
      .default(["0.0.0.0/0"]),
    network: z
      .union(
        [
          // awsProblems says what is wrong with it: of a union people get to know only that nothing fits.
          z.strictObject({ cidr: z.string() }),
          z.strictObject({
            vpc: matching(/^vpc-[0-9a-f]+$/, "a VPC like vpc-0123456789abcdef0"),
            publicSubnet: subnet(),
            privateSubnets: z
              .tuple([subnet(), subnet()])
              .refine(([first, second]) => first !== second, { error: "two subnets, in two zones" }),
          }),
        ],
        {
          error:
            "{ cidr: 10.80.0.0/16 }, or { vpc: vpc-…, publicSubnet: subnet-…, privateSubnets: [subnet-…, subnet-…] }",
        },
      )
      .default({ cidr: "10.80.0.0/16" }),
    monitoring: z
      .strictObject(
        {
          prometheus: z
            .enum(["distribution", "none"], { error: "distribution or none" })
            .default("distribution"),
          grafana: z.enum(["vendor", "none"], { error: "vendor or none" }).default("vendor"),
        },
        { error: "a mapping like { prometheus: distribution, grafana: none }" },
      )
      .prefault({}),
    dns: z
      .strictObject(
        { zone: domain, name: domain },
        { error: "a mapping like { zone: example.org, name: lb.example.org }" },
      )
      .nullable()
      .default(null),
    journal: z
      .strictObject(
        {
          size: whole(1, 16_384, "GiB, 1 to 16384").default(20),
          protect: z.boolean({ error: "true or false" }).default(false),
        },
        { error: "a mapping like { size: 20, protect: true }" },
      )
      .prefault({}),
    state: z
      .discriminatedUnion(
        "backend",
        [
          z.strictObject({ backend: z.literal("local") }),
          z.strictObject({
            backend: z.literal("s3"),
            bucket: matching(
              /^(?!.*\.\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/,
              "the name of a bucket that is there already",
            ),
            key: matching(/^(?!\/)[\w./-]*[\w.-]$/, "a path in the bucket, without / at its ends").optional(),
            region: region.optional(),
          }),
        ],
        { error: "{ backend: local }, or { backend: s3, bucket: … }" },
      )
      .default({ backend: "local" }),
    tags: z
      .record(
        z.string(),
        matching(TAG, `a text of ${TAG_CHARACTERS}, in quotes if it is a number`).max(256, {
          error: "a text of at most 256 characters",
        }),
        {
          error: "a mapping of texts",
        },
      )
      .default({}),
  },
  { error: "a mapping like { region: eu-central-1, appType: t3.small }" },
);

/** On the balancer's machine or on a node's. */
const TAKEN: Readonly<Record<number, string>> = {
  22: "SSH",
  [USUAL_PORTS.grafana]: "Grafana",
  [USUAL_PORTS.prometheus]: "Prometheus",
  9093: "Alertmanager",
  [USUAL_PORTS.nodeExporter]: "node_exporter",
};

/** What the schema cannot say of one key alone. */
export function awsProblems(
  aws: AwsConfig,
  ports: Readonly<Record<"traffic" | "admin" | "apps", number>>,
): string[] {
  return [
    ...portProblems(ports),
    ...adminProblems(aws),
    ...clientProblems(aws),
    ...ruleProblems(aws, ports),
    ...networkProblems(aws.network),
    ...dnsProblems(aws.dns),
    ...tagProblems(aws.tags),
  ];
}

function portProblems(ports: Readonly<Record<"traffic" | "admin" | "apps", number>>): string[] {
  return (["traffic", "admin", "apps"] as const).flatMap((name) => {
    const owner = TAKEN[ports[name]];
    return owner ? [`ports/${name}: expected another port than ${owner}'s, got ${ports[name]}`] : [];
  });
}

function adminProblems({ access, adminAddresses }: AwsConfig): string[] {
  if (access === "ssh" && adminAddresses.length === 0) {
    return ["aws/adminAddresses: expected the blocks that SSH comes from (aws/access: ssh), got none"];
  }
  if (access === "ssh" && !someIPv4(adminAddresses)) {
    return [
      `aws/adminAddresses: expected an IPv4 block for SSH (aws/access: ssh; machines have no IPv6), got ${adminAddresses.join(", ")}`,
    ];
  }
  const wide = adminAddresses.filter((text) => {
    const block = parseBlock(text);
    return block && block.prefix < WIDEST_ADMIN_BLOCK[block.version];
  });
  const { 4: v4, 6: v6 } = WIDEST_ADMIN_BLOCK;
  return wide.map(
    (block) =>
      `aws/adminAddresses: expected the addresses of administrators, at most a /${v4} (IPv6: /${v6}), got ${block}`,
  );
}

/** https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html#vpc-limits-security-groups */
function ruleProblems(aws: AwsConfig, { admin }: Readonly<Record<"admin", number>>): string[] {
  const pages = adminPortsOf(aws.monitoring, admin).length + (aws.access === "ssh" ? 1 : 0);
  return ([4, 6] as const).flatMap((version) => {
    const count = (blocks: readonly string[]) =>
      blocks.filter((text) => parseBlock(text)?.version === version).length;
    const [clients, admins] = [count(aws.trafficAddresses), count(aws.adminAddresses)];
    const rules = clients + admins * pages;
    if (rules <= MOST_RULES) return [];
    return [
      `aws/adminAddresses, aws/trafficAddresses: expected at most ${MOST_RULES} rules of IPv${version} for the balancer's security group, as AWS has it, got ${rules} (${clients} of clients, ${admins} of administrators for ${pages} ports each): join blocks`,
    ];
  });
}

function clientProblems({ trafficAddresses }: AwsConfig): string[] {
  if (someIPv4(trafficAddresses)) return [];
  return [
    `aws/trafficAddresses: expected an IPv4 block among them, as the balancer's address is one, got ${trafficAddresses.join(", ")}`,
  ];
}

function someIPv4(blocks: readonly string[]): boolean {
  return blocks.some((text) => parseBlock(text)?.version === 4);
}

/** RFC 1918 and RFC 6598: whatever else is behind a NAT gateway, nodes could not reach. */
const PRIVATE = /^(10|192\.168|172\.(1[6-9]|2\d|3[01])|100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7]))\./;

function networkProblems(network: AwsConfig["network"]): string[] {
  if (!("cidr" in network)) {
    const { publicSubnet, privateSubnets } = network;
    return privateSubnets.includes(publicSubnet)
      ? [`aws/network/privateSubnets: expected other subnets than publicSubnet, got ${publicSubnet}`]
      : [];
  }
  const block = parseBlock(network.cidr);
  const got = `got ${JSON.stringify(network.cidr)}`;
  if (block?.version !== 4 || block.prefix < 16 || block.prefix > 24 || !PRIVATE.test(block.text)) {
    return [`aws/network/cidr: expected a private IPv4 block from /16 to /24, like 10.80.0.0/16, ${got}`];
  }
  return block.inside ? [`aws/network/cidr: expected ${whichBlock(network.cidr, block)}, ${got}`] : [];
}

function dnsProblems(dns: AwsConfig["dns"]): string[] {
  if (dns === null) return [];
  const [zone, name] = [dns.zone.toLowerCase(), dns.name.toLowerCase()];
  if (name === zone || name.endsWith(`.${zone}`)) return [];
  return [
    `aws/dns/name: expected a name in the zone ${dns.zone}, like lb.${dns.zone}, got ${JSON.stringify(dns.name)}`,
  ];
}

/** https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html */
function tagProblems(tags: AwsConfig["tags"]): string[] {
  const keys = Object.keys(tags);
  if (keys.length > MOST_TAGS) return [`aws/tags: expected at most ${MOST_TAGS} tags, got ${keys.length}`];
  return keys.flatMap((key, index) => {
    const twin = keys.slice(0, index).find((other) => other.toLowerCase() === key.toLowerCase());
    const expected =
      tagExpected(key) ??
      (twin === undefined ? null : `another key than ${twin}, which IAM takes for the same`);
    return expected === null ? [] : [`aws/tags: expected ${expected}, got ${JSON.stringify(key)}`];
  });
}

function tagExpected(key: string): string | null {
  if (key === "" || key.length > 128) return "keys of 1 to 128 characters";
  if (!TAG.test(key)) return `keys of ${TAG_CHARACTERS}`;
  if (/^aws:/i.test(key)) return "keys that do not begin with aws:, which AWS keeps for itself";
  if (OWN_TAGS.some((own) => own.toLowerCase() === key.toLowerCase()))
    return `other keys than lbctl's own (${OWN_TAGS.join(", ")})`;
  return null;
}

/** Of the balancer's machine, for administrators: stats page and admin API, and the pages of what monitors. */
export function adminPortsOf({ prometheus, grafana }: AwsConfig["monitoring"], admin: number): number[] {
  return [
    admin,
    ...(grafana === "none" ? [] : [USUAL_PORTS.grafana]),
    ...(prometheus === "none" ? [] : [USUAL_PORTS.prometheus]),
  ];
}

function instanceType(standard: string) {
  return matching(/^[a-z][a-z0-9-]*\.[a-z0-9-]+$/, "an instance type like t3.medium")
    .refine((type) => !BEFORE_NITRO.test(type), {
      error: "a type of the Nitro generations, like t3.medium or t4g.medium",
    })
    .default(standard);
}

/** Each once: a rule of the firewall is named by it. */
function blocks() {
  return z
    .array(addressBlock, { error: "a list of addresses and blocks" })
    .transform((given) => [...new Set(given)]);
}

function subnet() {
  return matching(/^subnet-[0-9a-f]+$/, "a subnet like subnet-0123456789abcdef0");
}

function matching(form: RegExp, error: string) {
  return z.string({ error }).regex(form, { error });
}

function whole(min: number, max: number, error: string) {
  return z.int({ error }).min(min, { error }).max(max, { error });
}
