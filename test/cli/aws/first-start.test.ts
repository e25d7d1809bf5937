import assert from "node:assert/strict";
import { chmod, readFile, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { type TestContext, test } from "node:test";
import { type Patience, type Waiting, waitForMachines } from "../../../cli/aws/first-start.ts";
import { sessionError } from "../../../cli/aws/session-errors.ts";
import type { Machine } from "../../../cli/hosts/machines.ts";
import { type StatePaths, statePaths } from "../../../cli/state.ts";
import { tempFolder } from "../../support/temp-folder.ts";

const PLACE = { region: "eu-central-1", profile: "prod" };
const app1: Machine = {
  name: "app1",
  address: "i-0a1",
  identity: "i-0a1",
  inside: "10.80.16.5",
  user: "admin",
  port: 22,
  key: null,
  sshArgs: [],
  explain: (said) => sessionError(said, { name: "app1", id: "i-0a1", ...PLACE }),
};
const NOW = { total: 60_000, refused: 60_000, pause: 10 };

test("a machine that is not up yet is asked again, until its first start is over", async (t) => {
  const ssh = await standInSsh(t, "[ $tries -ge 3 ] || { echo 'TargetNotConnected' >&2; exit 255; }");
  const said: string[] = [];
  await waitForMachines(waiting(ssh.state), (text) => said.push(text), NOW);
  assert.equal(await ssh.tries(), 3);
  assert.deepEqual(said, [""], "nobody is waited for any more");
});

test("one whose first start failed: an error at once, and where to look", async (t) => {
  const ssh = await standInSsh(t, "exit 1");
  await assert.rejects(wait(ssh.state, NOW), (error: Error & { code?: string; next?: string[] }) => {
    assert.equal(error.code, "first_start_failed");
    const next = error.next?.join("\n") ?? "";
    assert.match(next, /^ssh .* -- i-0a1 sudo tail -n 50 \/var\/log\/cloud-init-output\.log/);
    assert.match(next, /aws ec2 get-console-output --region eu-central-1 --profile prod --instance-id i-0a1/);
    return true;
  });
  assert.equal(await ssh.tries(), 1);
});

test("one that never comes up: an error with what SSH said last", async (t) => {
  const ssh = await standInSsh(t, "echo 'ssh: connect to host i-0a1: Connection timed out' >&2; exit 255");
  await assert.rejects(wait(ssh.state, { total: 0, refused: 0, pause: 10 }), { code: "host_unreachable" });
});

const FOR_GOOD = {
  host_key_changed: "@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @",
  aws_expired_token:
    "An error occurred (ExpiredTokenException) when calling the StartSession operation: The security token included in the request is expired",
  aws_no_credentials: "Unable to locate credentials. You can configure credentials by running aws configure.",
  aws_profile_not_found: "The config profile (prod) could not be found",
  session_tools_missing:
    "SessionManagerPlugin is not found. Please refer to SessionManager Documentation here",
  aws_region_not_enabled: "An error occurred (OptInRequired) when calling the StartSession operation",
};

for (const [code, says] of Object.entries(FOR_GOOD)) {
  test(`what the next try would meet as well is not tried again: ${code}`, async (t) => {
    const ssh = await standInSsh(t, `echo '${says}' >&2; exit 255`);
    await assert.rejects(wait(ssh.state, NOW), { code });
    assert.equal(await ssh.tries(), 1);
  });
}

test("a refusal is tried again, for less long than silence: the key may be a moment late", async (t) => {
  const ssh = await standInSsh(
    t,
    "[ $tries -ge 3 ] || { echo 'admin@i-0a1: Permission denied (publickey).' >&2; exit 255; }",
  );
  await wait(ssh.state, NOW);
  assert.equal(await ssh.tries(), 3);
  const never = await standInSsh(t, "echo 'admin@i-0a1: Permission denied (publickey).' >&2; exit 255");
  await assert.rejects(wait(never.state, { ...NOW, refused: 0 }), { code: "ssh_refused" });
  assert.equal(await never.tries(), 1);
});

test("what is waited for is the end of cloud-init, by its own word", async (t) => {
  const ssh = await standInSsh(t, 'case "$*" in *"cloud-init status --wait"*) exit 0;; *) exit 1;; esac');
  await wait(ssh.state, NOW);
  assert.equal(await ssh.tries(), 1);
});

test("where one fails, nobody waits for the others", async (t) => {
  const ssh = await standInSsh(t, 'case "$*" in *i-0a2*) exit 1;; *) exit 255;; esac');
  const app2 = { ...app1, name: "app2", address: "i-0a2", identity: "i-0a2" };
  const both = { ...waiting(ssh.state), machines: [app1, app2] };
  await assert.rejects(
    waitForMachines(both, () => undefined, { ...NOW, pause: 60_000 }),
    { code: "first_start_failed" },
  );
});

test("Ctrl-C ends the waiting", async (t) => {
  const ssh = await standInSsh(t, "exit 255");
  const interruption = new AbortController();
  const stopped = wait(ssh.state, { ...NOW, pause: 60_000 }, interruption.signal);
  interruption.abort(new Error("stopped by SIGINT"));
  await assert.rejects(stopped, /stopped by SIGINT/);
});

function wait(state: StatePaths, patience: Patience, signal = new AbortController().signal): Promise<void> {
  return waitForMachines({ ...waiting(state), signal }, () => undefined, patience);
}

function waiting(state: StatePaths): Waiting {
  return {
    machines: [app1],
    all: { acceptNewHostKeys: true },
    state,
    where: PLACE,
    signal: new AbortController().signal,
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
