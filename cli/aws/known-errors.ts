/** What AWS says of whoever asks, to Terraform and to the AWS CLI alike, as what to do about it. */
import { stripVTControlCharacters } from "node:util";
import { UserError } from "../errors.ts";
import { type Place, placeFlags, profileFlag } from "./cli-flags.ts";

export interface Known<Where> {
  readonly code: string;
  readonly found: RegExp;
  readonly message: (match: RegExpExecArray, text: string, where: Where) => string;
  readonly next: (where: Where, text: string) => readonly string[];
}

/** Texts are the AWS SDK's codes, which outlive its sentences, where there are any; sentences are those of botocore. */
export const IDENTITY: readonly Known<Place>[] = [
  {
    code: "aws_expired_token",
    found:
      /ExpiredToken|RequestExpired|token (has|is|included in the request is) expired|refresh cached SSO token failed|SSO session (?:associated with this profile )?has expired|Token has expired and refresh failed|Error loading SSO Token/i,
    message: () => "expected AWS credentials that are valid, got expired ones",
    next: ({ profile }, text) => [
      `aws sso login${profileFlag(profile)}   # or renew them the way that you got them`,
      ...(/RequestExpired/.test(text) ? ["date -u   # a clock that is wrong makes them look expired"] : []),
      "then the same command again",
    ],
  },
  {
    code: "aws_profile_not_found",
    found: /failed to get shared config profile,? ?(\S*)|The config profile \((.+?)\) could not be found/i,
    message: (match) =>
      `expected a profile of the AWS configuration, got ${match[1] || match[2] || "one that is not there"}`,
    next: () => ["aws configure list-profiles", "then set aws: { profile } in lbctl.yaml"],
  },
  {
    code: "aws_image_not_subscribed",
    found: /OptInRequired[^\n]*Marketplace[^\n]*?(https:\/\/aws\.amazon\.com\/marketplace\/\S+)?/,
    message: () => "expected an image that the account may use, got one of AWS Marketplace without its terms",
    next: (_, text) => [
      `take its terms: ${/https:\/\/aws\.amazon\.com\/marketplace\/\S+/.exec(text)?.[0] ?? "its page at AWS Marketplace"}; or another aws: { image } in lbctl.yaml, or none`,
      "then the same command again",
    ],
  },
  {
    code: "aws_region_not_found",
    found: /invalid AWS Region:? ?(\S*)/i,
    message: (match) => `expected a region of AWS, got ${match[1] || "one that is not there"}`,
    next: () => ["set aws: { region } in lbctl.yaml, like eu-central-1"],
  },
  {
    code: "aws_not_reachable",
    found:
      /Could not connect to the endpoint URL|Connect timeout on endpoint|Failed to establish a new connection|dial tcp: lookup \S*amazonaws\.com\S*( on \S+)?: no such host/,
    message: () => "expected AWS to answer, got no connection",
    next: (where) => [
      `aws sts get-caller-identity${placeFlags(where)}   # a network without a way out, a proxy (HTTPS_PROXY), a region that is not there?`,
      "then the same command again",
    ],
  },
  {
    code: "aws_region_not_enabled",
    found: /OptInRequired|region.{0,40} is not enabled/i,
    message: () => "expected a region that the account uses, got one that is not enabled for it",
    next: ({ region, profile }) => [
      `aws account enable-region --region-name ${region}${profileFlag(profile)}   # takes minutes; or set aws: { region } in lbctl.yaml`,
      "then the same command again",
    ],
  },
  {
    code: "aws_no_credentials",
    found:
      /no valid credential sources|no EC2 IMDS role found|failed to refresh cached credentials|InvalidClientTokenId|UnrecognizedClientException|InvalidAccessKeyId|AuthFailure(?!: Not authorized for images)|SignatureDoesNotMatch|Unable to locate credentials|Partial credentials found|Error when retrieving (?:credentials|token)/i,
    message: (match) => `expected AWS credentials, got none that AWS takes (${match[0]})`,
    next: (where) => [
      `aws sts get-caller-identity${placeFlags(where)}   # says who AWS takes you for; a region that the account has not enabled knows nobody`,
      "set aws: { profile } in lbctl.yaml or AWS_PROFILE, sign in with aws sso login, or use a role: lbctl itself keeps none",
    ],
  },
];

export const NOT_ALLOWED: Known<Place> = {
  code: "aws_not_allowed",
  found: /UnauthorizedOperation|AccessDenied(?:Exception)?|not authorized to perform/,
  message: (_, text) => {
    const [, action] = /not authorized to perform:? ?([\w:]+)/.exec(text) ?? [];
    const [, service, operation] = /operation error ([\w ]+): (\w+)/.exec(text) ?? [];
    const what = action ?? (operation && `${service}: ${operation}`);
    return `expected to be allowed to do this, got a refusal${what ? ` of ${what}` : ""}`;
  },
  next: ({ profile }) => [
    `aws sts get-caller-identity${profileFlag(profile)}   # is it who you meant?`,
    "docs/aws.md lists what lbctl needs",
  ],
};

/** @returns the first that fits; null where the text tells of nothing that is known */
export function firstKnown<Where>(
  all: readonly Known<Where>[],
  text: string,
  where: Where,
  problems: readonly string[],
): UserError | null {
  for (const { code, found, message, next } of all) {
    const match = found.exec(text);
    if (match) return new UserError(message(match, text, where), { code, problems, next: next(where, text) });
  }
  return null;
}

/** Of what is written for people: without colours and frames. */
export function plainText(text: string): string {
  return stripVTControlCharacters(text).replaceAll(/^[╷│╵] ?/gm, "");
}

/** The end of it, as lines. */
export function lastLines(text: string): string[] {
  return plainText(text)
    .split("\n")
    .map((part) => part.trim())
    .filter((part) => part !== "")
    .slice(-12);
}
