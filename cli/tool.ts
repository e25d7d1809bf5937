/** The one place that runs other people's tools: ssh, Ansible, Python. (run.ts starts processes that stay.) */
import { createWriteStream } from "node:fs";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { execa } from "execa";
import { errorCode, UserError } from "./errors.ts";

/** Of the user's environment all but what makes Node.js or Ansible behave in another way. */
const DROPPED = /^(NODE_|ANSIBLE_|PYTHON|VIRTUAL_ENV$)/;
/** After SIGINT a tool may tidy up for so long, in ms. */
const GRACE = 10_000;

export interface ToolRun {
  /** The executable first; never a secret. */
  readonly argv: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly signal: AbortSignal;
  /** Gets everything that it prints, 0600. */
  readonly log?: string;
  /** Shows what it prints as it is. */
  readonly show?: boolean;
  /** For the text on its stdin; without it there is none. */
  readonly input?: string;
  /** For each line that it writes to its file descriptor 3. */
  readonly onEvent?: (line: string) => void;
}

export interface ToolEnd {
  /** Null: ended by a signal. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A tool that runs beside lbctl, until it is disposed of. */
export interface RunningTool extends AsyncDisposable {
  readonly ended: Promise<ToolEnd>;
  write(line: string): void;
  lines(): AsyncIterable<string>;
}

/** Runs it to its end, whatever its exit code. @throws UserError where it isn't there; what `signal` was aborted with */
export async function runTool(run: ToolRun): Promise<ToolEnd> {
  run.signal.throwIfAborted();
  const child = start(run, run.input === undefined ? "ignore" : "pipe");
  if (run.log !== undefined) {
    const log = createWriteStream(run.log, { flags: "a", mode: 0o600 });
    log.on("error", () => undefined);
    child.all?.pipe(log);
  }
  if (run.show) child.all?.pipe(process.stdout, { end: false });
  const events = run.onEvent ? readEvents(child, run.onEvent) : Promise.resolve();
  const stop = () => void endGroup(child);
  run.signal.addEventListener("abort", stop, { once: true });
  try {
    const end = await endOf(child, run);
    await events;
    run.signal.throwIfAborted();
    return end;
  } finally {
    run.signal.removeEventListener("abort", stop);
  }
}

export function startTool(run: Pick<ToolRun, "argv" | "env" | "signal">): RunningTool {
  const child = start(run, "pipe");
  const ended = endOf(child, run);
  ended.catch(() => undefined);
  child.stdin?.on("error", () => undefined);
  return {
    ended,
    write: (line) => void child.stdin?.write(`${line}\n`),
    // Not execa's own iterable: that ends the tool when its reader stops reading.
    lines: () => createInterface({ input: child.stdout }),
    [Symbol.asyncDispose]: async () => {
      child.stdin?.end();
      await endGroup(child);
      await ended.catch(() => undefined);
    },
  };
}

type Child = ReturnType<typeof start>;

/** In a process group of its own: Ctrl-C is passed on by us, once, and reaches what it started as well. */
function start(run: Pick<ToolRun, "argv" | "env" | "cwd" | "input" | "onEvent">, stdin: "ignore" | "pipe") {
  const [file = "", ...args] = run.argv;
  return execa(file, args, {
    reject: false,
    detached: true,
    cleanup: true,
    extendEnv: false,
    env: { ...inherited(), ...run.env },
    all: true,
    stripFinalNewline: true,
    maxBuffer: 64 * 1024 * 1024,
    ...(run.cwd === undefined ? {} : { cwd: run.cwd }),
    ...(run.input === undefined ? {} : { input: run.input }),
    stdio: [stdin, "pipe", "pipe", ...(run.onEvent ? (["pipe"] as const) : [])],
  });
}

async function endOf(child: Child, { argv }: Pick<ToolRun, "argv">): Promise<ToolEnd> {
  const result = await child;
  if (errorCode(result.cause) === "ENOENT") {
    throw new UserError(`expected the program ${argv[0]}, got none`, {
      code: "tool_missing",
      next: ["lbctl doctor   # what is missing on this machine"],
    });
  }
  return { code: result.exitCode ?? null, stdout: String(result.stdout), stderr: String(result.stderr) };
}

async function readEvents(child: Child, onEvent: (line: string) => void): Promise<void> {
  for await (const line of child.iterable({ from: "fd3" })) onEvent(String(line));
}

async function endGroup(child: Child): Promise<void> {
  signalGroup(child, "SIGINT");
  const patience = new AbortController();
  const gone = child.finally(() => patience.abort()).catch(() => undefined);
  await sleep(GRACE, undefined, { signal: patience.signal, ref: false })
    .then(() => signalGroup(child, "SIGKILL"))
    .catch(() => undefined);
  await gone;
}

function signalGroup({ pid }: Child, name: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, name);
  } catch {
    // Gone already.
  }
}

function inherited(): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !DROPPED.test(name)));
}
