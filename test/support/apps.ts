import { join } from "node:path";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { startProcess, type TestProcess } from "./process.ts";
import { tempFolder } from "./temp-folder.ts";

/** The reference app server as a process of its own, as the balancer meets it. */

export interface AppSetup {
  /** What GET /login names; default "app1". */
  readonly name?: string;
  /** Default: a new file in a folder that goes with the test. */
  readonly dataFile?: string;
  /** Default: any free port. */
  readonly port?: number;
  /** More flags, e.g. `["--sync", "full"]`. */
  readonly args?: readonly string[];
}

export interface TestApp {
  readonly name: string;
  readonly url: string;
  readonly port: number;
  readonly dataFile: string;
  /** Of the process that runs now, or ran last. */
  readonly pid: number;
  /** Of the process that runs now, or ran last. */
  output(): string;
  /** SIGTERM; gives the exit code. */
  stop(): Promise<number | string>;
  /** SIGKILL, and waits until it is gone. */
  kill9(): Promise<void>;
  sigstop(): void;
  sigcont(): void;
  /** Starts it again on the same port and file; kills it first where it still runs. */
  restart(): Promise<void>;
}

const MAIN = fileURLToPath(new URL("../../app/main.ts", import.meta.url));

/** Starts an app; it is gone, with its files, when the test ends. */
export async function startApp(t: TestContext, setup: AppSetup = {}): Promise<TestApp> {
  const name = setup.name ?? "app1";
  const dataFile = setup.dataFile ?? join(tempFolder(t), `${name}.sqlite`);
  const start = (port: number): Promise<TestProcess> =>
    startProcess(t, {
      name,
      command: process.execPath,
      args: [MAIN, "--data", dataFile, "--port", `${port}`, "--name", name, ...(setup.args ?? [])],
      ready: /^listening (http:\S+)$/m,
    });
  let app = await start(setup.port ?? 0);
  const port = Number(new URL(app.url).port);

  return {
    name,
    url: app.url,
    port,
    dataFile,
    get pid() {
      return app.pid;
    },
    output: () => app.output(),
    stop() {
      app.signal("SIGTERM");
      return app.wait();
    },
    async kill9() {
      app.signal("SIGKILL");
      await app.wait();
    },
    sigstop: () => app.signal("SIGSTOP"),
    sigcont: () => app.signal("SIGCONT"),
    async restart() {
      app.signal("SIGKILL");
      await app.wait();
      app = await whenPortIsFree(() => start(port));
    },
  };
}

/** Some other process's connection may have got the port as its local one meanwhile: it goes away again. */
async function whenPortIsFree<T>(start: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + 10_000;
  for (;;) {
    try {
      return await start();
    } catch (error) {
      if (performance.now() > deadline || !String(error).includes("EADDRINUSE")) throw error;
    }
  }
}
