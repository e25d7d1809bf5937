import type { TestContext } from "node:test";
import { DEFAULT_COST } from "../../app/password.ts";
import { type AppOptions, type RunningApp, startServer } from "../../app/server.ts";
import { tempFolder } from "../support/temp-folder.ts";

export interface AppHere extends RunningApp {
  readonly data: string;
}

/** The app within the test's own process; closed when the test ends. */
export async function startHere(t: TestContext, options: Partial<AppOptions> = {}): Promise<AppHere> {
  const data = options.data ?? `${tempFolder(t)}/app.sqlite`;
  const defaults = {
    host: "127.0.0.1",
    port: 0,
    name: "app1",
    hashCost: DEFAULT_COST,
    sync: "normal",
  } as const;
  const app = await startServer({ ...defaults, data, ...options });
  let closed: Promise<void> | null = null;
  const close = (): Promise<void> => (closed ??= app.close());
  t.after(close);
  return { url: app.url, data, close };
}
