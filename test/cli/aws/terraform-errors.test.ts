import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { suite, test } from "node:test";
import { terraformError, type Where } from "../../../cli/aws/terraform-errors.ts";
import { TerraformEvents } from "../../../cli/aws/terraform-events.ts";

const where: Where = {
  program: "terraform",
  dir: "/srv/shop/.lbctl/shop/terraform",
  region: "eu-central-1",
  profile: "prod",
  command: "deploy",
};

/** What the AWS provider says, by reports of its users (hashicorp/terraform-provider-aws and others). */
const SAID = [
  {
    code: "aws_no_credentials",
    // hashicorp/terraform-provider-aws#39003
    summary: "No valid credential sources found",
    detail:
      "Please see https://registry.terraform.io/providers/hashicorp/aws\nfor more information about providing credentials.\n\nError: failed to refresh cached credentials, no EC2 IMDS role found, operation error ec2imds: GetMetadata, exceeded maximum number of attempts, 3, request send failed",
    message: /expected AWS credentials, got none/,
    next: /aws sts get-caller-identity --region eu-central-1 --profile prod/,
  },
  {
    code: "aws_expired_token",
    // aws-samples/serverless-patterns#970
    summary: "Retrieving AWS account details: validating provider credentials",
    detail:
      "retrieving caller identity from STS: operation error STS: GetCallerIdentity, https response error StatusCode: 403, RequestID: 6d1b2715, api error ExpiredToken: The security token included in the request is expired",
    message: /got expired ones/,
    next: /aws sso login --profile prod/,
  },
  {
    code: "aws_expired_token",
    summary: "No valid credential sources found",
    detail:
      "failed to refresh cached credentials, refresh cached SSO token failed, unable to refresh SSO token, operation error SSO OIDC: CreateToken",
    message: /got expired ones/,
    next: /aws sso login/,
  },
  {
    code: "aws_vcpu_quota",
    // bentoml/bentoctl#202
    summary:
      "creating EC2 Instance: operation error EC2: RunInstances, https response error StatusCode: 400, RequestID: 1, api error VcpuLimitExceeded: You have requested more vCPU capacity than your current vCPU limit of 32 allows for the instance bucket that the specified instance type belongs to. Please visit http://aws.amazon.com/contact-us/ec2-request to request an adjustment to this limit.",
    detail: "",
    message: /the account's limit of 32 vCPUs/,
    next: /request-service-quota-increase --region eu-central-1/,
  },
  {
    code: "aws_image_not_found",
    summary: "Your query returned no results. Please change your search criteria and try again.",
    detail: "",
    message: /expected an AMI, got none that fits in this region/,
    next: /aws ec2 describe-images --region eu-central-1/,
  },
  {
    code: "aws_image_not_found",
    summary:
      "creating EC2 Instance: operation error EC2: RunInstances, https response error StatusCode: 400, RequestID: 2, api error InvalidAMIID.NotFound: The image id '[ami-0123456789abcdef0]' does not exist",
    detail: "",
    message: /with the id ami-0123456789abcdef0/,
    next: /aws: \{ image: ami-… \}/,
  },
  {
    code: "aws_not_allowed",
    summary:
      "creating EC2 VPC: operation error EC2: CreateVpc, https response error StatusCode: 403, RequestID: 3, api error UnauthorizedOperation: You are not authorized to perform this operation.",
    detail: "",
    message: /expected to be allowed/,
    next: /docs\/aws\.md/,
  },
  {
    code: "journal_protected",
    summary: "Instance cannot be destroyed",
    detail:
      "Resource aws_ebs_volume.journal has lifecycle.prevent_destroy set, but the plan calls for this resource to be destroyed.",
    message: /protected/,
    next: /protect: false/,
  },
  {
    code: "aws_no_capacity",
    summary:
      "creating EC2 Instance: operation error EC2: RunInstances, api error InsufficientInstanceCapacity: We currently do not have sufficient t3.small capacity in the Availability Zone you requested",
    detail: "",
    message: /no room/,
    next: /try again later/,
  },
  {
    code: "aws_quota",
    summary:
      "creating EC2 VPC: operation error EC2: CreateVpc, https response error StatusCode: 400, RequestID: 4, api error VpcLimitExceeded: The maximum number of VPCs has been reached.",
    detail: "",
    message: /a limit of the account \(VpcLimitExceeded\)/,
    next: /list-service-quotas --region eu-central-1/,
  },
  {
    code: "aws_name_taken",
    summary:
      "creating IAM Role (lbctl-shop-machine): operation error IAM: CreateRole, https response error StatusCode: 409, RequestID: 5, EntityAlreadyExists: Role with name lbctl-shop-machine already exists.",
    detail: "",
    message: /got one that is taken/,
    next: /choose another name: in lbctl\.yaml/,
  },
  {
    code: "aws_image_of_other_architecture",
    summary:
      "creating EC2 Instance: operation error EC2: RunInstances, https response error StatusCode: 400, RequestID: 6, api error InvalidParameterValue: The architecture 'arm64' of the specified instance type does not match the architecture 'x86_64' of the specified AMI.",
    detail: "",
    message: /an AMI of the machines' architecture/,
    next: /aws: \{ image: … \}/,
  },
  {
    code: "aws_no_credentials",
    summary:
      "reading EC2 AMIs: operation error EC2: DescribeImages, https response error StatusCode: 401, api error UnrecognizedClientException: The security token included in the request is invalid.",
    detail: "",
    message: /expected AWS credentials/,
    next: /get-caller-identity/,
  },
  {
    code: "aws_not_allowed",
    summary: "Error acquiring the state lock",
    detail:
      "Error message: operation error S3: PutObject, https response error StatusCode: 403, RequestID: 7, HostID: x, api error AccessDenied: Access Denied\n\nTerraform acquires a state lock to protect the state from being written by multiple users at the same time.",
    message: /expected to be allowed/,
    next: /docs\/aws\.md/,
  },
  {
    code: "state_bucket_not_found",
    summary: "Error acquiring the state lock",
    detail:
      "Error message: operation error S3: PutObject, https response error StatusCode: 404, RequestID: 8, HostID: x, NoSuchBucket: The specified bucket does not exist",
    message: /expected a bucket for the state/,
    next: /docs\/aws\.md/,
  },
  {
    code: "aws_image_not_found",
    summary:
      "creating EC2 Instance: operation error EC2: RunInstances, https response error StatusCode: 403, RequestID: 9, api error AuthFailure: Not authorized for images: [ami-0123456789abcdef0]",
    detail: "",
    message: /expected an AMI/,
    next: /aws: \{ image: ami-… \}/,
  },
  {
    code: "terraform_failed",
    summary: "reading EC2 Instance: api error RequestLimitExceeded: Request limit exceeded.",
    detail: "",
    message: /expected terraform to apply/,
    next: /goes on from where it stopped/,
  },
  {
    code: "aws_zone_not_found",
    summary: "reading Route 53 Hosted Zone: no matching Route 53 Hosted Zone found",
    detail: "",
    message: /a hosted zone of this account/,
    next: /list-hosted-zones --profile prod/,
  },
  {
    code: "state_bucket_elsewhere",
    summary: "Error loading state",
    detail:
      'Error refreshing state: operation error S3: HeadObject, requested bucket from "eu-central-1", actual location "eu-west-1"',
    message: /in eu-central-1, got it in eu-west-1/,
    next: /aws: \{ state: \{ region: … \} \}/,
  },
  {
    code: "aws_vcpu_quota",
    summary:
      "creating EC2 Instance: api error VcpuLimitExceeded: You have requested more vCPU capacity than your current vCPU limit of 96 allows for the instance bucket",
    detail: "",
    message: /limit of 96 vCPUs/,
    next: /--desired-value 192\b/,
  },
  {
    code: "aws_account_pending",
    summary:
      "creating EC2 Instance: operation error EC2: RunInstances, https response error StatusCode: 400, api error PendingVerification: Your request for accessing resources in this region is being validated",
    detail: "",
    message: /still verifying/,
    next: /at most four hours/,
  },
  {
    code: "aws_region_not_enabled",
    summary:
      "reading EC2 AMIs: operation error EC2: DescribeImages, api error OptInRequired: You are not subscribed to this service. Please go to http://aws.amazon.com to subscribe.",
    detail: "",
    message: /not enabled/,
    next: /enable-region --region-name eu-central-1 --profile prod/,
  },
  {
    code: "aws_rule_quota",
    summary:
      "creating VPC Security Group Rule: operation error EC2: AuthorizeSecurityGroupIngress, https response error StatusCode: 400, RequestID: 5, api error RulesPerSecurityGroupLimitExceeded: The maximum number of rules per security group has been reached.",
    detail: "",
    message: /expected room for the rules of a security group/,
    next: /join blocks of aws: \{ adminAddresses, trafficAddresses \}/,
  },
  {
    code: "aws_image_too_large",
    // splunk/attack_range#1340
    summary:
      "creating EC2 Instance: operation error EC2: RunInstances, https response error StatusCode: 400, RequestID: 485bc0d4, api error InvalidBlockDeviceMapping: Volume of size 16GB is smaller than snapshot 'snap-0626a34da08068d7a', expect size>= 25GB",
    detail: "",
    message: /expected an image that fits on a disk of 16 GiB, got one of 25 GiB/,
    next: /aws: \{ image: … \}/,
  },
  {
    code: "aws_image_not_subscribed",
    summary:
      "creating EC2 Instance: operation error EC2: RunInstances, api error OptInRequired: In order to use this AWS Marketplace product you need to accept terms and subscribe. To do so please visit https://aws.amazon.com/marketplace/pp?sku=abc",
    detail: "",
    message: /AWS Marketplace/,
    next: /take its terms: https:\/\/aws\.amazon\.com\/marketplace\/pp\?sku=abc/,
  },
  {
    code: "aws_region_not_found",
    summary: "invalid AWS Region: eu-central-9",
    detail: "",
    message: /got eu-central-9/,
    next: /aws: \{ region \}/,
  },
  {
    code: "aws_not_reachable",
    summary: "Retrieving AWS account details",
    detail:
      'operation error STS: GetCallerIdentity, request send failed, Post "https://sts.eu-central-1.amazonaws.com/": dial tcp: lookup sts.eu-central-1.amazonaws.com on 10.0.0.2:53: no such host',
    message: /no connection/,
    next: /HTTPS_PROXY/,
  },
  {
    code: "aws_network_not_found",
    summary: "no matching EC2 Subnet found",
    detail: "",
    message: /aws\/network/,
    next: /describe-subnets --region eu-central-1 --profile prod/,
  },
  {
    code: "aws_network_not_found",
    summary:
      "creating EC2 Instance: operation error EC2: RunInstances, api error InvalidParameter: Security group sg-0a and subnet subnet-0b belong to different networks.",
    detail: "",
    message: /belong to different networks/,
    next: /aws: \{ network \}/,
  },
  {
    code: "aws_still_used",
    summary:
      "deleting EC2 VPC (vpc-0a): api error DependencyViolation: The vpc 'vpc-0a' has dependencies and cannot be deleted.",
    detail: "",
    message: /something that uses it/,
    next: /put there by hand/,
  },
  {
    code: "aws_expired_token",
    summary: "reading EC2 AMIs: api error RequestExpired: Request has expired.",
    detail: "",
    message: /expired ones/,
    next: /date -u/,
  },
  {
    code: "plan_stale",
    summary: "Saved plan is stale",
    detail:
      "The given plan file can no longer be applied because the state was changed by another operation after the plan was created.",
    message: /changes of somebody else since/,
    next: /the same command again/,
  },
] as const;

for (const { code, summary, detail, message, next } of SAID) {
  test(`${code}: ${summary.slice(0, 60)}`, () => {
    const error = terraformError("apply", [{ summary, detail, address: "aws_instance.app4" }], "", where);
    assert.equal(error.code, code);
    assert.match(error.message, message);
    assert.match(error.next.join("\n"), next);
    assert.match(error.problems[0] ?? "", /^aws_instance\.app4: /, "Terraform's own words are there, too");
  });
}

test("a locked state: who, doing what, since when, and what unlocks it: for a file the end of its process", async () => {
  const events = new TerraformEvents();
  const recorded = await readFile(join(import.meta.dirname, "recorded/locked.jsonl"), "utf8");
  const inS3 = new TerraformEvents();
  for (const line of recorded.split("\n")) {
    events.take(line);
    inS3.take(line.replace(/resource temporarily unavailable/gi, "api error PreconditionFailed"));
  }
  const error = terraformError("plan", events.errors, "", where);
  assert.equal(error.code, "state_locked");
  assert.equal(
    error.message,
    "expected the state to be free, got it locked by ada@workstation (apply) since 2026-01-28T14:16:27.000Z",
  );
  assert.match(error.next[1] ?? "", /^pgrep -fa terraform /);
  assert.match(
    terraformError("plan", inS3.errors, "", where).next[1] ?? "",
    /^terraform -chdir=\/srv\/shop\/\.lbctl\/shop\/terraform force-unlock 941feb94-5e07-fbaa-098e-a5ee0652e3f2 /,
  );
});

test("a state that another one holds, as commands without JSON say it: with colours and frames", () => {
  const red = (text: string) => `\u001b[31m│\u001b[0m \u001b[0m${text}`;
  const text = [
    "\u001b[31m╷\u001b[0m\u001b[0m",
    red("\u001b[1m\u001b[31mError: \u001b[0m\u001b[0m\u001b[1mError acquiring the state lock\u001b[0m"),
    red("Error message: operation error S3: PutObject, api error PreconditionFailed"),
    red("Lock Info:"),
    red("  ID:        941feb94-5e07-fbaa-098e-a5ee0652e3f2"),
    red("  Path:      shop-state/lbctl/shop/terraform.tfstate"),
    red("  Operation: OperationTypeApply"),
    red("  Who:       ada@workstation"),
    red("  Version:   1.11.4"),
    red("  Created:   2026-01-28 14:16:27.123 +0000 UTC"),
    "\u001b[31m╵\u001b[0m\u001b[0m",
  ].join("\n");
  const error = terraformError("save the state", [], text, where);
  assert.equal(error.code, "state_locked");
  assert.match(error.message, /locked by ada@workstation \(apply\) since 2026-01-28T14:16:27/);
  assert.match(error.next.join("\n"), /force-unlock 941feb94-5e07-fbaa-098e-a5ee0652e3f2/);
  for (const strange of ["\u001b", "│"]) assert.ok(!error.problems.join("").includes(strange));
});

suite("errors of init, which are for people only", () => {
  const INIT = [
    {
      code: "provider_not_available",
      text: "╷\n│ Error: Failed to query available provider packages\n│ \n│ Could not retrieve the list of available versions for provider\n│ hashicorp/aws: could not connect to registry.terraform.io: no route\n╵\n",
    },
    {
      code: "state_bucket_not_found",
      text: '╷\n│ Error: Failed to get existing workspaces: S3 bucket "shop-state" does not exist.\n│ \n│ The referenced S3 bucket must have been previously created.\n╵\n',
    },
    {
      code: "state_moved",
      text: "╷\n│ Error: Backend configuration changed\n│ \n│ A change in the backend configuration has been detected\n╵\n",
    },
    {
      code: "state_moved",
      text: "╷\n│ Error: Error asking for state migration action\n│ \n│ Can't ask approval for state migration when interactive input is disabled.\n╵\n",
    },
  ];
  for (const { code, text } of INIT) {
    test(code, () => {
      const error = terraformError("get ready", [], text, where);
      assert.equal(error.code, code);
      assert.doesNotMatch(error.problems.join(""), /[╷│╵]/);
      assert.ok(error.next.length > 0);
    });
  }
});

test("what goes on from there is what was asked for: never a deploy after a destroy", () => {
  const destroy: Where = { ...where, command: "destroy" };
  for (const { summary, detail } of SAID) {
    const { next } = terraformError("apply", [{ summary, detail }], "", destroy);
    assert.doesNotMatch(next.join("\n"), /lbctl deploy/);
  }
  const { next } = terraformError("apply", [{ summary: "Odd", detail: "" }], "", destroy);
  assert.match(next[0] ?? "", /plan -destroy/);
  assert.match(next[1] ?? "", /^lbctl destroy /);
});

test("anything else: Terraform's words, and how to see all of it", () => {
  const error = terraformError("apply the plan", [{ summary: "Odd", detail: "\nSomething new." }], "", where);
  assert.equal(error.code, "terraform_failed");
  assert.deepEqual(error.problems, ["Odd: Something new."]);
  assert.match(error.next[0] ?? "", /^terraform -chdir=\S+ plan/);
});
