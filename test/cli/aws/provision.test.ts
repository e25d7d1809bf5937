import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { readdir, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { suite, type TestContext, test } from "node:test";
import {
  applyMachines,
  lookAhead,
  planMachines,
  readOutputs,
  type Work,
} from "../../../cli/aws/provision.ts";
import { runTerraform } from "../../../cli/aws/terraform.ts";
import { initArgs, PLAN_FILE } from "../../../cli/aws/terraform-argv.ts";
import { isUnsaved, saveState } from "../../../cli/aws/unsaved-state.ts";
import { UserError } from "../../../cli/errors.ts";
import { until } from "../../support/wait.ts";
import { configure, NO_TERRAFORM, workspace } from "./workspace.ts";

const silent = () => undefined;
const machine = (number: number) => ({ instance_id: `i-0${number}`, private_ip: `10.80.16.${number}` });
const balancer = { input: { ...machine(9), address: "198.51.100.7" } };

suite("Terraform itself, with its built-in resource", { skip: NO_TERRAFORM }, () => {
  test("plan, apply of that plan, outputs; then nothing is left to do", async (t) => {
    const work = await workspace(t, { balancer, app1: { input: machine(1) } });
    assert.equal(await readOutputs(work), null);
    const planned = await planMachines(work);
    assert.equal(planned.needed, true);
    assert.deepEqual(
      planned.changes.map(({ action, what }) => `${action} ${what}`),
      ["create terraform_data.app1", "create terraform_data.balancer"],
    );
    const said: string[] = [];
    await applyMachines(work, (detail) => said.push(detail));
    assert.equal(said.at(-1), "2 of 2");
    assert.deepEqual(await readOutputs(work), {
      balancer: balancer.input,
      nodes: [{ name: "app1", ...machine(1) }],
    });
    const again = await planMachines(work);
    assert.deepEqual([again.needed, again.changes], [false, []]);
    const actions = again.plan.resource_changes?.map(({ change }) => change.actions);
    assert.deepEqual(
      actions,
      [["no-op"], ["no-op"]],
      "what stays is listed, too: refuseLosingData counts on it",
    );
  });

  test("what is applied is what was planned, whatever the configuration says since", async (t) => {
    const work = await workspace(t, { balancer, app1: { input: machine(1) } });
    await planMachines(work);
    await configure(work, { balancer });
    await applyMachines(work, silent);
    assert.deepEqual((await readOutputs(work))?.nodes, [{ name: "app1", ...machine(1) }]);
  });

  test("a look ahead leaves no plan behind, and a plan that was applied is gone", async (t) => {
    const work = await workspace(t, { balancer });
    await lookAhead(work, { lock: true });
    assert.deepEqual(await plans(work), []);
    await planMachines(work);
    assert.deepEqual(await plans(work), [PLAN_FILE]);
    await applyMachines(work, silent);
    assert.deepEqual(await plans(work), []);
  });

  test("its output is readable by the owner only", async (t) => {
    const work = await workspace(t, { balancer });
    await planMachines(work);
    assert.equal((await stat(join(work.where.dir, "plan.out"))).mode & 0o777, 0o600);
  });

  test("an apply that fails half-way keeps what was made; the next one mends the rest", async (t) => {
    const work = await workspace(t, { balancer });
    const file = join(work.where.dir, "capacity");
    const resources = {
      balancer,
      app1: { input: machine(1) },
      app2: { input: machine(2), command: `test -e "${file}"` },
    };
    await configure(work, resources);
    await planMachines(work);
    await assert.rejects(applyMachines(work, silent), (error) => {
      assert.ok(error instanceof UserError);
      assert.equal(error.code, "terraform_failed");
      assert.match(error.problems.join("\n"), /terraform_data\.app2: local-exec provisioner error/);
      return true;
    });
    await writeFile(file, "");
    const planned = await planMachines(work);
    assert.deepEqual(
      planned.changes.map(({ action, what }) => `${action} ${what}`),
      ["replace terraform_data.app2"],
    );
    await applyMachines(work, silent);
    assert.equal((await readOutputs(work))?.nodes.length, 2);
  });

  test("a machine that was not made to its end is named so in the next plan", async (t) => {
    const work = await workspace(t, { app1: { input: machine(1), command: "exit 1" } });
    await planMachines(work);
    await assert.rejects(applyMachines(work, silent));
    const { plan } = await planMachines(work);
    assert.deepEqual(
      plan.resource_changes?.map(({ change, action_reason }) => [change.actions, action_reason]),
      [[["delete", "create"], "replace_because_tainted"]],
      "refuseLosingData counts on it",
    );
  });

  test("workspace, folder and arguments of the operator's shell are no matter", async (t) => {
    const work = await workspace(t, { balancer, app1: { input: machine(1) } });
    const before = { ...process.env };
    t.after(() => {
      process.env = before;
    });
    const others = {
      TF_WORKSPACE: "prod",
      TF_DATA_DIR: "elsewhere",
      TF_CLI_ARGS_plan: "-target=terraform_data.app1",
    };
    process.env = { ...before, ...others };
    await planMachines(work);
    await applyMachines(work, silent);
    process.env = before;
    assert.equal((await planMachines(work)).needed, false, "all of it is made, in the one state");
  });

  test("a state that can't be saved is kept, said, and saved by the next command before anything else", async (t) => {
    const work = await workspace(t, { balancer });
    const store = await stateServer(t);
    const resources = { balancer, app1: { input: machine(1) } };
    await configure(work, resources, { http: { address: store.url } });
    await runTerraform(work.terraform, work.where.dir, [...initArgs(), "-reconfigure"], work.signal);
    await planMachines(work);
    store.takes(false);
    await assert.rejects(applyMachines(work, silent), (error) => {
      assert.ok(error instanceof UserError);
      assert.equal(error.code, "state_not_saved");
      assert.match(error.message, /errored\.tfstate alone$/);
      assert.doesNotMatch(error.next.join("\n"), /lbctl deploy/);
      return true;
    });
    await assert.rejects(saveState(work), { code: "state_not_saved" });
    store.takes(true);
    await saveState(work);
    assert.equal((await planMachines(work)).needed, false, "what was made is known");
    assert.equal(isUnsaved(work.where), false);
  });

  test("Ctrl-C while it applies: it ends what it can, saves, unlocks; the next one goes on", async (t) => {
    const interruption = new AbortController();
    const dir = await workspace(t, { balancer });
    const begun = join(dir.where.dir, "begun");
    const work = { ...dir, signal: interruption.signal };
    await configure(work, {
      app1: { input: machine(1) },
      app2: { input: machine(2), command: `touch "${begun}"; exec sleep 60` },
    });
    await planMachines(work);
    const applied = applyMachines(work, silent);
    applied.catch(() => undefined);
    await until(() => existsSync(begun), { what: "the second one is being made" });
    interruption.abort(new Error("SIGINT"));
    await assert.rejects(applied, (error) => {
      assert.ok(error instanceof UserError);
      assert.equal(error.code, "apply_interrupted");
      assert.match(error.message, /1 of 2 changes are done/);
      return true;
    });
    const planned = await planMachines(dir);
    assert.deepEqual(
      planned.changes.map(({ action, what }) => `${action} ${what}`),
      ["replace terraform_data.app2"],
      "unlocked, and app1 is there",
    );
  });

  test("Ctrl-C twice in a terminal reaches it once: it saves, and unlocks", async (t) => {
    const work = await workspace(t, { balancer });
    const begun = join(work.where.dir, "begun");
    await configure(work, {
      app1: { input: machine(1) },
      app2: { input: machine(2), command: `touch "${begun}"; trap "" INT; sleep 3` },
    });
    await planMachines(work);
    const applying = apply(work, "stop");
    await until(() => existsSync(begun), { what: "the second one is being made" });
    // A terminal sends it to the whole group.
    for (const _ of [1, 2]) process.kill(-(applying.child.pid ?? 0), "SIGINT");
    assert.equal(await applying.said, "apply_interrupted\n");
    const { changes } = await planMachines(work);
    assert.deepEqual(
      changes.map(({ action, what }) => `${action} ${what}`),
      ["replace terraform_data.app2"],
      "unlocked, app1 is there, and that app2 was begun is known",
    );
  });

  for (const signal of ["SIGKILL", "SIGTERM"] as const) {
    test(`it comes to its own end when lbctl is ended by ${signal}`, async (t) => {
      const work = await workspace(t, { balancer });
      const [begun, go] = [join(work.where.dir, "begun"), join(work.where.dir, "go")];
      await configure(work, {
        app1: { input: machine(1), command: `touch "${begun}"; until test -e "${go}"; do sleep 0.1; done` },
      });
      await planMachines(work);
      const applying = apply(work);
      await until(() => existsSync(begun), { what: "the apply is at work" });
      applying.child.kill(signal);
      await once(applying.child, "close");
      await writeFile(go, "");
      await until(async () => (await planMachines(work).catch(() => null))?.needed === false, {
        what: "the machine is made, and the state unlocked",
      });
    });
  }

  test("while someone else applies: who, since when, and what unlocks it; a look without a lock goes on", async (t) => {
    const work = await workspace(t, { balancer });
    const [begun, go] = [join(work.where.dir, "begun"), join(work.where.dir, "go")];
    await configure(work, {
      app1: { input: machine(1), command: `touch "${begun}"; until test -e "${go}"; do sleep 0.1; done` },
    });
    await planMachines(work);
    const applied = applyMachines(work, silent);
    try {
      await until(() => existsSync(begun), { what: "the apply is at work" });
      await assert.rejects(planMachines(work), (error) => {
        assert.ok(error instanceof UserError);
        assert.equal(error.code, "state_locked");
        assert.match(error.message, /locked by \S+@\S+ \(apply\) since 20\d\d-/);
        assert.ok(error.next.join("\n").includes(`pgrep -fa ${work.terraform.program} `));
        return true;
      });
      await assert.rejects(lookAhead(work, { lock: true }), { code: "state_locked" });
      const { changes } = await lookAhead(work, { lock: false });
      assert.deepEqual(
        changes.map(({ action, what }) => `${action} ${what}`),
        ["create terraform_data.app1"],
      );
    } finally {
      await writeFile(go, "");
      await applied;
    }
  });

  test("a configuration that it refuses: its own words", async (t) => {
    const work = await workspace(t, { balancer });
    await writeFile(
      join(work.where.dir, "main.tf.json"),
      JSON.stringify({ output: { x: { value: `\${${"nothing.here"}}` } } }),
    );
    await assert.rejects(planMachines(work), (error) => {
      assert.ok(error instanceof UserError);
      assert.match(error.problems.join("\n"), /Reference to undeclared resource/);
      return true;
    });
  });
});

/** Keeps a state as S3 would. https://developer.hashicorp.com/terraform/language/backend/http */
async function stateServer(t: TestContext) {
  let [state, takes] = ["", true];
  const server = createServer(async (request, response) => {
    const body = await text(request);
    if (request.method === "POST" && !takes) response.statusCode = 403;
    else if (request.method === "POST") state = body;
    else if (state === "") response.statusCode = 404;
    response.end(request.method === "GET" ? state : "");
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/state`,
    takes: (now: boolean) => {
      takes = now;
    },
  };
}

/** In a process of its own, as a shell starts it. */
function apply({ where }: Work, onInterrupt = "") {
  const script = join(import.meta.dirname, "applying.ts");
  const child = spawn(process.execPath, [script, where.dir, onInterrupt], {
    detached: true,
    stdio: ["ignore", "pipe", "inherit"],
  });
  return { child, said: text(child.stdout) };
}

async function plans(work: Work): Promise<string[]> {
  return (await readdir(work.where.dir)).filter((name) => name.endsWith(".tfplan"));
}
