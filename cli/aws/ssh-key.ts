/** The key of the machines' user: made here, never leaves. AWS gets its public half. */
import { existsSync } from "node:fs";
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { execa } from "execa";
import { errorCode, UserError } from "../errors.ts";

/** @returns the public half, in OpenSSH's one-line form */
export async function ensureKey(file: string, cluster: string): Promise<string> {
  // A public half alone is no key: machines would get one that nobody can use.
  if (existsSync(file)) return (await publicHalf(file)) ?? (await derived(file));
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

/** Where only the private half was copied from another checkout. */
async function derived(file: string): Promise<string> {
  const text = await keygen(["-y", "-P", "", "-f", file]);
  await writeFile(`${file}.pub`, `${text}\n`, { mode: 0o600 });
  return text;
}

async function keygen(args: readonly string[]): Promise<string> {
  const ran = await execa("ssh-keygen", args, { reject: false, stdin: "ignore" });
  if (ran.exitCode === 0) return ran.stdout.trim();
  throw new UserError("expected ssh-keygen to make or read a key, got an error", {
    code: "ssh_keygen_failed",
    problems: [ran.stderr || (ran.originalMessage ?? "")],
    next: ["install OpenSSH's client (Debian: apt install openssh-client); or look at the key that is named"],
  });
}
