/** The Ansible that lbctl runs: the user's own if it is new enough, else a private one, pinned, in a venv. */
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { UserError } from "../errors.ts";
import { runTool } from "../tool.ts";
import {
  ANSIBLE_OLDEST,
  ANSIBLE_VERSION,
  isAtLeast,
  PYTHON_OLDEST,
  parseAnsibleVersion,
  parsePythonVersion,
  venvArgvs,
} from "../tools/ansible.ts";
import { ansibleFolder } from "./playbook.ts";

export interface Ansible {
  /** ansible-playbook */
  readonly program: string;
  readonly version: string;
}

/** One for all clusters of this user. */
export function venvFolder(): string {
  const data = process.env.XDG_DATA_HOME || join(homedir(), ".local", "share");
  return join(data, "lbctl", `ansible-core-${ANSIBLE_VERSION}`);
}

/** @returns null where there is none that will do */
export async function findAnsible(signal: AbortSignal): Promise<Ansible | null> {
  return (await privateAnsible()) ?? (await usersAnsible(signal));
}

/** @throws UserError where Python, its venv or the packages are missing */
export async function installAnsible(signal: AbortSignal): Promise<Ansible> {
  const folder = venvFolder();
  const python = await findPython(signal);
  mkdirSync(dirname(folder), { recursive: true });
  rmSync(folder, { recursive: true, force: true });
  for (const argv of venvArgvs(python, folder, join(ansibleFolder(), "requirements.lock"))) {
    const { code, stdout, stderr } = await runTool({ argv, signal });
    if (code === 0) continue;
    const said = (stderr || stdout).trim().split("\n");
    throw new UserError(`expected to install ansible-core ${ANSIBLE_VERSION} in ${folder}, got an error`, {
      code: "no_ansible",
      problems: said.slice(-5),
      next: [
        ...(/ensurepip|venv/.test(said.join()) ? ["apt-get install python3-venv"] : []),
        `or install ansible-core ${ANSIBLE_OLDEST} or newer yourself: it is taken from PATH`,
      ],
    });
  }
  // Last: a venv without it was stopped half-way.
  writeFileSync(join(folder, "complete.new"), ANSIBLE_VERSION);
  renameSync(join(folder, "complete.new"), join(folder, "complete"));
  return { program: join(folder, "bin", "ansible-playbook"), version: ANSIBLE_VERSION };
}

async function privateAnsible(): Promise<Ansible | null> {
  const folder = venvFolder();
  const program = join(folder, "bin", "ansible-playbook");
  return existsSync(join(folder, "complete")) && existsSync(program)
    ? { program, version: ANSIBLE_VERSION }
    : null;
}

async function usersAnsible(signal: AbortSignal): Promise<Ansible | null> {
  const said = await outputOf(["ansible-playbook", "--version"], signal);
  const version = parseAnsibleVersion(said);
  return version !== null && isAtLeast(version, ANSIBLE_OLDEST)
    ? { program: "ansible-playbook", version }
    : null;
}

/** @throws UserError where there is none that is new enough */
export async function findPython(signal: AbortSignal): Promise<string> {
  const names = ["python3", "python3.13", "python3.12", "python3.11"];
  for (const name of names) {
    const version = parsePythonVersion(await outputOf([name, "--version"], signal));
    if (version !== null && isAtLeast(version, PYTHON_OLDEST)) return name;
  }
  throw new UserError(`expected Python ${PYTHON_OLDEST} or newer on this machine, got none`, {
    code: "no_python",
    next: ["apt-get install python3 python3-venv   # Ansible is written in it"],
  });
}

/** Empty: there is no such program. */
async function outputOf(argv: readonly string[], signal: AbortSignal): Promise<string> {
  try {
    return (await runTool({ argv, signal })).stdout;
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof UserError) return "";
    throw error;
  }
}
