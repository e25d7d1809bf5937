import { loadClusterConfig } from "../cluster-config.ts";
import { targetOf } from "../targets.ts";

export interface Finding {
  readonly check: string;
  readonly ok: boolean;
  /** What is there. */
  readonly found: string;
  /** What mends it; empty where nothing is to mend. */
  readonly mend: string;
}

export interface Diagnosis {
  readonly target: string;
  readonly findings: readonly Finding[];
}

/** What is missing on this machine for the cluster's target. */
export async function doctor(configFlag: string | undefined): Promise<Diagnosis> {
  const config = await loadClusterConfig(configFlag);
  return { target: config.target, findings: await (await targetOf(config)).doctor(config) };
}
