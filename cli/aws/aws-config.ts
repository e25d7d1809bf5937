/** `aws:` of lbctl.yaml: what the machines are to be, and where. */
import { z } from "zod";
import type { GivenNetwork, LocalState, MadeNetwork, StackSettings } from "../../infra/settings.ts";
import type { HostsConfig } from "../hosts-config.ts";

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
const BEFORE_NITRO = /^(t1|t2|m[1-4]|c[1134]|r[34]|i[23]|d2|h1|x1e?|p[23]|g[23]|f1|cc2|cr1|hs1)\./;

const cidr = matching(
  /^(\d{1,3}(\.\d{1,3}){3}|[0-9a-f:]*:[0-9a-f:]*)\/\d{1,3}$/i,
  "a CIDR block like 192.0.2.0/24",
);

export const awsSchema = z.strictObject(
  {
    region: matching(/^[a-z]{2}(-[a-z]+)+-\d$/, "a region like eu-central-1").default("eu-central-1"),
    profile: matching(/^\S+$/, "a profile of the AWS configuration").nullable().default(null),
    balancerType: instanceType("t3.medium"),
    appType: instanceType("t3.small"),
    image: matching(/^ami-[0-9a-f]+$/, "an AMI like ami-0123456789abcdef0")
      .nullable()
      .default(null),
    access: z.enum(["ssm", "ssh"], { error: "ssm or ssh" }).default("ssm"),
    adminAddresses: blocks().default([]),
    trafficAddresses: blocks().default(["0.0.0.0/0"]),
    network: z
      .union(
        [
          z.strictObject({
            cidr: matching(
              /^\d{1,3}(\.\d{1,3}){3}\/(1[6-9]|2[0-4])$/,
              "a private IPv4 block from /16 to /24, like 10.80.0.0/16",
            ),
          }),
          z.strictObject({
            vpc: matching(/^vpc-[0-9a-f]+$/, "a VPC like vpc-0123456789abcdef0"),
            publicSubnet: subnet(),
            privateSubnets: z.tuple([subnet(), subnet()]),
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
        { zone: z.string(), name: z.string() },
        { error: "a mapping like { zone: example.org, name: lb.example.org }" },
      )
      .nullable()
      .default(null),
    journal: z
      .strictObject(
        { size: whole(1, 16_384, "GiB, 1 to 16384").default(20), protect: z.boolean().default(false) },
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
              /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/,
              "the name of a bucket that is there already",
            ),
            key: matching(/^[\w./-]+$/, "a path in the bucket").optional(),
            region: z.string().optional(),
          }),
        ],
        { error: "{ backend: local }, or { backend: s3, bucket: … }" },
      )
      .default({ backend: "local" }),
    tags: z.record(z.string(), z.string(), { error: "a mapping of texts" }).default({}),
  },
  { error: "a mapping like { region: eu-central-1, appType: t3.small }" },
);

/** On the balancer's machine or on a node's. */
const TAKEN: Readonly<Record<number, string>> = {
  22: "SSH",
  3000: "Grafana",
  9090: "Prometheus",
  9093: "Alertmanager",
  9100: "node_exporter",
};

/** What the schema cannot say of one key alone. */
export function awsProblems(
  { access, adminAddresses }: AwsConfig,
  ports: Readonly<Record<"traffic" | "admin" | "apps", number>>,
): string[] {
  const problems: string[] = [];
  for (const name of ["traffic", "admin", "apps"] as const) {
    const owner = TAKEN[ports[name]];
    if (owner) problems.push(`ports/${name}: expected another port than ${owner}'s, got ${ports[name]}`);
  }
  if (access === "ssh" && adminAddresses.length === 0) {
    problems.push(
      "aws/adminAddresses: expected the CIDR blocks that SSH comes from (aws/access: ssh), got none",
    );
  }
  for (const block of adminAddresses) {
    if (block !== "0.0.0.0/0" && block !== "::/0") continue;
    problems.push(
      `aws/adminAddresses: expected the addresses of administrators, got the whole world (${block})`,
    );
  }
  return problems;
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
    .array(cidr, { error: "a list of CIDR blocks" })
    .transform((given) => [...new Set(given.map((block) => block.toLowerCase()))]);
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
