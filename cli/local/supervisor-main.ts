/** The supervisor's process: `node supervisor.mjs DIR NAME`, started by lbctl. Logs to its stdout. */
import { rm } from "node:fs/promises";
import { messageOf } from "../errors.ts";
import { tryLock } from "../kernel-lock.ts";
import { buildId } from "../package.ts";
import { statePaths } from "../state.ts";
import { Supervisor } from "./supervisor.ts";

async function main([dir, name]: readonly string[]): Promise<void> {
  if (dir === undefined || name === undefined) throw new Error("expected the cluster's directory and name");
  const state = statePaths(dir, name);
  using lock = tryLock(state.supervisorLock);
  if (!lock) return log("another supervisor runs this cluster: nothing to do");
  const supervisor = new Supervisor(state, buildId(), log);
  process.on("SIGTERM", () => supervisor.stop());
  process.on("SIGINT", () => supervisor.stop());
  process.on("SIGHUP", () => undefined);
  log("supervising", { pid: process.pid });
  await supervisor.run();
  await rm(state.supervisor, { force: true });
  log("done: every process has ended");
}

/** The form of pino's lines, so that `lbctl logs` shows all alike. */
function log(message: string, fields: Readonly<Record<string, unknown>> = {}): void {
  console.log(JSON.stringify({ level: 30, time: Date.now(), name: "supervisor", ...fields, msg: message }));
}

main(process.argv.slice(2)).catch((error: unknown) => {
  log(messageOf(error), { level: 60, stack: error instanceof Error ? error.stack : undefined });
  process.exitCode = 1;
});
