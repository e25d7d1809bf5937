import assert from "node:assert/strict";
import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { Notifier } from "../../../proxy/systemd/notify.ts";
import { tempFolder } from "../../support/temp-folder.ts";
import { until } from "../../support/wait.ts";

test("ready, status and stopping are said to systemd", async (t) => {
  const { notifier, said } = heard(t, {});
  await notifier.ready("1.0, serving");
  await notifier.status("1.0, serving");
  await notifier.stopping("1.0, draining");
  assert.deepEqual(said(), [
    "--ready --status=1.0, serving",
    "--status=1.0, serving",
    "STOPPING=1 --status=1.0, draining",
  ]);
});

test("the watchdog is fed as long as the balancer answers, and no longer", async (t) => {
  const { notifier, said } = heard(t, { WATCHDOG_USEC: "60000" });
  let answers = true;
  let asked = 0;
  notifier.watch(() => {
    asked++;
    return answers ? Promise.resolve() : new Promise(() => {});
  });
  t.after(() => notifier.unwatch());
  await until(() => said().length >= 3);
  assert.deepEqual(new Set(said()), new Set(["WATCHDOG=1"]));
  answers = false;
  const before = asked;
  await until(() => asked > before);
  const fed = said().length;
  const quiet = performance.now() + 100;
  await until(() => performance.now() > quiet);
  assert.equal(said().length, fed);
});

test("a balancer whose journal has failed does not feed the watchdog", async (t) => {
  const { notifier, said } = heard(t, { WATCHDOG_USEC: "60000" });
  let asked = 0;
  notifier.watch(() => {
    asked++;
    return Promise.reject(new Error("journal_failed"));
  });
  t.after(() => notifier.unwatch());
  await until(() => asked > 0);
  assert.deepEqual(said(), []);
});

for (const [what, environment] of [
  ["without a watchdog", {}],
  ["with a watchdog for another process", { WATCHDOG_USEC: "60000", WATCHDOG_PID: "1" }],
] as const) {
  test(`${what} nothing is asked`, (t) => {
    const { notifier } = heard(t, environment);
    notifier.watch(() => assert.fail("asked"));
    notifier.unwatch();
  });
}

test("without systemd nothing is run, and a program that is not there does no harm", async (t) => {
  const file = join(tempFolder(t), "said");
  await new Notifier({}, program(t, file)).ready("1.0");
  assert.equal(existsSync(file), false);
  await new Notifier({ NOTIFY_SOCKET: "/run/x" }, "/nowhere/systemd-notify").ready("1.0");
});

/** A notifier whose systemd-notify writes down what it is to say. */
function heard(t: TestContext, environment: NodeJS.ProcessEnv) {
  const file = join(tempFolder(t), "said");
  const notifier = new Notifier({ NOTIFY_SOCKET: "/run/x", ...environment }, program(t, file));
  const said = () => (existsSync(file) ? readFileSync(file, "utf8").trim().split("\n") : []);
  return { notifier, said };
}

function program(t: TestContext, file: string): string {
  const path = join(tempFolder(t), "systemd-notify");
  writeFileSync(path, `#!/bin/sh\necho "$*" >> '${file}'\n`);
  chmodSync(path, 0o755);
  return path;
}
