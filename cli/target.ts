/** What a target does: each the same few things its own way; everything else goes by the admin API. */
import type { AuditEntry } from "./audit.ts";
import type { Cluster } from "./cluster.ts";
import type { ClusterConfig } from "./cluster-config.ts";
import type { LogFilter, LogLine } from "./tools/log-filter.ts";
import type { Ui } from "./ui.ts";

/** One thing that deploy would change. */
export interface Change {
  readonly action: "create" | "add" | "remove" | "replace" | "change" | "start" | "restart" | "reload";
  /** `app4`, `balancer`, `health/interval` */
  readonly what: string;
  readonly detail: string;
  /** What would be in files before and after, where the target tells. */
  readonly diff?: string;
}

export interface ChangeContext {
  readonly ui: Ui;
  /** Shows the output of the tools that are run, as it is. */
  readonly verbose: boolean;
  /** Nobody is to be asked: `--yes`. */
  readonly yes: boolean;
  readonly signal: AbortSignal;
  /** Awaited before the first thing is changed, once all that may refuse has been asked: what is wanted is on record then. */
  readonly begin?: () => Promise<void>;
}

export interface DestroyOptions {
  readonly keepData: boolean;
}

/** The log of one process. */
export interface LogSource {
  readonly name: string;
  /** Its last lines that fit, at most so many, the oldest first. */
  tail(count: number, filter: LogFilter): Promise<LogTail>;
}

export interface LogTail {
  readonly lines: readonly LogLine[];
  /** What is written after them, until `signal` aborts. */
  follow(signal: AbortSignal): AsyncIterable<string>;
}

/** A way to the cluster from here, until it is disposed of. */
export interface Reached extends AsyncDisposable {
  readonly cluster: Cluster;
}

export interface ReachOptions {
  /** To each node as well, not to the balancer alone. */
  readonly nodes?: boolean;
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

/** Where a cluster can be looked at. */
export interface Dashboards {
  /** The stats page, and who may look at it. */
  readonly url: string;
  readonly user: string;
  readonly passwordFile: string;
  /** Where nothing answers from here: a command that leads there, and to pages on this machine. */
  readonly way?: string;
  /** What the target has beside it. */
  readonly dashboards: readonly Dashboard[];
}

/** A page that shows the cluster, beside the stats page. */
export interface Dashboard {
  /** `Grafana` */
  readonly name: string;
  /** `grafana` or `prometheus`; where the target has logs of it, for `lbctl logs`. */
  readonly process: string;
  readonly url: string;
  /** It answers here and now. */
  readonly answers: boolean;
  /** Where to look when it does not, if not in `lbctl logs`. */
  readonly elsewhere?: string;
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
  /** What is deployed, as the state directory says; nobody is asked. @throws UserError where nothing is */
  find(config: ClusterConfig): Promise<Cluster>;
  /** @throws UserError where nothing is deployed, or no way leads there */
  reach(config: ClusterConfig, signal: AbortSignal, options?: ReachOptions): Promise<Reached>;
  /** What deploy would change; changes nothing. */
  plan(config: ClusterConfig, context: ChangeContext): Promise<readonly Change[]>;
  /** What a month of it costs, for people; absent where it costs nothing. */
  cost?(config: ClusterConfig): Promise<string>;
  /** Makes it as the config says; @returns what was changed: nothing, if it already was so */
  deploy(config: ClusterConfig, context: ChangeContext): Promise<readonly Change[]>;
  /** Throws where that many nodes can't be, or more than their number would change; changes nothing. */
  checkScale(config: ClusterConfig, nodes: number, context: ChangeContext): Promise<void>;
  /** As deploy, with another number of nodes (`config.nodes`) and nothing else. */
  scale(config: ClusterConfig, context: ChangeContext): Promise<readonly Change[]>;
  /** The release before the one that runs. @throws UserError where the target keeps none */
  rollback(config: ClusterConfig, context: ChangeContext): Promise<readonly Change[]>;
  /** @returns false where nothing was there */
  destroy(config: ClusterConfig, options: DestroyOptions, context: ChangeContext): Promise<boolean>;
  /** What is deployed is known beyond the state directory: without one there may be a cluster all the same. */
  isElsewhere?(config: ClusterConfig): boolean;
  /** Processes, for `lbctl status`. */
  processes(config: ClusterConfig, signal: AbortSignal): Promise<readonly ProcessReport[]>;
  logs(config: ClusterConfig): Promise<readonly LogSource[]>;
  /** The one to look at first, first; none where nothing was set up. */
  dashboards(config: ClusterConfig): Promise<readonly Dashboard[]>;
  /** A command that brings the pages to this machine where a firewall is between; absent where none can be. */
  wayToPages?(config: ClusterConfig): Promise<string>;
  /** What this machine lacks for it. @param fix mends what lbctl can mend by itself */
  doctor(config: ClusterConfig, fix: boolean, signal: AbortSignal): Promise<readonly Finding[]>;
  /** Keeps where the cluster is what someone did to it, too. */
  audit?(config: ClusterConfig, entry: AuditEntry): Promise<void>;
}
