/** The callback plugin that tells lbctl how a run goes, in a real run on this machine. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, writeFileSync } from "node:fs";
import type { Socket } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { stringify } from "yaml";
import { playbookEnv } from "../../cli/tools/ansible.ts";
import { ANSIBLE, ansibleVenv } from "../lab/venv.ts";
import { tempFolder } from "../support/temp-folder.ts";

const UNTIL = "Wait until it is let go";

for (const killed of [false, true]) {
  test(`a run ${killed ? "ends with the lbctl that was killed: nothing goes on without its lock" : "that is watched goes on to its end"}`, async (t) => {
    const folder = tempFolder(t);
    const [letGo, done] = [join(folder, "let go"), join(folder, "done")];
    const tasks = [
      { name: UNTIL, "ansible.builtin.wait_for": { path: letGo, timeout: 60 } },
      { name: "Go on", "ansible.builtin.copy": { content: "", dest: done, mode: "0600" } },
    ];
    const play = join(folder, "play.yml");
    writeFileSync(play, stringify([{ hosts: "all", connection: "local", gather_facts: false, tasks }]));
    const folders = { ansible: ANSIBLE, temp: folder, connections: folder, facts: folder };
    const run = spawn(join(ansibleVenv(), "bin/ansible-playbook"), ["-i", "localhost,", play], {
      detached: true,
      stdio: ["ignore", "pipe", "pipe", "pipe"],
      env: { ...process.env, ...playbookEnv({ ...folders, progress: "fd:3", colour: false }) },
    });
    t.after(() => run.exitCode ?? run.kill("SIGKILL"));
    const ended = once(run, "close");
    const events = run.stdio[3] as Socket;
    for await (const line of createInterface({ input: events })) {
      const { event, task } = JSON.parse(line) as { event: string; task?: string };
      if (event === "start" && task === UNTIL) break;
    }
    // As the kernel does it with what a killed process had open. Not of stderr: by a warning there Ansible may end of itself.
    for (const pipe of [run.stdout, events]) killed ? pipe?.destroy() : pipe?.resume();
    run.stderr?.resume();
    writeFileSync(letGo, "");
    await ended;
    assert.equal(existsSync(done), !killed);
  });
}
