/** `aws:` of lbctl.yaml: what the machines are to be, and where. */
import { z } from "zod";
import type { GivenNetwork, LocalState, MadeNetwork, StackSettings } from "../../infra/settings.ts";
import { addressBlock } from "../address-block.ts";
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
const BEFORE_NITRO = /^(t1|t2|m[1-4]|c[1134]|r[34]|i[23]|d2|h1|x1e?|p[23]|g[23]s?|f1|cc2|cr1|hs1)\./;

const region = matching(/^[a-z]{2,4}(-[a-z]+)+-\d$/, "a region like eu-central-1").refine(
  // Partitions with other hosts, other accounts of Debian's and no way between them and the rest of AWS.
  (name) => !/^(cn|us-gov|us-iso[a-z]*|eu-iso[a-z]*|eusc-[a-z]+)-/.test(name),
  { error: "a region of the partition aws (not of China, GovCloud and the like), such as eu-central-1" },
);

/**
 * Of keys and values: what IAM takes, which is less than EC2 does, and nothing that Terraform evaluates.
 * https://docs.aws.amazon.com/IAM/latest/APIReference/API_Tag.html
 */
export const TAG = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u;
export const TAG_CHARACTERS = "letters, digits, spaces and _ . : / = + - @";

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
          // aws-problems.ts says what is wrong with it: of a union people get to know only that nothing fits.
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
