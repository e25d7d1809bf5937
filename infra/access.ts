/** The way into the machines: a key, and what Session Manager's agent must be allowed. */
import { Construct, IamInstanceProfile, IamRole, IamRolePolicy, KeyPair } from "./cdktf.ts";
import { freeName, named, visibleName } from "./named.ts";
import type { StackSettings } from "./settings.ts";

/**
 * As little as an agent can do with: say that it is there, and open channels. AWS' own AmazonSSMManagedInstanceCore
 * also lets it read every parameter of the account.
 * https://docs.aws.amazon.com/systems-manager/latest/userguide/getting-started-create-iam-instance-profile.html
 */
const AGENT_ACTIONS = [
  "ssm:UpdateInstanceInformation",
  "ssmmessages:CreateControlChannel",
  "ssmmessages:CreateDataChannel",
  "ssmmessages:OpenControlChannel",
  "ssmmessages:OpenDataChannel",
];

export class Access extends Construct {
  readonly keyName: string;
  /** Null: the machines need nothing of AWS, so they may nothing. */
  readonly instanceProfile: string | null;

  constructor(scope: Construct, id: string, { cluster, access, publicKey }: StackSettings) {
    super(scope, id);
    const tags = { Name: visibleName(cluster, "machine") };
    const key = new KeyPair(this, "key", { keyNamePrefix: freeName(cluster), publicKey, tags });
    this.keyName = named("admin", key).keyName;
    this.instanceProfile = access === "ssm" ? sessionManager(this, cluster) : null;
  }
}

function sessionManager(scope: Construct, cluster: string): string {
  const tags = { Name: visibleName(cluster, "machine") };
  const namePrefix = freeName(cluster);
  const role = named(
    "machine",
    new IamRole(scope, "role", {
      namePrefix,
      description: "Lets Session Manager in, and nothing else.",
      assumeRolePolicy: policy({ Action: "sts:AssumeRole", Principal: { Service: "ec2.amazonaws.com" } }),
      tags,
    }),
  );
  named(
    "session-manager",
    new IamRolePolicy(scope, "policy", {
      name: "session-manager",
      role: role.name,
      // None of these actions can be narrowed to a resource.
      policy: policy({ Action: AGENT_ACTIONS, Resource: "*" }),
    }),
  );
  const profile = new IamInstanceProfile(scope, "profile", { namePrefix, role: role.name, tags });
  return named("machine", profile).name;
}

function policy(statement: Readonly<Record<string, unknown>>): string {
  return JSON.stringify({ Version: "2012-10-17", Statement: [{ Effect: "Allow", ...statement }] });
}
