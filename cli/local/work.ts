/** What the steps of a deploy work on. */
import type { ClusterConfig } from "../cluster-config.ts";
import type { StatePaths } from "../state.ts";
import type { Change } from "../target.ts";
import type { Goal, Programs } from "./goal.ts";
import type { Monitoring } from "./monitoring/files.ts";
import type { Observed } from "./observed.ts";

export interface Work {
  readonly config: ClusterConfig;
  readonly state: StatePaths;
  readonly signal: AbortSignal;
}

export interface Convergence extends Work {
  readonly goal: Goal;
  readonly programs: Programs;
  readonly monitoring: Monitoring;
  readonly observed: Observed;
  readonly changes: readonly Change[];
}
