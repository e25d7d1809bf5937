/** The role that compares a service with its files, on this machine, with a stand-in for systemd. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, utimesSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { type TestContext, test } from "node:test";
import { stringify } from "yaml";
import { ANSIBLE, ansibleVenv } from "../lab/venv.ts";
import { tempFolder } from "../support/temp-folder.ts";

const STARTED = new Date("2026-01-02T03:04:05Z");
const BEFORE = new Date("2026-01-02T03:04:04Z");
const AFTER = new Date("2026-01-02T03:04:06Z");

test("a service that is older than one of its files is started anew", (t) => {
  const service = startedService(t, { "options file": BEFORE, config: AFTER });
  assert.deepEqual(service.play(), { ok: true, restarted: true });
});

test("a service that is newer than all of its files goes on", (t) => {
  const service = startedService(t, { options: BEFORE, config: BEFORE });
  assert.deepEqual(service.play(), { ok: true, restarted: false });
});

test("a file that cannot be looked at fails the run, but for check mode, which has written none", (t) => {
  const service = startedService(t, { options: BEFORE, config: null });
  assert.deepEqual(service.play(), { ok: false, restarted: false });
  assert.deepEqual(service.play("--check"), { ok: true, restarted: false });
});

test("a service that systemd does not tell of fails the run", (t) => {
  const service = startedService(t, { config: BEFORE }, "echo 'Failed to connect to bus' >&2; exit 1");
  assert.deepEqual(service.play(), { ok: false, restarted: false });
});

interface Played {
  readonly ok: boolean;
  readonly restarted: boolean;
}

/** @param files when each was written; null: it is missing. @param systemctl what stands for the program */
function startedService(
  t: TestContext,
  files: Readonly<Record<string, Date | null>>,
  systemctl = `echo ${STARTED.toISOString()}`,
): { play(...args: readonly string[]): Played } {
  const folder = tempFolder(t);
  for (const [name, at] of Object.entries(files)) {
    if (at === null) continue;
    writeFileSync(join(folder, name), "");
    utimesSync(join(folder, name), at, at);
  }
  const programs = join(folder, "bin");
  mkdirSync(programs);
  writeFileSync(join(programs, "systemctl"), `#!/bin/sh\n${systemctl}\n`, { mode: 0o755 });
  const restarted = join(folder, "restarted");
  const paths = Object.keys(files).map((name) => join(folder, name));
  writeFileSync(join(folder, "play.yml"), stringify(playbook(paths, restarted)));
  return {
    play: (...args) => {
      const bin = join(ansibleVenv(), "bin");
      const { status } = spawnSync(
        join(bin, "ansible-playbook"),
        ["-i", "localhost,", join(folder, "play.yml"), ...args],
        {
          cwd: ANSIBLE,
          encoding: "utf8",
          env: { ...process.env, PATH: [programs, bin, process.env.PATH].join(delimiter) },
        },
      );
      return { ok: status === 0, restarted: existsSync(restarted) };
    },
  };
}

function playbook(files: readonly string[], restarted: string): unknown {
  return [
    {
      hosts: "all",
      connection: "local",
      gather_facts: false,
      vars: { ansible_python_interpreter: "{{ ansible_playbook_python }}" },
      handlers: [{ name: "Restart it", "ansible.builtin.command": { argv: ["mkdir", restarted] } }],
      tasks: [
        {
          "ansible.builtin.include_role": { name: "restart_if_older" },
          vars: {
            restart_if_older_unit: "it.service",
            restart_if_older_files: files,
            restart_if_older_handler: "Restart it",
          },
        },
      ],
    },
  ];
}
