/** One process that is kept running: started, adopted, restarted with backoff, stopped. Moves on with each `tick`. */
import type { ChildProcess } from "node:child_process";
import {
  type ClusterProcess,
  clusterProcesses,
  commandDigest,
  isRunning,
  type ProcessId,
  signal,
  startTimeOf,
} from "../proc.ts";
import { startDetached } from "../run.ts";
import { logFile, type StatePaths } from "../state.ts";
import { backoff, STEADY_AFTER } from "./backoff.ts";
import type { LastExit, ProcessSpec, ProcessState, ProcessStatus } from "./processes.ts";

export interface SupervisedContext {
  readonly state: StatePaths;
  readonly log: (message: string, fields: Readonly<Record<string, unknown>>) => void;
  /** Something happened: tick soon. */
  readonly wake: () => void;
}

export class SupervisedProcess {
  readonly name: string;
  /** What is to run; null: nothing, and when it has ended this object is done with. */
  wanted: ProcessSpec | null;
  readonly #context: SupervisedContext;
  #state: ProcessState = "stopped";
  #running: ProcessId | null = null;
  /** What runs; null for one that was found and is not what is wanted. */
  #spec: ProcessSpec | null = null;
  #child: ChildProcess | null = null;
  #startedAt = 0;
  #nextStart = 0;
  #killAt = 0;
  #failures = 0;
  #restarts = 0;
  #lastExit: LastExit | null = null;

  constructor(name: string, wanted: ProcessSpec | null, context: SupervisedContext) {
    this.name = name;
    this.wanted = wanted;
    this.#context = context;
  }

  /** One that is not wanted: left over by a supervisor that was killed before it could stop it. */
  static stray(found: ClusterProcess, context: SupervisedContext): SupervisedProcess {
    const process = new SupervisedProcess(found.name, null, context);
    process.#adopt(found, null);
    return process;
  }

  get done(): boolean {
    return this.wanted === null && this.#state === "stopped";
  }

  /** Somebody wants to see it run now: no waiting, and its failures are counted anew. */
  forgive(): void {
    this.#failures = 0;
    this.#nextStart = 0;
  }

  /** @param now ms since the epoch */
  tick(now: number): void {
    // A child of ours tells us when it ends; one that was adopted has to be looked at.
    if (this.#running && !this.#child && !isRunning(this.#running)) this.#ended(now, "ended");
    if (sameProcess(this.#spec, this.wanted)) this.#spec = this.wanted;
    else if (this.#state === "running") this.#stop(now);
    if (this.#state === "stopping" && now >= this.#killAt) this.#kill();
    if (this.#running) return;
    if (this.wanted === null) this.#state = "stopped";
    else if (this.#state === "stopped" || now >= this.#nextStart) this.#start(this.wanted, now);
  }

  status(): ProcessStatus {
    return {
      name: this.name,
      state: this.#state,
      pid: this.#running?.pid ?? null,
      startTime: this.#running?.startTime ?? null,
      revision: this.#spec?.revision ?? "",
      restarts: this.#restarts,
      failures: this.#failures,
      lastExit: this.#lastExit,
    };
  }

  /** Looks for one first that is there already: started by a supervisor that was killed. */
  #start(spec: ProcessSpec, now: number): void {
    const [found, ...others] = clusterProcesses(this.#context.state.dir).filter(
      ({ name }) => name === this.name,
    );
    for (const other of others) signal(other, "SIGKILL");
    this.#startedAt = now;
    if (found) this.#adopt(found, spec);
    else this.#spawn(spec, now);
  }

  #adopt(found: ClusterProcess, spec: ProcessSpec | null): void {
    const same =
      spec !== null && found.revision === spec.revision && found.command === commandDigest(spec.argv);
    this.#context.log(same ? "adopted" : "found one that is not wanted", {
      process: this.name,
      pid: found.pid,
    });
    this.#running = found;
    this.#spec = same ? spec : null;
    this.#state = "running";
    if (!same) this.#context.wake();
  }

  #spawn(spec: ProcessSpec, now: number): void {
    const child = startDetached({
      argv: spec.argv,
      cwd: this.#context.state.dir,
      env: spec.env,
      log: logFile(this.#context.state, this.name),
      mark: { stateDir: this.#context.state.dir, process: this.name, revision: spec.revision },
    });
    child.once("error", (error) =>
      this.#context.log("could not start", { process: this.name, error: error.message }),
    );
    if (child.pid === undefined) {
      this.#retryLater(now, "could not be started");
      return;
    }
    child.once("exit", (code, by) => this.#ended(Date.now(), by ?? `exit code ${code}`));
    this.#child = child;
    this.#spec = spec;
    this.#running = { pid: child.pid, startTime: startTimeOf(child.pid) ?? 0 };
    this.#state = "running";
    this.#context.log("started", { process: this.name, pid: child.pid });
  }

  #stop(now: number): void {
    if (!this.#running) return;
    this.#state = "stopping";
    this.#killAt = now + (this.#spec?.stopTimeout ?? this.wanted?.stopTimeout ?? 10_000);
    this.#context.log("stopping", { process: this.name, pid: this.#running.pid });
    signal(this.#running, "SIGTERM");
    // One that is suspended sees no SIGTERM otherwise.
    signal(this.#running, "SIGCONT");
  }

  #kill(): void {
    if (!this.#running) return;
    this.#context.log("did not end in time: killed", { process: this.name, pid: this.#running.pid });
    signal(this.#running, "SIGKILL");
    this.#killAt = Number.POSITIVE_INFINITY;
  }

  #ended(now: number, how: string): void {
    this.#context.log("ended", { process: this.name, pid: this.#running?.pid, how });
    this.#running = null;
    this.#child = null;
    if (this.#state === "stopping") {
      this.#state = "stopped";
      this.#lastExit = { at: now, how };
    } else this.#retryLater(now, how);
    this.#context.wake();
  }

  #retryLater(now: number, how: string): void {
    this.#failures = now - this.#startedAt >= STEADY_AFTER ? 1 : this.#failures + 1;
    this.#restarts += 1;
    this.#nextStart = now + backoff(this.#failures);
    this.#lastExit = { at: now, how };
    this.#state = "waiting";
  }
}

function sameProcess(a: ProcessSpec | null, b: ProcessSpec | null): boolean {
  return a !== null && b !== null && a.revision === b.revision && a.argv.join("\0") === b.argv.join("\0");
}
