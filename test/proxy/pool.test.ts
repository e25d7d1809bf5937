import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { type TestContext, test } from "node:test";
import { createPools, destroyPools } from "../../proxy/pool.ts";
import { startProcess } from "../support/process.ts";
import { until } from "../support/wait.ts";

/** A listener that is stopped, with its queue full: a connection to it is neither taken nor refused. */
async function startUnreachable(t: TestContext): Promise<string> {
  const program = `const server = require("node:net").createServer();
    server.listen({ port: 0, host: "127.0.0.1", backlog: 1 }, () =>
      console.log("listening http://127.0.0.1:" + server.address().port));`;
  const child = await startProcess(t, {
    name: "listener",
    command: process.execPath,
    args: ["-e", program],
    ready: /^listening (\S+)$/m,
  });
  child.signal("SIGSTOP");
  const port = Number(new URL(child.url).port);
  await until(async () => !(await queued(t, port)), { what: "a full queue" });
  return child.url;
}

/** Says whether one more connection fitted into the queue. */
async function queued(t: TestContext, port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1").on("error", () => {});
  t.after(() => socket.destroy());
  return await Promise.race([
    once(socket, "connect").then(() => true),
    new Promise<boolean>((resolve) => setTimeout(() => resolve(false), 300)),
  ]);
}

test("how long a connection may take to be made is asked anew for each one", async (t) => {
  const url = await startUnreachable(t);
  let timeout = 3_600_000;
  const pools = createPools(
    url,
    {
      readConnections: 1,
      writeConnections: 1,
      connectTimeout: () => timeout,
      headerSize: 16_384,
    },
    () => {},
  );
  t.after(() => destroyPools(pools));
  timeout = 50;
  await assert.rejects(pools.writes.request({ method: "GET", path: "/" }), {
    code: "UND_ERR_CONNECT_TIMEOUT",
  });
});
