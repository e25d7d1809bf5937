import type { Cluster, Member } from "../cluster.ts";
import type { Config } from "../config/config.ts";
import type { Journal } from "../journal/journal.ts";
import type { Log } from "../log.ts";
import type { BootstrapKind, Metrics } from "../metrics/metrics.ts";
import type { UpstreamNode } from "../node.ts";
import type { Donors } from "./donors.ts";
import type { Lineage } from "./lineage.ts";

/** What every way to give a node its history works with. */
export interface BootstrapParts {
  readonly cluster: Cluster;
  readonly journal: Journal;
  readonly config: () => Config;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly donors: Donors;
  readonly lineage: Lineage;
  /** What is going on with a node, or what it waits for; for `status`. */
  readonly notes: WeakMap<UpstreamNode, string>;
}

export interface History {
  readonly kind: BootstrapKind;
  /** The node has the others' state up to it. */
  readonly seq: number;
  /** Whose copy it is; null: nobody's. */
  readonly donor: UpstreamNode | null;
  /** Aborted when the node is removed, or its donor turns out not to be sound. */
  readonly signal: AbortSignal;
}

/** The last step of every way: deliveries to the node begin behind `seq`. Rejects with the signal's reason. */
export async function giveHistory(
  { lineage, notes, metrics, log }: Pick<BootstrapParts, "lineage" | "notes" | "metrics" | "log">,
  { node, delivery }: Pick<Member, "node" | "delivery">,
  { kind, seq, donor, signal }: History,
): Promise<void> {
  signal.throwIfAborted();
  // An app's state has a new id after an import; the next check tells.
  node.stateId = null;
  node.bootstrappedAt = performance.now();
  await delivery.restart(seq);
  // From here to the end nothing is waited for: either the signal or the lineage knows whose copy it is.
  signal.throwIfAborted();
  node.copiedTo = seq;
  if (donor === null) lineage.replayed(node);
  else lineage.copied(node, donor, seq);
  notes.delete(node);
  metrics.bootstrap(node.name, kind, true);
  log.bootstrap({ node: node.name, kind, step: "done", seq });
  node.apply("bootstrapped", `${kind} up to seq ${seq}`);
}
