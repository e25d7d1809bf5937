/** Command lines and environment of Ansible and of what installs it: pure. */
import { join } from "node:path";

/** The last ansible-core that Debian 12's Python runs. */
export const ANSIBLE_VERSION = "2.19.14";
/** The oldest that is taken where the user has one already. */
export const ANSIBLE_OLDEST = "2.19";
/** Python that this ansible-core needs on the machine that lbctl runs on. */
export const PYTHON_OLDEST = "3.11";

export interface PlaybookRun {
  /** ansible-playbook */
  readonly program: string;
  readonly inventory: string;
  readonly playbook: string;
  /** Names of hosts; none: all. */
  readonly limit?: readonly string[];
  /** Changes nothing, says what would change. */
  readonly check?: boolean;
  /** Variables without secrets. */
  readonly variables?: Readonly<Record<string, unknown>>;
}

export function playbookArgv({
  program,
  inventory,
  playbook,
  limit,
  check,
  variables,
}: PlaybookRun): string[] {
  return [
    program,
    ...["--inventory", inventory],
    ...(limit === undefined ? [] : ["--limit", limit.join(",")]),
    ...(check ? ["--check", "--diff"] : []),
    ...(variables === undefined ? [] : ["--extra-vars", JSON.stringify(variables)]),
    playbook,
  ];
}

export interface PlaybookFolders {
  /** ansible/ of this package. */
  readonly ansible: string;
  /** For its temporary files. */
  readonly temp: string;
  /** For the sockets of connections that it shares: of this cluster alone, since addresses may mean other hosts. */
  readonly connections: string;
  /** For what it finds out about hosts: of one command alone, since hosts change. */
  readonly facts: string;
  /** The file that events are written to, or `fd:3`: a descriptor. */
  readonly progress: string;
  readonly colour: boolean;
}

export function playbookEnv({
  ansible,
  temp,
  connections,
  facts,
  progress,
  colour,
}: PlaybookFolders): Record<string, string> {
  return {
    ANSIBLE_CONFIG: join(ansible, "ansible.cfg"),
    ANSIBLE_ROLES_PATH: join(ansible, "roles"),
    ANSIBLE_CALLBACK_PLUGINS: join(ansible, "callback_plugins"),
    ANSIBLE_CALLBACKS_ENABLED: "lbctl_progress",
    ANSIBLE_HOST_KEY_CHECKING: "true",
    ANSIBLE_LOCAL_TEMP: temp,
    ANSIBLE_SSH_CONTROL_PATH_DIR: connections,
    ANSIBLE_GATHERING: "smart",
    ANSIBLE_CACHE_PLUGIN: "jsonfile",
    ANSIBLE_CACHE_PLUGIN_CONNECTION: facts,
    ANSIBLE_FORKS: "10",
    ANSIBLE_RETRY_FILES_ENABLED: "false",
    ANSIBLE_LOCALHOST_WARNING: "false",
    ...(colour ? { ANSIBLE_FORCE_COLOR: "true" } : { ANSIBLE_NOCOLOR: "true" }),
    LBCTL_PROGRESS: progress,
    PYTHONUNBUFFERED: "1",
    LC_ALL: "C.UTF-8",
  };
}

/** What makes the private Ansible, in order. @param requirements pinned versions with their hashes */
export function venvArgvs(python: string, folder: string, requirements: string): string[][] {
  return [
    [python, "-m", "venv", "--clear", folder],
    [
      join(folder, "bin", "python"),
      ...["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"],
      ...["--require-hashes", "--only-binary", ":all:", "--requirement", requirements],
    ],
  ];
}

/** `ansible-playbook [core 2.19.14]` → 2.19.14; null: something else */
export function parseAnsibleVersion(output: string): string | null {
  return /^ansible(?:-playbook)? \[core (\d+\.\d+(?:\.\d+)?)/m.exec(output)?.[1] ?? null;
}

/** `Python 3.11.7` → 3.11.7 */
export function parsePythonVersion(output: string): string | null {
  return /^Python (\d+\.\d+(?:\.\d+)?)/m.exec(output)?.[1] ?? null;
}

export function isAtLeast(version: string, oldest: string): boolean {
  const [a, b] = [version.split(".").map(Number), oldest.split(".").map(Number)];
  for (const [index, wanted] of b.entries()) {
    const got = a[index] ?? 0;
    if (got !== wanted) return got > wanted;
  }
  return true;
}
