import type { VerifyReport } from "../../proxy/api.ts";
import { AdminClient } from "../admin-client.ts";
import { loadCluster } from "../cluster.ts";

export interface Verification {
  readonly report: VerifyReport;
  /** Every difference, for people; none: all nodes hold the same. */
  readonly problems: readonly string[];
}

/** Digests of all nodes, each taken at one seq where its deliveries pause. */
export async function verify(configFlag: string | undefined, signal: AbortSignal): Promise<Verification> {
  const report = await new AdminClient(await loadCluster({ config: configFlag }), signal).verify();
  return { report, problems: differences(report) };
}

export function differences(report: VerifyReport): string[] {
  const problems = report.nodes.flatMap(({ name, state, error }) => {
    if (error !== null) return [`${name}: no digest (${error})`];
    return state === "in-sync" ? [] : [`${name}: expected in-sync, got ${state}`];
  });
  const seqs = new Set(Object.values(report.seq));
  if (seqs.size > 1) problems.push(`expected every node at the same write, got ${[...seqs].join(", ")}`);
  if (report.equal === false) problems.push("the digests differ: the nodes do not hold the same");
  return problems;
}
