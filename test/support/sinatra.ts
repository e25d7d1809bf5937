import { spawnSync } from "node:child_process";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { startProcess, type TestProcess } from "./process.ts";

/** The brief's app server, in Sinatra: knows nothing of the balancer, keeps its users in memory. */

const APP = fileURLToPath(new URL("./sinatra/app.rb", import.meta.url));

/** Sinatra, and a web server that it can run on. */
const NEEDED = 'require "sinatra/base"; begin; require "puma"; rescue LoadError; require "webrick"; end';

export type Availability = { readonly ok: true } | { readonly ok: false; readonly reason: string };

/**
 * Whether this machine can run it. In a test:
 * `const sinatra = sinatraAvailable(); test("…", { skip: sinatra.ok ? false : sinatra.reason }, …)`
 */
export function sinatraAvailable(): Availability {
  const { status, error } = spawnSync("ruby", ["-e", NEEDED], { stdio: "ignore", timeout: 20_000 });
  if (!error && status === 0) return { ok: true };
  const what = error ? "Ruby" : "Sinatra with puma or webrick";
  const command = "apt-get install --no-install-recommends ruby-sinatra ruby-webrick";
  return { ok: false, reason: `${what} isn't installed (Debian: ${command})` };
}

/** Starts one on a port (default: any free one); it is gone, and so are its users, when the test ends. */
export function startSinatra(
  t: TestContext,
  setup: { name?: string; port?: number } = {},
): Promise<TestProcess> {
  return startProcess(t, {
    name: setup.name ?? "sinatra",
    command: "ruby",
    args: [APP, `${setup.port ?? 0}`],
    ready: /^\* Listening on (http:\S+)$/m,
    timeout: 30_000,
  });
}
