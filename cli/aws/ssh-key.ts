/** The key of the machines' user: made here, never leaves. AWS gets its public half. */
import { chmod, mkdir, readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { execa } from "execa";
import { errorCode, UserError } from "../errors.ts";

/** @returns the public half, in OpenSSH's one-line form */
export async function ensureKey(file: string, cluster: string): Promise<string> {
  const there = await publicHalf(file);
  if (there !== null) return there;
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  await keygen(["-q", "-t", "ed25519", "-N", "", "-C", `lbctl-${cluster}`, "-f", file]);
  await chmod(file, 0o600);
  return (await publicHalf(file)) ?? "";
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
