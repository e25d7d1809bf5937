import assert from "node:assert/strict";
import { test } from "node:test";
import { sessionError } from "../../../cli/aws/session-errors.ts";
import type { Machine } from "../../../cli/hosts/machines.ts";
import { allOf, sshError } from "../../../cli/hosts/ssh-errors.ts";

const PLACE = { region: "eu-west-1", profile: "prod" };
const CLOSED =
  "kex_exchange_identification: Connection closed by remote host\nConnection closed by UNKNOWN port 65535";

/** As the AWS CLI (2) and its plugin print it; ssh's own words follow. */
const SAID = [
  [
    "aws_expired_token",
    "An error occurred (ExpiredTokenException) when calling the StartSession operation: The security token included in the request is expired",
    /aws sso login --profile prod/,
  ],
  [
    "aws_expired_token",
    "Error loading SSO Token: Token for corp does not exist",
    /aws sso login --profile prod/,
  ],
  [
    "aws_expired_token",
    "The SSO session associated with this profile has expired or is otherwise invalid. To refresh this SSO session run aws sso login with the corresponding profile.",
    /aws sso login/,
  ],
  [
    "aws_expired_token",
    "Error when retrieving token from sso: Token has expired and refresh failed",
    /aws sso login/,
  ],
  [
    "aws_no_credentials",
    'Unable to locate credentials. You can configure credentials by running "aws configure".',
    /get-caller-identity --region eu-west-1 --profile prod/,
  ],
  [
    "aws_no_credentials",
    "Partial credentials found in env, missing: aws_secret_access_key",
    /get-caller-identity/,
  ],
  ["aws_profile_not_found", "The config profile (prod) could not be found", /aws configure list-profiles/],
  [
    "aws_region_not_enabled",
    "An error occurred (OptInRequired) when calling the StartSession operation: You are not subscribed to this service.",
    /enable-region --region-name eu-west-1/,
  ],
  [
    "session_tools_missing",
    "SessionManagerPlugin is not found. Please refer to SessionManager Documentation here: http://docs.aws.amazon.com/console/systems-manager/session-manager-plugin-not-found",
    /lbctl doctor/,
  ],
  ["session_tools_missing", "sh: 1: exec: aws: not found", /lbctl doctor/],
  ["session_tools_missing", "/bin/bash: line 1: exec: aws: not found", /lbctl doctor/],
  [
    "aws_not_allowed",
    "An error occurred (AccessDeniedException) when calling the StartSession operation: User: arn:aws:iam::1:user/ada is not authorized to perform: ssm:StartSession on resource: arn:aws:ec2:eu-west-1:1:instance/i-0a2",
    /docs\/aws\.md/,
  ],
  [
    "aws_machine_not_connected",
    "An error occurred (TargetNotConnected) when calling the StartSession operation: i-0a2 is not connected.",
    /start-instances --region eu-west-1 --profile prod --instance-ids i-0a2/,
  ],
  [
    "aws_not_reachable",
    'Could not connect to the endpoint URL: "https://ssm.eu-west-1.amazonaws.com/"',
    /HTTPS_PROXY/,
  ],
] as const;

for (const [code, says, next] of SAID) {
  test(`${code}, not "no connection": ${says.slice(0, 60)}`, () => {
    const error = sshError(machine("app2", "i-0a2"), `\n${says}\n${CLOSED}\n`);
    assert.equal(error.code, code);
    assert.match(error.next.join("\n"), next);
    assert.equal(error.problems[0], says, "its own words are there, too");
  });
}

test("a machine that is not connected is named, and what to do about it", () => {
  const { message, next } = sshError(machine("app2", "i-0a2"), "TargetNotConnected: i-0a2 is not connected");
  assert.equal(message, "expected app2 (i-0a2) to be connected to Session Manager, got no connection");
  assert.match(
    next.join("\n"),
    /describe-instance-status .*--include-all-instances[\s\S]*Replacing machines/,
  );
});

test("where ssh itself speaks it is ssh's error, with the same steps to the machine", () => {
  const error = sshError({ ...machine("app2", "i-0a2"), whenUnreachable: ["start it"] }, CLOSED);
  assert.equal(error.code, "host_unreachable");
  assert.equal(error.next.at(-1), "start it");
});

test("what is wrong with credentials is said once, whatever the number of machines", () => {
  const [, says] = SAID[0];
  const errors = ["app1", "app2"].map((name) => sshError(machine(name, `i-${name}`), says));
  assert.equal(allOf(errors), errors[0]);
});

test("several machines, each with its own trouble: each message, and what was said of it", () => {
  const errors = ["app1", "app2"].map((name) =>
    sshError(machine(name, `i-${name}`), "TargetNotConnected: no"),
  );
  assert.deepEqual(allOf(errors).problems, [
    "expected app1 (i-app1) to be connected to Session Manager, got no connection",
    "  TargetNotConnected: no",
    "expected app2 (i-app2) to be connected to Session Manager, got no connection",
    "  TargetNotConnected: no",
  ]);
});

function machine(name: string, id: string): Machine {
  return {
    name,
    address: id,
    identity: id,
    inside: "10.80.16.5",
    user: "admin",
    port: 22,
    key: null,
    sshArgs: [],
    explain: (said) => sessionError(said, { name, id, ...PLACE }),
  };
}
