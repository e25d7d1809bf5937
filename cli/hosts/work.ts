/** What everything about a cluster on hosts works on. */
import type { ClusterConfig } from "../cluster-config.ts";
import type { StatePaths } from "../state.ts";
import type { Machines } from "./machines.ts";

export interface HostsWork {
  readonly config: ClusterConfig;
  readonly state: StatePaths;
  readonly machines: Machines;
  readonly signal: AbortSignal;
}
