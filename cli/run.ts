/** The one place that starts processes. */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { MARK } from "./proc.ts";

export interface DetachedProcess {
  /** The executable first. */
  readonly argv: readonly string[];
  readonly cwd: string;
  /** Gets stdout and stderr, appended. */
  readonly log: string;
  readonly mark: { readonly stateDir: string; readonly process: string; readonly revision: string };
}

/** Of the user's environment only what a process needs: no tokens, no NODE_OPTIONS. */
const KEPT = ["PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR"];

/** Starts a process in a session of its own, so that it outlives the shell and hears no Ctrl-C. */
export function startDetached({ argv, cwd, log, mark }: DetachedProcess): ChildProcess {
  const [executable = "", ...args] = argv;
  const output = openSync(log, "a", 0o600);
  try {
    return spawn(executable, args, {
      cwd,
      detached: true,
      stdio: ["ignore", output, output],
      env: {
        ...Object.fromEntries(KEPT.map((name) => [name, process.env[name]])),
        [MARK.stateDir]: mark.stateDir,
        [MARK.process]: mark.process,
        [MARK.revision]: mark.revision,
      },
    });
  } finally {
    closeSync(output);
  }
}
