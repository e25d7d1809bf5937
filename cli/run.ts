/** The one place that starts processes. */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { commandDigest, MARK } from "./proc.ts";

export interface DetachedProcess {
  /** The executable first. */
  readonly argv: readonly string[];
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** Gets stdout and stderr, appended. */
  readonly log: string;
  readonly mark: { readonly stateDir: string; readonly process: string; readonly revision: string };
}

/** Of the user's environment only what a process needs: no tokens, no NODE_OPTIONS. */
const KEPT = ["PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR"];

/** Starts a process in a session of its own, so that it outlives the shell and hears no Ctrl-C. */
export function startDetached({ argv, cwd, env, log, mark }: DetachedProcess): ChildProcess {
  const [executable = "", ...args] = argv;
  const output = openSync(log, "a", 0o600);
  try {
    return spawn(executable, args, {
      cwd,
      detached: true,
      stdio: ["ignore", output, output],
      env: {
        ...Object.fromEntries(KEPT.map((name) => [name, process.env[name]])),
        ...env,
        [MARK.stateDir]: mark.stateDir,
        [MARK.process]: mark.process,
        [MARK.revision]: mark.revision,
        [MARK.command]: commandDigest(argv),
      },
    });
  } finally {
    closeSync(output);
  }
}

/** Runs something in the user's own environment that says nothing. @returns whether it ended well, or goes on after `patience` (ms) */
export async function runQuietly([executable = "", ...args]: readonly string[], patience: number) {
  const child = spawn(executable, args, { detached: true, stdio: "ignore" });
  const ended = new Promise<boolean>((resolve) => {
    child.once("error", () => resolve(false));
    child.once("exit", (code) => resolve(code === 0));
  });
  child.unref();
  const timer = new AbortController();
  const goesOn = sleep(patience, true, { signal: timer.signal }).catch(() => true);
  try {
    return await Promise.race([ended, goesOn]);
  } finally {
    timer.abort();
  }
}
