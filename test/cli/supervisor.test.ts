import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { appendFile, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { UserError } from "../../cli/errors.ts";
import { rotateLog } from "../../cli/local/log-rotation.ts";
import { runningSupervisor } from "../../cli/local/observed.ts";
import type { ProcessSpec, ProcessStatus, SupervisorStatus } from "../../cli/local/processes.ts";
import { ensureSupervisor, runProcesses, stopAll } from "../../cli/local/supervision.ts";
import { clusterProcesses, commandLine, isRunning, signal, startTimeOf } from "../../cli/proc.ts";
import { makeStateDir, readJson, type StatePaths, statePaths, writeJson } from "../../cli/state.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { until } from "../support/wait.ts";

const never = new AbortController().signal;

interface Bed {
  readonly state: StatePaths;
  readonly at: { readonly dir: string; readonly name: string };
  run(...specs: ProcessSpec[]): Promise<SupervisorStatus>;
  process(name: string): Promise<ProcessStatus>;
}

test("a process that dies is started again", async (t) => {
  const bed = await makeBed(t);
  await bed.run(sleeper("a"));
  const before = await bed.process("a");
  kill(before);
  const after = await until(async () => {
    const now = await bed.process("a");
    return now.state === "running" && now.pid !== before.pid ? now : null;
  });
  assert.equal(after.restarts, 1);
  assert.equal(after.lastExit?.how, "SIGKILL");
});

test("one that keeps dying is started with longer and longer pauses; a new wish tries at once", async (t) => {
  const bed = await makeBed(t);
  const broken = script("a", "console.log('no such luck'); process.exit(7)");
  // Seen to run for a moment, or, on a busy machine, seen to die again and again.
  await bed.run(broken).catch((error: unknown) => {
    assert.ok(error instanceof UserError);
    assert.match(error.message, /^expected a to run, got exit code 7, \d+ times in a row$/);
    assert.deepEqual(error.problems, ["no such luck"]);
  });
  const dying = await until(async () => {
    const now = await bed.process("a");
    return now.failures >= 4 ? now : null;
  });
  assert.equal(dying.lastExit?.how, "exit code 7");
  assert.match(await readFile(join(bed.state.logs, "a.log"), "utf8"), /^(no such luck\n){4,}$/);
  const healed = await bed.run(sleeper("a"));
  assert.equal(healed.processes[0]?.failures, 0);
});

test("the supervisor killed with -9: the next one goes on with the same processes", async (t) => {
  const bed = await makeBed(t);
  const first = await bed.run(sleeper("a"), sleeper("b"));
  signal(first, "SIGKILL");
  await until(() => !isRunning(first));
  const second = await bed.run(sleeper("a"), sleeper("b"));
  assert.notEqual(second.pid, first.pid);
  assert.deepEqual(pids(second), pids(first));
  assert.equal(clusterProcesses(bed.state.dir).length, 3);
});

test("one that replaced itself by another program is known again: the balancer does, so do scripts of packages", async (t) => {
  const bed = await makeBed(t);
  const wrapped: ProcessSpec = { ...sleeper("a"), argv: ["/bin/sh", "-c", "exec sleep 1000"] };
  const first = await bed.run(wrapped);
  await until(() => clusterProcesses(bed.state.dir).some(({ pid }) => nameOf(pid) === "sleep"));
  signal(first, "SIGKILL");
  await until(() => !isRunning(first));
  assert.deepEqual(pids(await bed.run(wrapped)), pids(first));
});

test("the supervisor killed before it wrote down a process: found by its mark, not started twice", async (t) => {
  const bed = await makeBed(t);
  const first = await bed.run(sleeper("a"));
  signal(first, "SIGKILL");
  await until(() => !isRunning(first));
  await rm(bed.state.supervisor);
  const second = await bed.run(sleeper("a"));
  assert.deepEqual(pids(second), pids(first));
});

test("an adopted process is watched, too", async (t) => {
  const bed = await makeBed(t);
  signal(await bed.run(sleeper("a")), "SIGKILL");
  await until(async () => !(await runningSupervisor(bed.state)));
  await bed.run(sleeper("a"));
  const adopted = await bed.process("a");
  kill(adopted);
  await until(
    async () => (await bed.process("a")).pid !== adopted.pid && (await bed.process("a")).state === "running",
  );
});

test("a pid that now belongs to another process is left alone", async (t) => {
  const bed = await makeBed(t);
  const first = await bed.run(sleeper("a"));
  signal(first, "SIGKILL");
  kill(await bed.process("a"));
  await until(() => !isRunning(first));
  // Last: started in the same clock tick (10 ms) as the supervisor, it would be taken for it.
  const stranger = spawn("sleep", ["60"]);
  t.after(() => stranger.kill("SIGKILL"));
  const status = await readJson<SupervisorStatus>(bed.state.supervisor);
  const claimed = status?.processes.map((process) => ({ ...process, pid: stranger.pid ?? 0 }));
  await writeJson(bed.state.supervisor, { ...status, pid: stranger.pid, processes: claimed });
  await bed.run(sleeper("a"));
  await stopAll(bed.state, 5000, never);
  assert.equal(stranger.exitCode, null);
  assert.notEqual(startTimeOf(stranger.pid ?? 0), null);
});

test("two supervisors at once: one works, the other leaves", async (t) => {
  const bed = await makeBed(t);
  await bed.run(sleeper("a"));
  const status = await readJson<SupervisorStatus>(bed.state.supervisor);
  await rm(bed.state.supervisor);
  const second = startSupervisor(t, bed);
  const [code] = await once(second, "exit");
  assert.equal(code, 0);
  assert.equal(clusterProcesses(bed.state.dir).length, 2);
  await writeJson(bed.state.supervisor, status);
});

test("another revision or command line: the process is started anew, the others are not", async (t) => {
  const bed = await makeBed(t);
  const before = pids(await bed.run(sleeper("a"), sleeper("b")));
  const after = pids(await bed.run({ ...sleeper("a"), revision: "2" }, sleeper("b")));
  assert.notEqual(after.a, before.a);
  assert.equal(after.b, before.b);
});

test("what is not wanted any more is ended, also when a killed supervisor left it", async (t) => {
  const bed = await makeBed(t);
  const first = await bed.run(sleeper("a"), sleeper("b"));
  signal(first, "SIGKILL");
  await until(() => !isRunning(first));
  await bed.run(sleeper("a"));
  assert.deepEqual(
    clusterProcesses(bed.state.dir)
      .map(({ name }) => name)
      .sort(),
    ["a", "supervisor"],
  );
});

test("one that doesn't end in time is killed; one that is suspended ends", async (t) => {
  const bed = await makeBed(t);
  const stubborn = script(
    "a",
    "process.on('SIGTERM', () => {}); setInterval(() => {}, 1000); console.log('up')",
  );
  const suspended = await bed.run({ ...stubborn, stopTimeout: 300 }, sleeper("b"));
  await until(async () => (await readFile(join(bed.state.logs, "a.log"), "utf8")).includes("up"));
  const b = suspended.processes.find(({ name }) => name === "b");
  if (b) signal({ pid: b.pid ?? 0, startTime: b.startTime ?? 0 }, "SIGSTOP");
  await bed.run();
  assert.equal(clusterProcesses(bed.state.dir).length, 1);
});

test("the state directory is removed: every process ends, the supervisor last", async (t) => {
  const bed = await makeBed(t);
  await bed.run(sleeper("a"), sleeper("b"));
  await rm(bed.state.dir, { recursive: true });
  await until(() => clusterProcesses(bed.state.dir).length === 0);
});

test("stopAll ends everything, with and without a supervisor", async (t) => {
  const bed = await makeBed(t);
  await bed.run(sleeper("a"));
  await stopAll(bed.state, 5000, never);
  assert.equal(clusterProcesses(bed.state.dir).length, 0);
  signal(await bed.run(sleeper("a")), "SIGKILL");
  await stopAll(bed.state, 5000, never);
  assert.equal(clusterProcesses(bed.state.dir).length, 0);
});

test("a supervisor of another build is replaced without touching the processes", async (t) => {
  const bed = await makeBed(t);
  const first = await bed.run(sleeper("a"));
  const status = await readJson<SupervisorStatus>(bed.state.supervisor);
  await writeJson(bed.state.supervisor, { ...status, build: "older" });
  await ensureSupervisor(bed.state, bed.at);
  const second = await until(async () => {
    const now = await runningSupervisor(bed.state);
    return now?.pid !== first.pid && now?.processes[0]?.state === "running" ? now : null;
  });
  assert.deepEqual(pids(second), pids(first));
});

test("no variable of the user's environment gets to the processes but those they need", async (t) => {
  process.env.LBCTL_TEST_SECRET = "hush";
  t.after(() => delete process.env.LBCTL_TEST_SECRET);
  const bed = await makeBed(t);
  await bed.run(script("a", "console.log(Object.keys(process.env).join()); setInterval(() => {}, 1000)"));
  const log = await until(() => readFile(join(bed.state.logs, "a.log"), "utf8"));
  assert.doesNotMatch(log, /SECRET/);
});

test("logs are cut by size, and the older ones kept up to a number", async (t) => {
  const dir = tempFolder(t);
  const file = join(dir, "a.log");
  for (const letter of ["a", "b", "c", "d", "e"]) {
    await writeFile(file, letter.repeat(100));
    assert.equal(rotateLog(file, { maxBytes: 50, keep: 3 }), true);
  }
  assert.deepEqual((await readdir(dir)).sort(), ["a.log", "a.log.1", "a.log.2", "a.log.3"]);
  assert.equal((await stat(file)).size, 0);
  assert.equal((await readFile(`${file}.1`, "utf8"))[0], "e");
  assert.equal((await readFile(`${file}.3`, "utf8"))[0], "c");
  await appendFile(file, "short");
  assert.equal(rotateLog(file, { maxBytes: 50, keep: 3 }), false);
});

async function makeBed(t: TestContext): Promise<Bed> {
  const dir = await mkdtemp(join(tmpdir(), "lbctl test "));
  const at = { dir, name: "default" };
  const state = statePaths(dir, "default");
  await makeStateDir(state);
  t.after(async () => {
    await stopAll(state, 5000, never);
    await rm(dir, { recursive: true, force: true, maxRetries: 5 });
  });
  return {
    state,
    at,
    run: (...specs) => runProcesses(state, at, specs, never),
    process: async (name) => {
      const status = await readJson<SupervisorStatus>(state.supervisor);
      const found = status?.processes.find((process) => process.name === name);
      assert.ok(found, `no ${name}`);
      return found;
    },
  };
}

function sleeper(name: string): ProcessSpec {
  return { name, argv: ["/bin/sleep", "600"], revision: "1", stopTimeout: 2000 };
}

function script(name: string, code: string): ProcessSpec {
  return { name, argv: [process.execPath, "-e", code], revision: "1", stopTimeout: 2000 };
}

function startSupervisor(t: TestContext, { at }: Bed): ChildProcess {
  const file = join(import.meta.dirname, "../../cli/local/supervisor-main.ts");
  const child = spawn(process.execPath, [file, at.dir, at.name], { stdio: "ignore" });
  t.after(() => child.kill("SIGKILL"));
  return child;
}

function kill({ pid, startTime }: ProcessStatus): void {
  assert.ok(pid !== null && startTime !== null);
  assert.ok(signal({ pid, startTime }, "SIGKILL"));
}

function pids(status: SupervisorStatus): Record<string, number | null> {
  return Object.fromEntries(status.processes.map(({ name, pid }) => [name, pid]));
}

function nameOf(pid: number): string | null {
  return commandLine(pid)?.split(" ")[0] ?? null;
}
