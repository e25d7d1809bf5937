import { certificateFindings } from "../certificate.ts";
import { loadClusterConfig } from "../config-file.ts";
import type { Finding } from "../target.ts";
import { targetOf } from "../targets.ts";

export interface Diagnosis {
  readonly target: string;
  readonly findings: readonly Finding[];
}

/** What is missing on this machine for the cluster's target. */
export async function doctor(
  configFlag: string | undefined,
  fix: boolean,
  signal: AbortSignal,
): Promise<Diagnosis> {
  const config = await loadClusterConfig(configFlag);
  const findings = await (await targetOf(config)).doctor(config, fix, signal);
  return { target: config.target, findings: [...findings, ...certificateFindings(config)] };
}
