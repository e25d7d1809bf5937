/** Command lines of ssh and Ansible, word for word. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { NODE_PACKAGES } from "../../../cli/hosts/node-binaries.ts";
import {
  ANSIBLE_VERSION,
  isAtLeast,
  parseAnsibleVersion,
  parsePythonVersion,
  playbookArgv,
  playbookEnv,
  venvArgvs,
} from "../../../cli/tools/ansible.ts";
import { forwardArgv, type SshAccess, sshArgv, sshOptionText, tunnelArgv } from "../../../cli/tools/ssh.ts";

const ROOT = join(import.meta.dirname, "../../..");

const PLAIN: SshAccess = {
  address: "10.0.0.10",
  user: null,
  port: null,
  key: null,
  knownHosts: ["/state/known_hosts", "/home/ada/.ssh/known_hosts"],
  acceptNew: false,
  args: [],
};

const OPTIONS = [
  ...["-o", "BatchMode=yes", "-o", "ConnectTimeout=10"],
  ...["-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=3"],
];

test("ssh never asks, and refuses a host whose key is not known", () => {
  assert.deepEqual(sshArgv(PLAIN, "uname -m"), [
    "ssh",
    ...OPTIONS,
    ...["-o", "StrictHostKeyChecking=yes"],
    ...["-o", "UserKnownHostsFile=/state/known_hosts /home/ada/.ssh/known_hosts"],
    ...["--", "10.0.0.10", "uname -m"],
  ]);
});

test("ssh with a user, a port, a key, a jump host, and new keys taken when asked for", () => {
  const access = {
    ...PLAIN,
    user: "admin",
    port: 2222,
    key: "/k/id",
    acceptNew: true,
    args: ["-J", "ada@bastion"],
  };
  assert.deepEqual(sshArgv(access, "true"), [
    "ssh",
    ...OPTIONS,
    ...["-o", "StrictHostKeyChecking=accept-new"],
    ...["-o", "UserKnownHostsFile=/state/known_hosts /home/ada/.ssh/known_hosts"],
    ...["-J", "ada@bastion"],
    ...["-i", "/k/id", "-o", "IdentitiesOnly=yes", "-p", "2222", "-l", "admin", "--", "10.0.0.10", "true"],
  ]);
});

test("a known_hosts file may have spaces and per cent signs in its path, for ssh and for Ansible's shell words", () => {
  const access = { ...PLAIN, knownHosts: ["/my clusters/100%/known_hosts"] };
  assert.ok(
    sshArgv(access, "true").includes('UserKnownHostsFile="/my clusters/100%%/known_hosts"'),
    sshArgv(access, "true").join(" "),
  );
  assert.match(sshOptionText(access), / -o 'UserKnownHostsFile="\/my clusters\/100%%\/known_hosts"'$/);
});

test("a tunnel listens on the loopback only, shares no connection, and ends with its stdin", () => {
  const forwards = [
    { from: 40001, host: "127.0.0.1", port: 1936 },
    { from: 40002, host: "fd00::12", port: 4567 },
  ];
  assert.deepEqual(tunnelArgv(PLAIN, forwards), [
    "ssh",
    ...["-o", "ExitOnForwardFailure=yes", "-o", "ControlMaster=no", "-o", "ControlPath=none"],
    ...["-L", "127.0.0.1:40001:127.0.0.1:1936", "-L", "127.0.0.1:40002:[fd00::12]:4567"],
    ...OPTIONS,
    ...["-o", "StrictHostKeyChecking=yes"],
    ...["-o", "UserKnownHostsFile=/state/known_hosts /home/ada/.ssh/known_hosts"],
    ...["--", "10.0.0.10", "echo open; exec cat >/dev/null"],
  ]);
});

test("what leads a person to the pages: ports of this machine, until it is ended", () => {
  const forwards = [{ from: 1936, host: "127.0.0.1", port: 1936 }];
  assert.deepEqual(forwardArgv(PLAIN, forwards), [
    ...["ssh", "-N", "-L", "127.0.0.1:1936:127.0.0.1:1936"],
    ...OPTIONS,
    ...["-o", "StrictHostKeyChecking=yes"],
    ...["-o", "UserKnownHostsFile=/state/known_hosts /home/ada/.ssh/known_hosts"],
    ...["--", "10.0.0.10"],
  ]);
});

test("a playbook on all hosts, and one in check mode on some", () => {
  const run = { program: "/v/ansible-playbook", inventory: "/s/inventory.yml", playbook: "/a/apps.yml" };
  assert.deepEqual(playbookArgv(run), [
    "/v/ansible-playbook",
    "--inventory",
    "/s/inventory.yml",
    "/a/apps.yml",
  ]);
  const variables = { lb_app_serial: 2 };
  assert.deepEqual(playbookArgv({ ...run, limit: ["app1", "app2"], check: true, variables }), [
    ...["/v/ansible-playbook", "--inventory", "/s/inventory.yml", "--limit", "app1,app2"],
    ...["--check", "--diff", "--extra-vars", '{"lb_app_serial":2}', "/a/apps.yml"],
  ]);
});

test("Ansible checks host keys, and shares connections within one cluster only", () => {
  const folders = { ansible: "/a", temp: "/t", connections: "/c", facts: "/f" };
  const env = playbookEnv({ ...folders, progress: "fd:3", colour: false });
  assert.equal(env.ANSIBLE_HOST_KEY_CHECKING, "true");
  assert.equal(env.ANSIBLE_SSH_CONTROL_PATH_DIR, "/c");
  assert.equal(env.ANSIBLE_CONFIG, "/a/ansible.cfg");
  assert.equal(env.LBCTL_PROGRESS, "fd:3");
});

test("the private Ansible takes only the pinned files, by their hashes", () => {
  assert.deepEqual(venvArgvs("python3", "/v", "/a/requirements.lock"), [
    ["python3", "-m", "venv", "--clear", "/v"],
    [
      ...["/v/bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"],
      ...["--require-hashes", "--only-binary", ":all:", "--requirement", "/a/requirements.lock"],
    ],
  ]);
  const pinned = readFileSync(join(ROOT, "ansible/requirements.lock"), "utf8");
  assert.match(pinned, new RegExp(`^ansible-core==${ANSIBLE_VERSION.replaceAll(".", "\\.")} `, "m"));
});

test("versions are read from what the tools say, and compared by their numbers", () => {
  assert.equal(parseAnsibleVersion("ansible-playbook [core 2.19.14]\n  config file = None"), "2.19.14");
  assert.equal(parseAnsibleVersion("ansible 2.9.6"), null);
  assert.equal(parsePythonVersion("Python 3.11.7"), "3.11.7");
  const newer: readonly (readonly [string, string, boolean])[] = [
    ["2.19.14", "2.19", true],
    ["2.19", "2.19.0", true],
    ["2.9.27", "2.19", false],
    ["2.20.0", "2.19", true],
    ["3.10.12", "3.11", false],
  ];
  for (const [version, oldest, expected] of newer)
    assert.equal(isAtLeast(version, oldest), expected, version);
});

test("the Node.js for other architectures is that of the lock file", () => {
  const lock = JSON.parse(readFileSync(join(ROOT, "package-lock.json"), "utf8")) as {
    packages: Record<string, { integrity: string }>;
  };
  for (const { name, integrity } of Object.values(NODE_PACKAGES)) {
    assert.equal(lock.packages[`node_modules/${name}`]?.integrity, integrity, name);
  }
});
