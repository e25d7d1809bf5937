/** What Terraform and AWS complain of, as what to do about it. */
import { UserError } from "../errors.ts";
import { shellWord } from "../tools/format.ts";
import { type Place, placeFlags, profileFlag } from "./cli-flags.ts";
import { firstKnown, IDENTITY, type Known, lastLines, NOT_ALLOWED, plainText } from "./known-errors.ts";
import type { Diagnostic } from "./terraform-events.ts";

export interface Where extends Place {
  /** `terraform` or `tofu` */
  readonly program: string;
  /** Of the configuration and its state. */
  readonly dir: string;
  /** What goes on from where this stopped. */
  readonly command: "deploy" | "destroy";
}

/** The first that fits. Texts are the AWS SDK's codes, which outlive its sentences, where there are any. */
const KNOWN: readonly Known<Where>[] = [
  ...IDENTITY,
  {
    code: "provider_not_genuine",
    found: /doesn't match any of the checksums/i,
    message: () => "expected the AWS provider's package as its maker publishes it, got another one",
    next: () => [
      "see where it comes from: a mirror (TF_CLI_CONFIG_FILE, provider_installation), a proxy in between",
      "then the same command again: nothing of it was run",
    ],
  },
  {
    code: "state_locked",
    // Without it the state could not be locked for another reason.
    found: /Lock Info:/,
    message: (_, text) => lockedBy(text),
    next: ({ program, dir }, text) => [
      "wait until that is done, then the same command again",
      // A file here is locked by its process, and free with its end; an object in S3 stays.
      /resource temporarily unavailable/i.test(text)
        ? `pgrep -fa ${program}   # who is at work on this machine; the lock goes with that process`
        : `${program} -chdir=${shellWord(dir)} force-unlock ${field(text, "ID") ?? "ID"}   # only when nobody is at work any more`,
    ],
  },
  {
    code: "aws_vcpu_quota",
    found: /VcpuLimitExceeded[\s\S]*?limit of (\d+)|VcpuLimitExceeded/,
    message: (match) =>
      `expected room for more machines, got the account's limit of ${match[1] ?? "so many"} vCPUs`,
    next: (where, text) => [
      `aws service-quotas request-service-quota-increase${placeFlags(where)} --service-code ec2 --quota-code L-1216C47A --desired-value ${moreThan(text)}   # of types a, c, d, h, i, m, r, t, z; others have a quota of their own`,
      "or fewer: nodes: in lbctl.yaml (lbctl scale, where the cluster is deployed already), or a smaller aws: { appType, balancerType } in lbctl.yaml",
      again(where),
    ],
  },
  {
    code: "aws_address_quota",
    found: /AddressLimitExceeded/,
    message: () => "expected room for two more elastic addresses (balancer, NAT), got the account's limit",
    next: (where) => [
      `aws ec2 describe-addresses${placeFlags(where)}   # release what nobody uses`,
      again(where),
    ],
  },
  {
    code: "aws_rule_quota",
    found: /RulesPerSecurityGroupLimitExceeded/,
    message: () =>
      "expected room for the rules of a security group, got the account's limit (60 of IPv4 and of IPv6 each, if nobody asked for more)",
    next: (where) => [
      "join blocks of aws: { adminAddresses, trafficAddresses } in lbctl.yaml: each is a rule for every port that it may reach",
      `aws service-quotas list-service-quotas${placeFlags(where)} --service-code vpc   # or ask for more rules per security group`,
      again(where),
    ],
  },
  {
    code: "aws_quota",
    found:
      /(Vpc|NatGateway|InternetGateway|SecurityGroup|Subnet|RouteTable|Volume|MaxIOPS)\w*LimitExceeded|(?<!Request)LimitExceeded(?:Exception)?\b/,
    message: (match) => `expected room for what is to be made, got a limit of the account (${match[0]})`,
    next: (where) => [
      `aws service-quotas list-service-quotas${placeFlags(where)} --service-code vpc   # or ec2, ebs, iam: what the limits are`,
      "remove what nobody uses, or ask for more: aws service-quotas request-service-quota-increase",
      again(where),
    ],
  },
  {
    code: "aws_account_pending",
    found: /PendingVerification/,
    message: () => "expected an account that may make machines, got one that AWS is still verifying",
    next: (where) => ["AWS mails when it is done: minutes, at most four hours", again(where)],
  },
  {
    code: "aws_network_not_found",
    found:
      /Invalid(?:Subnet|Vpc)ID\.(?:NotFound|Malformed)|no matching EC2 (?:Subnet|VPC)|belong to different networks/i,
    message: (match) =>
      `expected aws/network to name a VPC and subnets of it in this region, got an error (${match[0]})`,
    next: (where) => [
      `aws ec2 describe-subnets${placeFlags(where)} --query 'Subnets[].[VpcId,SubnetId,AvailabilityZone]' --output text   # which there are`,
      "then set aws: { network } in lbctl.yaml",
      again(where),
    ],
  },
  {
    code: "aws_still_used",
    found: /DependencyViolation|DeleteConflict/,
    message: () => "expected what is to go to be used by nothing else, got something that uses it",
    next: (where) => [
      "remove what was put there by hand: the lines above name what is used (docs/aws.md: Taking it away)",
      again(where),
    ],
  },
  {
    code: "aws_name_taken",
    found: /EntityAlreadyExists|InvalidKeyPair\.Duplicate|InvalidGroup\.Duplicate/,
    message: () => "expected the cluster's names to be free in this account, got one that is taken",
    next: (where) => [
      "another cluster of this name, perhaps in another region (roles are the account's): choose another name: in lbctl.yaml",
      "or what a cluster left whose state was lost: remove it at AWS by its tag Cluster",
      again(where),
    ],
  },
  {
    code: "aws_no_capacity",
    found: /InsufficientInstanceCapacity/,
    message: () => "expected a machine of this type, got none: AWS has no room for more in this zone now",
    next: (where) => [
      "try again later, or another aws: { appType, balancerType } in lbctl.yaml",
      again(where),
    ],
  },
  {
    code: "aws_type_not_offered",
    found:
      /Unsupported: Your requested instance type \(([^)]+)\)|InvalidInstanceType|The requested configuration is currently not supported/,
    message: (match) =>
      `expected an instance type that the zone offers, got ${match[1] ?? "one that it does not"}`,
    next: (where) => [
      `aws ec2 describe-instance-type-offerings${placeFlags(where)} --location-type availability-zone`,
      "then set aws: { appType, balancerType } in lbctl.yaml",
      again(where),
    ],
  },
  {
    code: "aws_image_of_other_architecture",
    found: /architecture '([^']+)' of the specified (?:instance type|AMI)/,
    message: () => "expected an AMI of the machines' architecture, got one of another",
    next: (where) => [
      "set aws: { image: … } in lbctl.yaml to one of the architecture of appType and balancerType; or leave it out",
      again(where),
    ],
  },
  {
    code: "aws_image_too_large",
    found:
      /InvalidBlockDeviceMapping: Volume of size (\d+)GB is smaller than\s+snapshot[^,]*, expect size ?>= ?(\d+)GB/,
    message: (match) =>
      `expected an image that fits on a disk of ${match[1]} GiB, got one of ${match[2]} GiB`,
    next: (where) => ["set aws: { image: … } in lbctl.yaml to a smaller one, or leave it out", again(where)],
  },
  {
    code: "aws_image_not_found",
    found:
      /InvalidAMIID\.\w+[\s\S]*?'?\[?(ami-[0-9a-z]+)|InvalidAMIID|Not authorized for images|Your query returned no results/,
    message: (match) =>
      `expected an AMI, got none${match[1] ? ` with the id ${match[1]}` : " that fits"} in this region`,
    next: (where) => [
      `aws ec2 describe-images${placeFlags(where)} --owners 136693071363 --filters 'Name=name,Values=debian-12-*'`,
      "then set aws: { image: ami-… } in lbctl.yaml, one of this region and of the machines' architecture; or leave it out",
      again(where),
    ],
  },
  NOT_ALLOWED,
  {
    code: "journal_protected",
    found: /Instance cannot be destroyed|prevent_destroy/,
    message: () => "expected the journal's volume to be free to go, got it protected (aws/journal/protect)",
    next: () => ["set aws: { journal: { protect: false } } in lbctl.yaml; the journal is gone then"],
  },
  {
    code: "aws_zone_not_found",
    found: /no matching Route ?53 ?(?:Hosted )?Zone found/i,
    message: () => "expected aws/dns/zone to be a hosted zone of this account, got none of that name",
    next: ({ profile }) => [`aws route53 list-hosted-zones${profileFlag(profile)}   # which there are`],
  },
  {
    code: "state_bucket_elsewhere",
    found: /PermanentRedirect|requested bucket from "([^"]+)", actual location "([^"]+)"/,
    message: (match) =>
      `expected the state's bucket in ${match[1] ?? "the region that lbctl.yaml names"}, got it in ${match[2] ?? "another"}`,
    next: () => ["set aws: { state: { region: … } } in lbctl.yaml"],
  },
  {
    code: "plan_stale",
    found: /Saved plan is stale/i,
    message: () =>
      "expected the state to be as it was when the plan was made, got changes of somebody else since",
    next: () => ["the same command again: it compares anew, and asks again"],
  },
  {
    code: "state_unreadable",
    found:
      /state data in S3 does not have the expected content|Failed to (?:load|read) state|Unsupported state file format|state snapshot was created by Terraform v?([\d.]+)/i,
    message: (match) =>
      `expected a state that can be read, got ${match[1] ? `one of Terraform ${match[1]}, which is newer` : "none"}`,
    next: ({ program, dir }) => [
      `${program} -chdir=${shellWord(dir)} state pull   # what is there`,
      "docs/aws.md tells where the state is; S3 keeps its versions where that is switched on",
    ],
  },
  {
    code: "state_bucket_not_found",
    found: /NoSuchBucket|S3 bucket "?([\w.-]+)"? does not exist/,
    message: (match) => `expected a bucket for the state, got none${match[1] ? ` called ${match[1]}` : ""}`,
    next: () => [
      "docs/aws.md shows how to make one; lbctl does not, since the state must outlive the cluster",
    ],
  },
  {
    code: "state_moved",
    found: /Backend configuration changed|Backend initialization required|ask approval for state migration/i,
    message: () => "expected the state to be where it was, got another place in lbctl.yaml (aws/state)",
    next: ({ program, dir }) => [
      `${program} -chdir=${shellWord(dir)} init -migrate-state   # moves it there`,
    ],
  },
  {
    code: "provider_not_available",
    found:
      /Failed to query available provider packages|Failed to install provider|could not connect to registry|Could not retrieve the list of available versions/,
    message: () => "expected to get the AWS provider, got none",
    next: () => [
      "is the registry reachable from here? behind a proxy: HTTPS_PROXY",
      "or a filesystem mirror: https://developer.hashicorp.com/terraform/cli/config/config-file#provider-installation",
    ],
  },
];

/** @param text all that the tool said, for what it didn't say in its JSON */
export function terraformError(
  doing: string,
  diagnostics: readonly Diagnostic[],
  text: string,
  where: Where,
): UserError {
  const said =
    diagnostics.length > 0
      ? diagnostics.map(({ summary, detail }) => `${summary}\n${detail}`).join("\n")
      : plainText(text);
  const problems = diagnostics.length > 0 ? diagnostics.map(line) : lastLines(text);
  const known = firstKnown(KNOWN, said, where, problems);
  if (known) return known;
  return new UserError(`expected ${where.program} to ${doing}, got an error`, {
    code: "terraform_failed",
    problems,
    next: [
      `${where.program} -chdir=${shellWord(where.dir)} plan${where.command === "destroy" ? " -destroy" : ""}   # shows it whole`,
      again(where),
    ],
  });
}

function line({ summary, detail, address }: Diagnostic): string {
  const first = detail.split("\n").find((part) => part.trim() !== "") ?? "";
  return [address, summary, first.trim()].filter(Boolean).join(": ");
}

/** `Lock Info` as Terraform prints it, for a local state and for one in S3 alike. */
function lockedBy(text: string): string {
  const who = field(text, "Who");
  const created = Date.parse(
    field(text, "Created")
      ?.replace(/\.\d+ \+0000 UTC$/, "Z")
      .replace(" ", "T") ?? "",
  );
  const since = Number.isNaN(created) ? "" : ` since ${new Date(created).toISOString()}`;
  const what = field(text, "Operation")
    ?.replace(/^OperationType/, "")
    .toLowerCase();
  if (who === undefined) return "expected the state to be free, got it locked";
  return `expected the state to be free, got it locked by ${who}${what ? ` (${what})` : ""}${since}`;
}

function field(text: string, name: string): string | undefined {
  return new RegExp(`^\\s*${name}:[ \\t]*(\\S.*?)\\s*$`, "m").exec(text)?.[1];
}

/** vCPUs: for ten machines of the sizes that are usual, and more than there are. */
function moreThan(text: string): number {
  const [, limit] = /limit of (\d+)/.exec(text) ?? [];
  return Math.max(64, 2 * Number(limit ?? 0));
}

function again({ command }: Where): string {
  return `lbctl ${command}   # goes on from where it stopped${command === "deploy" ? "; what exists already stays" : ""}`;
}
