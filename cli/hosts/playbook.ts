/** Running one of ansible/playbooks on the hosts of a site, with progress, a full log, and a clear error. */
import { createHash } from "node:crypto";
import { mkdirSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { UserError } from "../errors.ts";
import { packageRoot } from "../package.ts";
import { runTool } from "../tool.ts";
import { playbookArgv, playbookEnv } from "../tools/ansible.ts";
import { shellWord } from "../tools/format.ts";
import { Progress, type TaskChange, type TaskFailure } from "./progress.ts";
import type { Site } from "./site.ts";
import { sshError } from "./ssh-errors.ts";

export interface PlaybookOptions {
  /** `apps`: ansible/playbooks/apps.yml */
  readonly playbook: "hosts" | "apps" | "balancer" | "monitoring" | "destroy";
  /** Names of hosts; without it all. */
  readonly limit?: readonly string[];
  /** Changes nothing, says what would change. */
  readonly check?: boolean;
  readonly variables?: Readonly<Record<string, unknown>>;
  readonly say?: (detail: string) => void;
}

export function ansibleFolder(): string {
  return join(packageRoot(), "ansible");
}

/** @returns what it changed, or would change; @throws UserError with host, task and the module's message */
export async function runPlaybook(site: Site, options: PlaybookOptions): Promise<readonly TaskChange[]> {
  const { playbook, say, ...choices } = options;
  const progress = new Progress();
  const log = logFile(site, playbook);
  const folder = ansibleFolder();
  const { code } = await runTool({
    argv: playbookArgv({
      program: site.ansible,
      inventory: site.inventory,
      playbook: join(folder, "playbooks", `${playbook}.yml`),
      ...choices,
    }),
    env: playbookEnv({
      ansible: folder,
      temp: join(site.state.dir, "ansible", "tmp"),
      connections: connectionsFolder(site),
      facts: site.factsFolder,
      progress: "fd:3",
      colour: site.verbose && process.stdout.isTTY === true,
    }),
    cwd: folder,
    signal: site.signal,
    log,
    show: site.verbose,
    onEvent: (line) => {
      progress.take(line);
      say?.(progress.lines);
    },
  });
  if (code !== 0) throw failure(site, playbook, progress.failures, log);
  return progress.changes;
}

/** Short: a socket's path has room for 107 bytes. */
function connectionsFolder({ state }: Site): string {
  const name = createHash("sha256").update(state.dir).digest("hex").slice(0, 12);
  return join(homedir(), ".ansible", "cp", `lbctl-${name}`);
}

function logFile({ state }: Site, playbook: string): string {
  const folder = join(state.dir, "ansible", "logs");
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const at = new Date().toISOString().replaceAll(":", "-").slice(0, 19);
  return join(folder, `${at}-${playbook}.log`);
}

function failure(site: Site, playbook: string, failures: readonly TaskFailure[], log: string): UserError {
  const [first] = failures;
  const whole = `less ${shellWord(log)}   # all that Ansible said`;
  if (!first) {
    return new UserError(`expected the playbook ${playbook} to end well, got an error of Ansible's`, {
      code: "ansible_failed",
      next: [whole],
    });
  }
  if (first.unreachable) {
    const machine = [site.machines.balancer, ...site.machines.apps, site.machines.monitoring].find(
      ({ name }) => name === first.host,
    );
    if (machine) {
      const { message, code, problems, next } = sshError(machine, first.message);
      return new UserError(message, { code: code ?? "ssh_failed", problems, next: [...next, whole] });
    }
  }
  return new UserError(`${first.host}: expected "${first.task}"${inRole(first)} to succeed, got a failure`, {
    code: FULL.test(first.message) ? "disk_full" : "task_failed",
    problems: failures.map(
      ({ host, task, message }) => `${host}: ${task}: ${message.split("\n").slice(0, 12).join("\n    ")}`,
    ),
    next: [whole, "mend it, then run the same command again: it goes on from where it stopped"],
  });
}

/** As the kernel says it, and as tar does that got a part of a file written. */
const FULL = /No space left on device|Wrote only \d+ of \d+ bytes/i;

function inRole({ role }: TaskFailure): string {
  return role === null ? "" : ` (${role})`;
}
