/** What lbctl and the supervisor tell each other, by files in the state directory. */

/** One process that is to run. */
export interface ProcessSpec {
  /** `balancer`, `app1` … */
  readonly name: string;
  /** The executable first. */
  readonly argv: readonly string[];
  /** Beside what every process gets. A change of it has to change the revision, too. */
  readonly env?: Readonly<Record<string, string>>;
  /** Another one here means: start it anew (a new build, a restart that was asked for). */
  readonly revision: string;
  /** How long it may take to end after SIGTERM before it is killed, in ms. */
  readonly stopTimeout: number;
}

/** processes.json: lbctl writes, the supervisor reads. */
export interface WantedProcesses {
  /** One more with each change, so that lbctl can see when the supervisor has read it. */
  readonly serial: number;
  readonly processes: readonly ProcessSpec[];
}

export type ProcessState = "running" | "waiting" | "stopping" | "stopped";

export interface LastExit {
  /** ms since the epoch */
  readonly at: number;
  /** `exit code 1`, `SIGKILL`; for one that was adopted only `ended`. */
  readonly how: string;
}

export interface ProcessStatus {
  readonly name: string;
  /** `waiting`: it died, and is started again after a pause. */
  readonly state: ProcessState;
  readonly pid: number | null;
  readonly startTime: number | null;
  readonly revision: string;
  readonly restarts: number;
  /** Ends in a row, each soon after the start. */
  readonly failures: number;
  readonly lastExit: LastExit | null;
}

/** supervisor.json: the supervisor writes, lbctl reads. */
export interface SupervisorStatus {
  readonly pid: number;
  readonly startTime: number;
  /** The `serial` of the wanted processes that it works on. */
  readonly serial: number;
  /** The build of lbctl that it came from. */
  readonly build: string;
  readonly processes: readonly ProcessStatus[];
}
