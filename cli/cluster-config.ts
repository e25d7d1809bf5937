/** What a cluster is to be: lbctl.yaml, checked, with a default for every key (config-file.ts reads it). */

import type { TlsFiles } from "../proxy/config/tls-files.ts";
import type { AwsConfig } from "./aws/aws-config.ts";
import type { AppConfig, HostsConfig } from "./hosts-config.ts";

export const CONFIG_FILE = "lbctl.yaml";
export const MAX_NODES = 9;
export const DEFAULT_NODES = 3;
/** What is wrong with a number of nodes outside 1 to 9, for people. */
export const WHY_NINE = "every write goes to every node, so lbctl is made for fewer than ten";

/** Where a cluster can live. */
export const TARGETS = ["local", "hosts", "aws"] as const;
export type TargetName = (typeof TARGETS)[number];

export const MONITORING_SETTINGS = ["auto", "off"] as const;

/** Overrides for lb-proxy's own config; checked by lb-proxy's schema, so any of its keys that lbctl doesn't set. */
export type ProxyOverrides = Readonly<Record<string, unknown>>;

export interface ClusterConfig {
  /** null: there is no lbctl.yaml. */
  readonly file: string | null;
  /** Where the state directory is: that of the file, or the working directory. */
  readonly dir: string;
  readonly name: string;
  readonly target: TargetName;
  /** null: not said in the file (then the number that was scaled to last, or 3). */
  readonly nodes: number | null;
  readonly ports: {
    readonly traffic: number;
    readonly admin: number;
    /** Of app1; app2 has the next one, and so on. */
    readonly apps: number;
    /** null: the first free one, from 9090 on; found at the first deploy, and kept. */
    readonly prometheus: number | null;
    /** null: from 9100 on. */
    readonly nodeExporter: number | null;
    /** null: from 3000 on. */
    readonly grafana: number | null;
  };
  /** auto: on `local`, what is installed of Prometheus, node_exporter and Grafana runs beside the cluster. */
  readonly monitoring: (typeof MONITORING_SETTINGS)[number];
  readonly admin: { readonly user: string };
  /** Of the traffic port; paths are absolute. Null: plain HTTP, and always so on `local`, which nobody else reaches. */
  readonly tls: TlsFiles | null;
  /** Null for another target. */
  readonly hosts: HostsConfig | null;
  readonly app: AppConfig;
  readonly proxy: ProxyOverrides;
  /** For target aws; of no meaning to the others. */
  readonly aws: AwsConfig;
}
