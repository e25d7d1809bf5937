import assert from "node:assert/strict";
import { chmod, readFile, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { type TestContext, test } from "node:test";
import { waitForMachines } from "../../../cli/aws/first-start.ts";
import type { Machine, Machines } from "../../../cli/hosts/machines.ts";
import { statePaths } from "../../../cli/state.ts";
import { tempFolder } from "../../support/temp-folder.ts";

const app1: Machine = {
  name: "app1",
  address: "i-0a1",
  inside: "10.80.16.5",
  user: "admin",
  port: 22,
  key: null,
  sshArgs: [],
};
const NOW = { total: 60_000, pause: 10 };

test("a machine that is not up yet is asked again, until its first start is over", async (t) => {
  const ssh = await standInSsh(t, "[ $tries -ge 3 ] || { echo 'TargetNotConnected' >&2; exit 255; }");
  const said: string[] = [];
  await waitForMachines(
    [app1],
    machines(),
    ssh.state,
    new AbortController().signal,
    (text) => said.push(text),
    NOW,
  );
  assert.equal(await ssh.tries(), 3);
  assert.deepEqual(said, [""], "nobody is waited for any more");
});

test("one whose first start failed: an error at once, and where to look", async (t) => {
  const ssh = await standInSsh(t, "exit 1");
  await assert.rejects(wait(ssh.state, NOW), (error: Error & { code?: string; next?: string[] }) => {
    assert.equal(error.code, "first_start_failed");
    assert.match(error.next?.join() ?? "", /start-session --target i-0a1 .*cloud-init-output\.log/);
    return true;
  });
  assert.equal(await ssh.tries(), 1);
});

test("one that never comes up: an error with what SSH said last", async (t) => {
  const ssh = await standInSsh(t, "echo 'ssh: connect to host i-0a1: Connection timed out' >&2; exit 255");
  await assert.rejects(wait(ssh.state, { total: 0, pause: 10 }), { code: "host_unreachable" });
});

test("Ctrl-C ends the waiting", async (t) => {
  const ssh = await standInSsh(t, "exit 255");
  const interruption = new AbortController();
  const waiting = wait(ssh.state, { total: 60_000, pause: 60_000 }, interruption.signal);
  interruption.abort(new Error("stopped by SIGINT"));
  await assert.rejects(waiting, /stopped by SIGINT/);
});

function wait(
  state: ReturnType<typeof statePaths>,
  patience: typeof NOW,
  signal = new AbortController().signal,
): Promise<void> {
  return waitForMachines([app1], machines(), state, signal, () => undefined, patience);
}

function machines(): Machines {
  return {
    balancer: app1,
    apps: [app1],
    monitoring: app1,
    traffic: "198.51.100.7",
    acceptNewHostKeys: true,
    adminAddresses: [],
    prometheus: "none",
    grafana: "none",
    artifacts: null,
  };
}

/** An `ssh` that counts how often it was started. */
async function standInSsh(t: TestContext, script: string) {
  const dir = tempFolder(t);
  const count = join(dir, "count");
  const program = join(dir, "ssh");
  const counting = `echo x >> '${count}'; tries=$(wc -l < '${count}')`;
  await writeFile(program, `#!/bin/sh\n${counting}\n${script}\n`);
  await chmod(program, 0o755);
  const { PATH } = process.env;
  t.after(() => {
    process.env.PATH = PATH;
  });
  process.env.PATH = [dir, PATH].join(delimiter);
  return {
    state: statePaths(dir, "shop"),
    tries: async () => (await readFile(count, "utf8")).trim().split("\n").length,
  };
}
