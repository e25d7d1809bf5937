/**
 * Socket activation without systemd: a small holder listens, and starts one balancer after the other with its
 * sockets, as systemd does.
 */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { startNode, type TestNode } from "../../support/nodes.ts";
import { rawConnect, rawRequest } from "../../support/raw-http.ts";
import { tempFolder } from "../../support/temp-folder.ts";
import { until } from "../../support/wait.ts";

const MAIN = join(dirname(dirname(dirname(import.meta.dirname))), "proxy/main.ts");

const GET = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

/** Listens on two ports of its own choice, says which, and starts the command each time a line comes in. */
const HOLDER = `
use Socket; $^F = 255; $| = 1;
for my $s (*T, *A) {
  socket($s, PF_INET, SOCK_STREAM, 0) or die; bind($s, sockaddr_in(0, INADDR_LOOPBACK)) or die; listen($s, 1024) or die;
}
my @ports = map { (sockaddr_in(getsockname($_)))[0] } (*T, *A);
print "ports @ports\\n";
while (<STDIN>) {
  my $pid = fork;
  if ($pid == 0) {
    $ENV{LISTEN_PID} = $$; $ENV{LISTEN_FDS} = 2; $ENV{LISTEN_FDNAMES} = "traffic:admin";
    exec @ARGV;
  }
  print "pid $pid\\n"; waitpid($pid, 0); print "ended $?\\n";
}`;

test("an idle connection gets one more answer, which says close; new ones are taken all the while", async (t) => {
  const { port, start, stop } = await startHolder(t);
  await start();
  const kept = await rawConnect(port);
  assert.equal((await kept.send(GET).answer()).headers.connection, "keep-alive");
  const stopped = stop();
  await until(async () => (await rawRequest(port, GET)).headers.connection === "close");
  assert.equal((await rawRequest(port, GET)).status, 200);
  const { status, headers } = await kept.send(GET).answer();
  assert.deepEqual([status, headers.connection], [200, "close"]);
  await kept.waitClosed();
  assert.equal(await stopped, "ended 0");
});

test("a connection made while no balancer runs waits for the next one", async (t) => {
  const { port, start, stop } = await startHolder(t);
  await start();
  assert.equal(await stop(), "ended 0");
  const connection = await rawConnect(port);
  const answer = connection.send(GET).answer({ timeout: 30_000 });
  await start();
  assert.equal((await answer).status, 200);
  connection.end();
  await stop();
});

test("one balancer after the other: not a request fails", async (t) => {
  const { port, start, stop } = await startHolder(t);
  await start();
  const answers: number[] = [];
  const over = new AbortController();
  const asking = Array.from({ length: 4 }, async () => {
    while (!over.signal.aborted) answers.push(await ask(port));
  });
  for (let round = 0; round < 3; round++) {
    const enough = answers.length + 20;
    await until(() => answers.length >= enough, { timeout: 60_000, what: "20 more answers" });
    assert.equal(await stop(), "ended 0");
    await start();
  }
  over.abort();
  await Promise.all(asking);
  assert.deepEqual([...new Set(answers)], [200]);
  await stop();
});

test("a connection that stays idle is closed when drainTimeout is over", async (t) => {
  const { port, start, stop } = await startHolder(t, "drainTimeout: 300ms");
  await start();
  const idle = await rawConnect(port);
  await idle.send(GET).answer();
  assert.equal(await stop(), "ended 0");
  await idle.waitClosed();
});

interface Holder {
  readonly port: number;
  /** Starts a balancer; resolves when it answers. */
  start(): Promise<void>;
  /** Ends it by SIGTERM; gives how it ended. */
  stop(): Promise<string>;
}

async function startHolder(t: TestContext, settings = ""): Promise<Holder> {
  const node: TestNode = await startNode(t);
  const folder = tempFolder(t);
  const file = join(folder, "lb.yaml");
  const sections = ["health: { interval: 100ms, timeout: 100ms }", "log: { level: error }", settings];
  writeFileSync(file, [`nodes: [{ name: app1, url: "${node.url}" }]`, ...sections].join("\n"));
  const child = spawn("perl", ["-e", HOLDER, process.execPath, MAIN, "run", "--config", file], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  let said = "";
  let pid = 0;
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    said += text;
  });
  t.after(async () => {
    if (pid !== 0) kill(pid, "SIGKILL");
    child.kill("SIGKILL");
    if (child.exitCode === null && child.signalCode === null) await once(child, "close");
  });
  const line = async (pattern: RegExp): Promise<RegExpExecArray> => {
    const found = await until(() => pattern.exec(said), { timeout: 30_000, what: String(pattern) });
    said = said.slice(found.index + found[0].length);
    return found;
  };
  const [, port, admin] = (await line(/ports (\d+) (\d+)\n/)).map(Number);
  return {
    port: port ?? 0,
    async start() {
      child.stdin.write("start\n");
      pid = Number((await line(/pid (\d+)\n/))[1]);
      await until(() => isReady(admin ?? 0), { timeout: 15_000, what: "the balancer being ready" });
    },
    async stop() {
      kill(pid, "SIGTERM");
      return (await line(/ended \d+/))[0];
    },
  };
}

/** The listening socket takes connections before the balancer does: an answer is what counts. */
async function isReady(admin: number): Promise<boolean> {
  const signal = AbortSignal.timeout(1000);
  const answer = await fetch(`http://127.0.0.1:${admin}/readyz`, { signal }).catch(() => null);
  if (answer?.ok) return true;
  await pause(20);
  return false;
}

/** The status of a read on a connection of its own, which may have to wait for a successor. */
async function ask(port: number): Promise<number> {
  const connection = await rawConnect(port);
  try {
    return (await connection.send(GET).answer({ timeout: 30_000 })).status;
  } finally {
    connection.end();
  }
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // it has ended
  }
}
