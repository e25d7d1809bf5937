/** The key of the machines' user: made here, never leaves. AWS gets its public half. */
import { existsSync } from "node:fs";
import { chmod, mkdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { execa } from "execa";
import { errorCode, UserError } from "../errors.ts";

const PUBLIC_HALF = /^(ssh|ecdsa|sk)-\S+\s+AAAA\S+(\s.*)?$/;

/**
 * @returns the public half, in OpenSSH's one-line form
 * @throws UserError where the private half can't be read, and no public one is beside it
 */
export async function ensureKey(file: string, cluster: string): Promise<string> {
  // A public half alone is no key: machines would get one that nobody can use.
  if (!existsSync(file)) await make(file, cluster);
  await closeToOthers(file);
  const kept = await readOrNull(`${file}.pub`);
  const derived = await keygen(["-y", "-P", "", "-f", file]).catch((error: unknown) => {
    // It is for an agent, then, which knows it by its public half.
    const locked = error instanceof UserError && /incorrect passphrase supplied/.test(error.problems.join());
    if (locked && kept !== null && PUBLIC_HALF.test(kept)) return kept;
    throw error;
  });
  // As it was, where it is this key's: for AWS one with another comment is another key.
  if (kept !== null && keyOf(kept) === keyOf(derived)) return kept;
  // For people; nothing needs it, and the folder may be mounted for reading.
  await writeFile(`${file}.pub`, `${derived}\n`, { mode: 0o600 }).catch(() => undefined);
  return derived;
}

/** @returns that of a key which is there and can be read; null: there is none that could be told */
export async function knownKey(file: string): Promise<string | null> {
  return existsSync(file) ? await ensureKey(file, "").catch(() => null) : null;
}

/** A copy has what its copier gave it, and ssh takes none that others may read. */
async function closeToOthers(file: string): Promise<void> {
  if (((await stat(file)).mode & 0o077) === 0) return;
  // Somebody else's, or mounted for reading: ssh-keygen and ssh say what they make of it.
  await chmod(file, 0o600).catch(() => undefined);
}

async function make(file: string, cluster: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  // It would ask whether to write over it.
  await rm(`${file}.pub`, { force: true });
  await keygen(["-q", "-t", "ed25519", "-N", "", "-C", `lbctl-${cluster}`, "-f", file]);
}

/** Kind and key, without the comment. */
export function keyOf(publicHalf: string): string {
  return publicHalf.split(/\s+/, 2).join(" ");
}

async function readOrNull(file: string): Promise<string | null> {
  try {
    return (await readFile(file, "utf8")).trim();
  } catch (error) {
    if (errorCode(error) === "ENOENT") return null;
    throw error;
  }
}

async function keygen(args: readonly string[]): Promise<string> {
  const ran = await execa("ssh-keygen", args, { reject: false, stdin: "ignore" });
  if (ran.exitCode === 0) return ran.stdout.trim();
  throw new UserError("expected ssh-keygen to make or read a key, got an error", {
    code: "ssh_keygen_failed",
    problems: [ran.stderr || (ran.originalMessage ?? "")],
    next: [
      "install OpenSSH's client (Debian: apt install openssh-client)",
      "or look at the key that is named: a private one of OpenSSH, its file yours; one with a passphrase needs its public half beside it, and an agent",
    ],
  });
}
