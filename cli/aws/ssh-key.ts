/** The key of the machines' user: made here, never leaves. AWS gets its public half. */
import { chmod, mkdir, readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { execa } from "execa";
import { errorCode, UserError } from "../errors.ts";
import type { PlanJson } from "./plan-changes.ts";

/** @returns the public half, in OpenSSH's one-line form */
export async function ensureKey(file: string, cluster: string): Promise<string> {
  const there = await publicHalf(file);
  if (there !== null) return there;
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  await keygen(["-q", "-t", "ed25519", "-N", "", "-C", `lbctl-${cluster}`, "-f", file]);
  await chmod(file, 0o600);
  return (await publicHalf(file)) ?? "";
}

/**
 * AWS puts the key on a machine when it makes it, and never again: with another one nobody would reach them all.
 * @throws UserError where machines are there that have another key
 */
export function refuseOtherKey(plan: PlanJson, file: string): void {
  const changes = (plan.resource_changes ?? []).filter(({ change }) => change.before !== null);
  const other = changes.some(
    ({ type, change }) => type === "aws_key_pair" && change.actions.includes("create"),
  );
  if (!other || !changes.some(({ type }) => type === "aws_instance")) return;
  throw new UserError(`expected the key that the cluster's machines know, got another one (${file})`, {
    code: "ssh_key_differs",
    next: [
      `copy ${dirname(file)} from where the cluster was deployed, over the one here; then the same command again`,
      "lbctl destroy needs no key",
    ],
  });
}

async function publicHalf(file: string): Promise<string | null> {
  try {
    return (await readFile(`${file}.pub`, "utf8")).trim();
  } catch (error) {
    if (errorCode(error) === "ENOENT") return null;
    throw error;
  }
}

async function keygen(args: readonly string[]): Promise<void> {
  const ran = await execa("ssh-keygen", args, { reject: false, stdin: "ignore" });
  if (ran.exitCode === 0) return;
  throw new UserError("expected ssh-keygen to make a key, got an error", {
    code: "ssh_keygen_failed",
    problems: [ran.stderr || (ran.originalMessage ?? "")],
    next: ["install OpenSSH's client (Debian: apt install openssh-client)"],
  });
}
