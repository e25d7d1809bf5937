/** Runs Terraform or OpenTofu, and keeps what it says. */
import { open, readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { execa } from "execa";
import type { ClusterConfig } from "../cluster-config.ts";
import { UserError } from "../errors.ts";
import { versionArgs } from "./terraform-argv.ts";

export interface Terraform {
  readonly program: "terraform" | "tofu";
  /** `1.11.4` */
  readonly version: string;
}

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The oldest that is known to do. */
const OLDEST = "1.6";
/** S3 can lock by itself since then. */
const OLDEST_FOR_S3 = "1.10";

/**
 * No questions, no hints of commands that lbctl runs itself, no look for newer versions. And one cluster, whatever the
 * shell is set up for: another workspace or folder would be another state, and arguments another plan.
 */
function environment(): Record<string, string | undefined> {
  const others = Object.keys(process.env).filter((name) => name.startsWith("TF_CLI_ARGS"));
  return {
    ...Object.fromEntries(others.map((name) => [name, undefined])),
    TF_IN_AUTOMATION: "1",
    TF_INPUT: "0",
    CHECKPOINT_DISABLE: "1",
    TF_WORKSPACE: "default",
    TF_DATA_DIR: undefined,
  };
}

/** How often its output is looked at. In ms. */
const LOOK_EVERY = 200;

/** @returns `1.6` */
export function oldestFor({ state }: ClusterConfig["aws"]): string {
  return state.backend === "s3" ? OLDEST_FOR_S3 : OLDEST;
}

/** @throws UserError where neither is there, or both are too old */
export async function findTerraform(oldest = OLDEST): Promise<Terraform> {
  const found: string[] = [];
  for (const program of ["terraform", "tofu"] as const) {
    const version = await versionOf(program);
    if (version !== null && isRecent(version, oldest)) return { program, version };
    if (version !== null) found.push(`${program} ${version}`);
  }
  throw new UserError(
    `expected Terraform or OpenTofu ${oldest} or newer, got ${found.join(" and ") || "neither"}`,
    {
      code: "terraform_not_found",
      next: [
        "https://developer.hashicorp.com/terraform/install or https://opentofu.org/docs/intro/install",
        "lbctl doctor",
      ],
    },
  );
}

async function versionOf(program: string): Promise<string | null> {
  const ran = await execa(program, versionArgs(), { reject: false, stdin: "ignore", env: environment() });
  if (ran.exitCode !== 0) return null;
  return (JSON.parse(ran.stdout) as { terraform_version: string }).terraform_version;
}

export function isRecent(version: string, oldest = OLDEST): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const [oldMajor = 0, oldMinor = 0] = oldest.split(".").map(Number);
  return major > oldMajor || (major === oldMajor && minor >= oldMinor);
}

/** For what is over soon and changes nothing at AWS. */
export async function runTerraform(
  { program }: Terraform,
  dir: string,
  args: readonly string[],
  signal: AbortSignal,
): Promise<Ran> {
  const ran = await execa(program, args, {
    cwd: dir,
    env: environment(),
    stdin: "ignore",
    reject: false,
    cancelSignal: signal,
    forceKillAfterDelay: false,
  });
  signal.throwIfAborted();
  return { code: ran.exitCode ?? 1, stdout: ran.stdout, stderr: ran.stderr || (ran.originalMessage ?? "") };
}

/**
 * For what holds the state's lock. It must come to its own end: a session of its own, so that the terminal's Ctrl-C
 * does not reach it twice (the second makes it drop everything), and files for its output, so that it goes on when lbctl
 * is killed. An abort is one SIGINT: it ends what it has begun, saves the state and unlocks it.
 * @param onLine for each line of its output, soon after it is written
 */
export async function followTerraform(
  { program }: Terraform,
  dir: string,
  args: readonly string[],
  signal: AbortSignal,
  onLine: (line: string) => void,
): Promise<Ran> {
  signal.throwIfAborted();
  const [out, err] = [join(dir, `${args[0]}.out`), join(dir, `${args[0]}.err`)];
  await using stdout = await open(out, "w+", 0o600);
  await using stderr = await open(err, "w", 0o600);
  const child = execa(program, args, {
    cwd: dir,
    env: environment(),
    stdin: "ignore",
    // It takes any descriptor; its types know the first ten.
    stdout: stdout.fd as 3,
    stderr: stderr.fd as 3,
    detached: true,
    reject: false,
  });
  const interrupt = () => void child.kill("SIGINT");
  signal.addEventListener("abort", interrupt, { once: true });
  const ended = new AbortController();
  const following = follow(stdout, ended.signal, onLine);
  const ran = await child.finally(() => ended.abort());
  signal.removeEventListener("abort", interrupt);
  const text = await following;
  return {
    code: ran.exitCode ?? 1,
    stdout: text,
    stderr: (await readFile(err, "utf8")) || (ran.originalMessage ?? ""),
  };
}

/** Its own place in the file, as the child's is another; @returns all of it */
async function follow(
  file: {
    read(buffer: Buffer, offset: number, length: number, position: number): Promise<{ bytesRead: number }>;
  },
  ended: AbortSignal,
  onLine: (line: string) => void,
): Promise<string> {
  const buffer = Buffer.alloc(64 * 1024);
  const parts: Buffer[] = [];
  let rest = Buffer.alloc(0);
  for (let position = 0; ; ) {
    const over = ended.aborted;
    const { bytesRead } = await file.read(buffer, 0, buffer.length, position);
    if (bytesRead === 0) {
      if (over) break;
      await pause(LOOK_EVERY, undefined, { signal: ended }).catch(() => undefined);
      continue;
    }
    position += bytesRead;
    parts.push(Buffer.from(buffer.subarray(0, bytesRead)));
    rest = Buffer.concat([rest, buffer.subarray(0, bytesRead)]);
    for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10)) {
      onLine(rest.subarray(0, end).toString());
      rest = rest.subarray(end + 1);
    }
  }
  if (rest.length > 0) onLine(rest.toString());
  return Buffer.concat(parts).toString();
}
