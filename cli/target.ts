/** What a target does: each the same few things its own way; everything else goes by the admin API. */
import type { ClusterConfig } from "./cluster-config.ts";
import type { Ui } from "./ui.ts";

/** One thing that deploy would change. */
export interface Change {
  readonly action: "create" | "add" | "remove" | "change" | "start" | "restart" | "reload";
  /** `app4`, `balancer`, `health/interval` */
  readonly what: string;
  readonly detail: string;
}

export interface ChangeContext {
  readonly ui: Ui;
  readonly signal: AbortSignal;
}

export interface DestroyOptions {
  readonly keepData: boolean;
}

export interface LogSource {
  readonly name: string;
  readonly file: string;
}

export interface ProcessReport {
  readonly name: string;
  readonly state: "running" | "waiting" | "stopping" | "stopped";
  readonly pid: number | null;
  /** ms since the epoch */
  readonly startedAt: number | null;
  readonly restarts: number;
  /** It keeps ending soon after its start. */
  readonly failing: boolean;
  /** `SIGKILL, 3 s ago` */
  readonly lastExit: string | null;
}

/** A page that shows the cluster, beside the stats page. */
export interface Dashboard {
  /** `Grafana` */
  readonly name: string;
  /** For `lbctl logs`. */
  readonly process: string;
  readonly url: string;
  /** It answers now. */
  readonly answers: boolean;
}

/** One thing that the target needs of this machine. */
export interface Finding {
  readonly check: string;
  readonly ok: boolean;
  /** What is there. */
  readonly found: string;
  /** What mends it; empty where nothing is to mend. */
  readonly mend: string;
  /** It is only nice to have: without it nothing is missing. */
  readonly optional?: true;
}

export interface Target {
  plan(config: ClusterConfig): Promise<readonly Change[]>;
  /** Makes it as the config says; @returns what was changed: nothing, if it already was so */
  deploy(config: ClusterConfig, context: ChangeContext): Promise<readonly Change[]>;
  /** Throws where that many nodes can't be; changes nothing. */
  checkScale(config: ClusterConfig, nodes: number, signal: AbortSignal): Promise<void>;
  destroy(config: ClusterConfig, options: DestroyOptions, context: ChangeContext): Promise<void>;
  /** Processes, for `lbctl status`. */
  processes(config: ClusterConfig): Promise<readonly ProcessReport[]>;
  logs(config: ClusterConfig): Promise<readonly LogSource[]>;
  /** The one to look at first, first; none where nothing was set up. */
  dashboards(config: ClusterConfig): Promise<readonly Dashboard[]>;
  /** What this machine lacks for it. */
  doctor(config: ClusterConfig): Promise<readonly Finding[]>;
}
