/** What target `aws` needs of this machine beside what target hosts needs. */
import { execa } from "execa";
import type { ClusterConfig } from "../cluster-config.ts";
import { messageOf, UserError } from "../errors.ts";
import type { Finding } from "../target.ts";
import { profileFlag } from "./cli-flags.ts";
import { findTerraform, oldestFor } from "./terraform.ts";

const NONE = "not found";

type Aws = Pick<ClusterConfig, "aws">;

export async function awsFindings({ aws }: Aws, signal: AbortSignal): Promise<readonly Finding[]> {
  const cli = await awsCli(aws.access === "ssm", signal);
  return [
    await terraform(oldestFor(aws)),
    cli,
    ...(aws.access === "ssm" ? [await sessionPlugin(signal)] : []),
    ...(cli.found === NONE ? [] : [await credentials(aws.profile, aws.region, signal)]),
  ];
}

/** @throws UserError where machines could be made, and nothing be installed on them */
export async function checkWayIn({ aws }: Aws, signal: AbortSignal): Promise<void> {
  if (aws.access !== "ssm") return;
  const missing = [await awsCli(true, signal), await sessionPlugin(signal)].filter(({ ok }) => !ok);
  if (missing.length === 0) return;
  const names = missing.map(({ check }) => check).join(" and ");
  throw new UserError(`expected ${names}, which is the way to the machines, got none`, {
    code: "session_tools_missing",
    next: missing.map(({ mend }) => mend),
  });
}

async function terraform(oldest: string): Promise<Finding> {
  try {
    const { program, version } = await findTerraform(oldest);
    return finding("Terraform or OpenTofu", true, `${program} ${version}`, "");
  } catch (error) {
    return finding(
      "Terraform or OpenTofu",
      false,
      messageOf(error),
      "https://developer.hashicorp.com/terraform/install or https://opentofu.org/docs/intro/install",
    );
  }
}

async function awsCli(needed: boolean, signal: AbortSignal): Promise<Finding> {
  const version = await versionOf("aws", ["--version"], signal);
  return finding(
    "AWS CLI",
    version !== null || !needed,
    version ?? NONE,
    "https://docs.aws.amazon.com/cli/latest/userguide/getting-started-install.html",
  );
}

async function sessionPlugin(signal: AbortSignal): Promise<Finding> {
  const version = await versionOf("session-manager-plugin", ["--version"], signal);
  return finding(
    "Session Manager plugin",
    version !== null,
    version ?? NONE,
    "https://docs.aws.amazon.com/systems-manager/latest/userguide/session-manager-working-with-install-plugin.html, or aws: { access: ssh }",
  );
}

/** Asks AWS who it takes us for; what proves it stays where AWS' own tools keep it. */
async function credentials(profile: string | null, region: string, signal: AbortSignal): Promise<Finding> {
  const args = ["sts", "get-caller-identity", "--query", "Arn", "--output", "text", "--region", region];
  const ran = await execa("aws", [...args, ...(profile === null ? [] : ["--profile", profile])], {
    reject: false,
    stdin: "ignore",
    cancelSignal: signal,
  });
  const said = (ran.exitCode === 0 ? ran.stdout : ran.stderr).trim().split("\n").at(-1) ?? "";
  return finding(
    "AWS credentials",
    ran.exitCode === 0,
    said || "none",
    `aws sso login${profileFlag(profile)}, or another way of the AWS chain (environment, profile, role)`,
  );
}

async function versionOf(
  program: string,
  args: readonly string[],
  signal: AbortSignal,
): Promise<string | null> {
  const ran = await execa(program, args, { reject: false, stdin: "ignore", cancelSignal: signal });
  return ran.exitCode === 0 ? (ran.stdout.trim().split("\n")[0] ?? "") : null;
}

function finding(check: string, ok: boolean, found: string, mend: string): Finding {
  return { check, ok, found, mend: ok ? "" : mend };
}
